# SPDX-License-Identifier: Apache-2.0
"""What a project does through its Python interface: run, read, merge, revert."""

import subprocess

import pytest

from mainstem.errors import AssetNotFound, ConfigInvalid, GateFailed, SelectionInvalid
from mainstem.project import open_project


def test_a_project_is_found_from_a_folder_below_it(shop):
    with open_project(shop.path / "models" / "marts") as project:
        assert project.folder == shop.path


def test_no_project_is_an_error_that_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigInvalid) as raised:
        open_project(tmp_path)

    assert raised.value.code == "A1027"
    assert "mainstem init" in raised.value.hint


def test_main_is_protected_and_reads_what_runs_published(shop):
    finished = shop.run()

    with shop.open() as project:
        rows = project.sql("select id from marts.large order by id").to_pylist()
        assert project.lake.ref("main").protected
    assert [row["id"] for row in rows] == [2, 3]
    assert len(finished.published) == 3


def test_a_bare_name_that_only_one_table_has_can_be_queried(shop):
    shop.run()

    with shop.open() as project:
        assert project.sql("select count(*) as n from large").to_pylist() == [{"n": 2}]
        with pytest.raises(AssetNotFound) as raised:
            project.sql("select * from orders")

    assert "raw.orders" in str(raised.value)
    assert "staging.orders" in str(raised.value)


def test_a_table_that_does_not_exist_names_the_nearest(shop):
    shop.run()

    with shop.open() as project, pytest.raises(AssetNotFound) as raised:
        project.sql("select * from marts.larg")

    assert "marts.large" in raised.value.hint


def test_preview_runs_the_edited_code_and_writes_nothing(shop):
    shop.run()
    shop.write("models/marts/large.sql", "select 42 as answer\n")

    with shop.open() as project:
        before = project.lake.resolve("main").id
        rows = project.preview("marts.large").to_pylist()
        assert project.lake.resolve("main").id == before

    assert rows == [{"answer": 42}]


def test_only_sql_models_have_sql(shop):
    with shop.open() as project, pytest.raises(SelectionInvalid) as raised:
        project.compiled("raw.orders")

    assert raised.value.code == "A1041"


def test_lineage_of_a_column_reaches_the_source(shop):
    shop.run()

    with shop.open() as project:
        tree = project.lineage("marts.large.amount")

    assert tree.next[0].name == "staging.orders.amount"
    assert tree.next[0].next[0].name == "raw.orders.amount"


def test_a_merge_is_judged_by_checks_on_the_merged_rows(shop):
    shop.run()
    with shop.open() as project:
        project.lake.create_branch("more")
    shop.write("data/orders.csv", "id,amount\n1,10\n2,20\n3,30\n4,40\n")
    shop.run(branch="more")
    shop.write(
        "checks/few.sql", "/* ---\nasset: raw.orders\n--- */\nfrom {{ this }} where id > 3\n"
    )

    with shop.open() as project:
        head = project.lake.resolve("main").id
        with pytest.raises(GateFailed) as raised:
            project.merge("more")
        assert project.lake.resolve("main").id == head

    assert raised.value.code == "A4040"


def test_a_merge_warns_of_data_whose_code_did_not_come_along(shop):
    shop.run()
    old = (shop.path / "models/marts/large.sql").read_text()
    with shop.open() as project:
        project.lake.create_branch("try")
    shop.write("models/marts/large.sql", old.replace("amount", "amount * 2 as amount"))
    shop.run(branch="try")
    shop.write("models/marts/large.sql", old)

    with shop.open() as project:
        result = project.merge("try")

    assert any("marts.large" in note and "undo" in note for note in result.notes)


def test_what_was_reverted_does_not_come_back_by_itself(shop):
    shop.run()
    edited = "/* ---\nmaterialized: table\n--- */\nselect id from staging.orders\n"
    shop.write("models/marts/large.sql", edited)
    commit = shop.run().commit_id
    with shop.open() as project:
        project.revert(commit)

    assert shop.run().status == "nothing_to_do"
    with shop.open() as project:
        assert "amount" in project.sql("from marts.large").column_names
        assert project.run(force=True).status == "succeeded"
        assert project.sql("from marts.large").column_names == ["id"]


def test_published_tables_have_icebergs_metadata(shop):
    finished = shop.run()

    tables = {
        path.parent.parent.name.rpartition("-")[0].partition("-")[0]
        for path in (shop.path / ".mainstem" / "warehouse").rglob("*.metadata.json")
    }

    assert tables >= {"orders", "large"}
    assert finished.commit_id


def test_the_commit_says_which_code_it_was_made_by(shop):
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "first"],
    ):
        subprocess.run(["git", *words], cwd=shop.path, check=True)
    with shop.open() as project:
        clean = project.plan().git
    shop.write("models/marts/large.sql", "select 1 as id\n")

    with shop.open() as project:
        dirty = project.plan().git

    assert len(clean) == 7
    assert dirty == f"{clean} + 1 edited file"


def test_a_view_of_all_columns_is_shown_with_those_that_came_later(shop):
    shop.write("models/staging/all.sql", "select * from staging.orders\n")
    shop.write("models/staging/orders.sql", "select * from raw.orders\n")
    shop.run()
    shop.write("data/orders.csv", "id,amount,note\n1,10,a\n2,20,b\n3,30,c\n")
    shop.run()

    with shop.open() as project:
        described = project.describe("staging.all")
        read = project.sql("from staging.all").column_names
        older = project.describe("staging.all", at="main~1")
        schema = project.work.analysis("main").schema_of(described.key)

    assert [column.name for column in described.columns] == read == ["id", "amount", "note"]
    assert [column.name for column in older.columns] == ["id", "amount"]
    assert schema.names == ("id", "amount", "note")
