# SPDX-License-Identifier: Apache-2.0
"""What a change in a folder does to the loaded project, and what it does not."""

import os
import pickle
import shutil
import subprocess
import sys

import pytest

from mainstem.errors import ErrorGroup, SqlInvalid


def keys(project):
    return [str(key) for key in project.graph.order]


def test_every_kind_of_file_becomes_an_asset(shop):
    shop.write("seeds/shops.csv", "id\n1\n")

    with shop.open() as project:
        found = keys(project)

    assert sorted(found) == ["marts.large", "raw.orders", "seeds.shops", "staging.orders"]


def test_an_edit_is_seen_at_the_next_start(shop):
    shop.run()
    shop.write("models/marts/large.sql", "/* ---\nmaterialized: table\n--- */\nselect 1 as id\n")

    actions = shop.actions()

    assert actions["marts.large"] == "build"
    assert actions["raw.orders"] == "fresh"


def test_an_edit_within_the_clocks_resolution_is_seen(shop):
    file = shop.path / "models/marts/large.sql"
    stat = file.stat()
    with shop.open() as project:
        project.plan()
    file.write_text(file.read_text().replace("id >= ", "id <= "))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    os.utime(file, None)

    with shop.open() as project:
        sql = project.compiled("marts.large")

    assert "<=" in sql


def test_a_removed_file_takes_its_asset_along(shop):
    with shop.open() as project:
        assert "marts.large" in keys(project)
    shop.remove("models/marts/large.sql")

    with shop.open() as project:
        assert "marts.large" not in keys(project)


def test_one_broken_file_does_not_hide_the_others(shop):
    shop.write("models/marts/large.sql", "selec 1\n")
    shop.write("models/broken.yml", "models:\n  - nam: x\n")
    shop.write("ingest/other.yml", "type: files\npth: data/\ntables: {}\n")

    with shop.open() as project, pytest.raises(ErrorGroup) as raised:
        project.plan()

    files = {error.where.file for error in raised.value.errors}
    assert files == {"models/marts/large.sql", "models/broken.yml", "ingest/other.yml"}


def test_a_problem_is_reported_each_time_until_it_is_mended(shop):
    shop.write("models/marts/large.sql", "selec 1\n")
    for _ in range(2):
        with shop.open() as project:
            assert [error.code for error in project.problems] == ["A2010"]
    shop.write("models/marts/large.sql", "select 1 as id\n")

    with shop.open() as project:
        assert project.problems == ()


def test_a_column_that_does_not_exist_is_found_before_anything_runs(shop):
    shop.run()
    shop.write("models/marts/large.sql", "select id, amuont from staging.orders\n")

    with shop.open() as project, pytest.raises(SqlInvalid) as raised:
        project.run()

    assert raised.value.code == "A2041"
    assert raised.value.where.line == 1
    assert raised.value.known[0] == "amount"


def test_a_variable_of_the_command_line_changes_what_is_built(shop):
    shop.run()

    assert shop.actions(vars={"minimum": 3})["marts.large"] == "build"
    assert shop.actions()["marts.large"] == "fresh"


def test_an_environment_variable_that_a_template_reads_is_noticed(shop, monkeypatch):
    shop.write("models/marts/who.sql", "select '{{ env_var(\"SHOP_OWNER\") }}' as owner\n")
    monkeypatch.setenv("SHOP_OWNER", "ada")
    shop.run()
    monkeypatch.setenv("SHOP_OWNER", "bob")

    with shop.open() as project:
        sql = project.compiled("marts.who")

    assert "bob" in sql


def test_values_of_the_environment_are_not_kept_in_the_cache(shop, monkeypatch):
    shop.write("models/marts/who.sql", "select length('{{ env_var(\"SHOP_SECRET\") }}') as n\n")
    monkeypatch.setenv("SHOP_SECRET", "ada")
    with shop.open() as project:
        cache = project.loaded

    assert "ada" not in str(cache.env)
    assert cache.env.keys() == {"SHOP_SECRET"}


@pytest.mark.parametrize("damage", [b"", b"nonsense", pickle.dumps(("other version", 1))])
def test_a_damaged_cache_is_a_miss(shop, damage):
    with shop.open() as project:
        before = keys(project)
    for file in (shop.path / ".mainstem" / "cache").iterdir():
        file.write_bytes(damage)

    with shop.open() as project:
        assert keys(project) == before


def test_whatever_was_cached_before_a_project_loads_as_if_for_the_first_time(shop):
    shop.write("models/marts/total.sql", "select id from large\n")
    shop.write("models/marts/checked.sql", "/* ---\nchecks: [{unique: id}]\n--- */\nfrom large\n")
    edits = (
        lambda: None,
        lambda: shop.remove("models/marts/large.sql"),
        lambda: shop.write("models/staging/large.sql", "select id from raw.orders\n"),
        lambda: shop.write("models/marts/total.sql", "select id + 1 as id from large\n"),
        lambda: shop.write("models/marts/large.sql", "select 1 as id\n"),
        lambda: shop.write("models/staging/large.sql", "selec\n"),
    )
    for edit in edits:
        edit()
        for _ in range(2):
            with shop.open() as project:
                found = dict(project.graph.assets), [str(one) for one in project.problems]
        kept = shop.path / ".mainstem" / "cache"
        kept.rename(shop.path / "kept")
        with shop.open() as project:
            assert (dict(project.graph.assets), [str(one) for one in project.problems]) == found
        # The next edit meets the cache that several edits went through.
        shutil.rmtree(kept)
        (shop.path / "kept").rename(kept)


def test_a_helper_module_outside_the_models_folder_is_part_of_the_code(shop):
    shop.write("lib/rates.py", "FACTOR = 2\n")
    shop.write(
        "models/marts/rated.py",
        "import pyarrow as pa\nfrom mainstem import asset\nfrom lib.rates import FACTOR\n\n"
        '@asset(inputs={"orders": "raw.orders"})\ndef rated(orders: pa.Table) -> pa.Table:\n'
        "    return pa.table({'n': [orders.num_rows * FACTOR]})\n",
    )
    shop.run()
    assert shop.actions()["marts.rated"] == "fresh"
    shop.write("lib/rates.py", "FACTOR = 30\n")

    assert shop.actions()["marts.rated"] == "build"


def test_a_run_with_nothing_to_do_imports_nothing_heavy(shop):
    shop.run()
    code = (
        "import sys, mainstem\n"
        f"with mainstem.open({str(shop.path)!r}) as project:\n"
        "    assert project.run().status == 'nothing_to_do'\n"
        "heavy = ('duckdb', 'pyarrow', 'pydantic', 'sqlglot', 'jinja2', 'yaml', 'fastavro')\n"
        "print(*[name for name in heavy if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []
