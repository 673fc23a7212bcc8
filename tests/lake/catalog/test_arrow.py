# SPDX-License-Identifier: Apache-2.0
"""The lake as its Python users see it: tables as Arrow, on branches, with real files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from mainstem.errors import (
    AssetNotFound,
    BranchConflict,
    KeyNotUnique,
    SchemaDrifted,
    SelectionInvalid,
    StorageFailed,
    UserError,
)
from mainstem.types import AssetKey, Primitive, Schema

T = "raw.t"


@pytest.fixture
def database_url(tmp_path):
    """One adapter is enough: nothing here depends on where the catalog is."""
    return f"sqlite:///{tmp_path / 'lake.db'}"


def _rows(lake, key=T, at="main"):
    return sorted(lake.arrow(key, at).to_pylist(), key=str)


def test_appended_rows_are_read_back(lake):
    lake.append(T, {"id": [1, 2], "name": ["a", None]})
    lake.append(T, pa.table({"id": [3], "name": ["c"]}))

    assert lake.arrow(T).to_pydict() == {"id": [1, 2, 3], "name": ["a", None, "c"]}


def test_frames_and_streams_of_others_are_taken(lake):
    polars = pytest.importorskip("polars")
    lake.append(T, polars.DataFrame({"id": [1]}))
    lake.append(T, pa.table({"id": [2]}).to_reader())

    assert lake.arrow(T).to_pydict() == {"id": [1, 2]}


def test_only_the_columns_that_were_asked_for_are_read(lake):
    lake.append(T, {"id": [1], "name": ["a"]})

    assert lake.arrow(T, columns=["NAME"]).to_pydict() == {"name": ["a"]}


def test_an_older_state_is_read_by_any_expression(lake):
    lake.append(T, {"id": [1]})
    lake.tag("v1")
    lake.overwrite(T, {"id": [2], "more": ["x"]})

    assert lake.arrow(T, "v1").to_pydict() == {"id": [1]}
    assert lake.arrow(T, "main~1").to_pydict() == {"id": [1]}
    assert lake.arrow(T).to_pydict() == {"id": [2], "more": ["x"]}


def test_upsert_replaces_equal_keys_and_adds_the_others(lake):
    lake.append(T, {"id": [1, 2], "name": ["a", "b"]})
    lake.upsert(T, {"id": [2, 3], "name": ["B", "C"]}, on=["id"])

    assert [row["name"] for row in _rows(lake)] == ["a", "B", "C"]


def test_upsert_makes_a_table_that_is_not_there(lake):
    lake.upsert(T, {"id": [1]}, on=["id"])

    assert lake.arrow(T).to_pydict() == {"id": [1]}


def test_upsert_refuses_a_key_that_repeats(lake):
    with pytest.raises(KeyNotUnique):
        lake.upsert(T, {"id": [1, 1]}, on=["id"])

    assert lake.entries() == {}


def test_deleted_rows_are_gone_and_deleting_nothing_is_no_commit(lake):
    lake.append(T, {"id": [1, 2]})
    deleted = lake.delete(T, {"id": [1]}, on=["id"])

    assert lake.arrow(T).to_pydict() == {"id": [2]}
    assert lake.delete(T, {"id": [77]}, on=["id"]) == deleted


def test_partitions_are_replaced_one_by_one(lake):
    rows = {"day": [1, 1, 2], "v": ["a", "b", "c"]}
    lake.overwrite(T, rows, partition_by=["day"])
    lake.replace_partitions(T, {"day": [1], "v": ["z"]})

    assert _rows(lake) == [{"day": 1, "v": "z"}, {"day": 2, "v": "c"}]


def test_a_table_without_partitions_cannot_have_them_replaced(lake):
    lake.append(T, {"id": [1]})
    with pytest.raises(UserError) as caught:
        lake.replace_partitions(T, {"id": [1]})

    assert caught.value.code == "A5045"


@pytest.mark.parametrize("layout", ["nth(day)", "month(day", "day()"])
def test_a_layout_that_cannot_be_read_is_refused(lake, layout):
    with pytest.raises(SelectionInvalid) as caught:
        lake.append(T, {"day": [1]}, partition_by=[layout])

    assert caught.value.code == "A5047"


def test_columns_evolve_without_touching_files(lake):
    lake.append(T, {"id": [1], "name": ["a"]})
    files = lake.relation(AssetKey.parse(T)).files
    lake.add_column(T, "seats", Primitive("int"))
    lake.rename_column(T, "name", "title")
    lake.reorder(T, ["seats"])
    lake.drop_column(T, "id")

    assert lake.arrow(T).to_pydict() == {"seats": [None], "title": ["a"]}
    assert lake.relation(AssetKey.parse(T)).files == files


def test_an_evolved_table_keeps_its_data_version(lake):
    lake.append(T, {"id": [1]})
    version = lake.data_version(AssetKey.parse(T))
    lake.add_column(T, "seats", Primitive("int"))

    assert lake.data_version(AssetKey.parse(T)) == version


def test_a_column_dropped_and_added_again_starts_out_null(lake):
    lake.append(T, {"id": [1], "name": ["old"]})
    lake.drop_column(T, "name")
    lake.add_column(T, "name", Primitive("string"))

    assert lake.arrow(T).to_pydict() == {"id": [1], "name": [None]}


def test_an_append_with_a_type_that_does_not_fit_changes_nothing(lake):
    lake.append(T, {"id": [1]})
    head = lake.resolve("main")
    with pytest.raises(SchemaDrifted):
        lake.append(T, {"id": ["one"]})

    assert lake.resolve("main") == head


def test_compaction_keeps_rows_and_version_in_fewer_files(lake):
    for number in range(4):
        lake.append(T, {"id": [number]})
    version = lake.data_version(AssetKey.parse(T))
    lake.compact(T)

    assert len(lake.relation(AssetKey.parse(T)).files) == 1
    assert lake.arrow(T).to_pydict() == {"id": [0, 1, 2, 3]}
    assert lake.data_version(AssetKey.parse(T)) == version


def test_a_transaction_is_one_commit_of_several_tables(lake):
    with lake.transaction(message="both") as changes:
        changes.append("raw.a", {"id": [1]})
        changes.append("raw.a", {"id": [2]})
        changes.overwrite("raw.b", {"id": [3]})
        changes.cursor("raw.a", {"at": 2})

    assert lake.log()[0].message == "both"
    assert lake.arrow("raw.a").to_pydict() == {"id": [1, 2]}
    assert lake.cursor(AssetKey.parse("raw.a")) == {"at": 2}


def test_a_transaction_that_fails_commits_nothing(lake):
    with pytest.raises(ZeroDivisionError):  # noqa: PT012, SIM117  # the block is the subject
        with lake.transaction() as changes:
            changes.append(T, {"id": [1]})
            _ = 1 / 0

    assert lake.entries() == {}


def test_a_change_that_reads_cannot_follow_another_in_a_transaction(lake):
    lake.append(T, {"id": [1]})
    with lake.transaction() as changes:
        changes.append(T, {"id": [2]})
        with pytest.raises(UserError) as caught:
            changes.upsert(T, {"id": [2]}, on=["id"])

    assert caught.value.code == "A5046"


def test_a_protected_branch_takes_an_append_and_refuses_an_overwrite(lake):
    lake.protect("main")
    lake.append(T, {"id": [1]})
    with pytest.raises(BranchConflict):
        lake.overwrite(T, {"id": [2]})

    assert lake.arrow(T).to_pydict() == {"id": [1]}


def test_a_view_has_no_rows_of_its_own(lake):
    with lake.transaction() as changes:
        changes.view("m.v", "select 1 as a", schema=Schema(fields=()))
    for act in (
        lambda: lake.arrow("m.v"),
        lambda: lake.add_column("m.v", "x", Primitive("int")),
        lambda: lake.metadata_path("m.v"),
    ):
        with pytest.raises(UserError) as caught:
            act()
        assert caught.value.code in {"A5043", "A5044"}


def test_a_table_that_is_not_there_names_the_nearest(lake):
    lake.append("raw.flights", {"id": [1]})
    for act in (
        lambda: lake.arrow("raw.fligths"),
        lambda: lake.drop_column("raw.fligths", "id"),
        lambda: lake.metadata_path("raw.fligths"),
        lambda: lake.delete("raw.fligths", {"id": [1]}, on=["id"]),
    ):
        with pytest.raises(AssetNotFound) as caught:
            act()
        assert caught.value.known == ("raw.flights",)


def test_a_missing_data_file_is_an_error_that_names_it(lake):
    lake.append(T, {"id": [1]})
    (file,) = lake.relation(AssetKey.parse(T)).files
    Path(lake.warehouse, file.path).unlink()
    with pytest.raises(StorageFailed) as caught:
        lake.arrow(T)

    assert file.path in str(caught.value)
    assert [damage.what for damage in lake.verify()] == ["missing"]


def test_other_engines_read_the_same_rows(lake):
    static_table = pytest.importorskip("pyiceberg.table").StaticTable
    lake.append(T, {"id": [1, 2], "name": ["a", "b"]})
    lake.upsert(T, {"id": [2], "name": ["B"]}, on=["id"])
    lake.create_branch("dev")
    lake.append(T, {"id": [3], "name": ["c"]}, branch="dev")
    lake.append(T, {"id": [4], "name": ["d"]})
    lake.merge("dev", "main").require()
    lake.rename_column(T, "name", "title")
    lake.revert("main", "main~3")
    table = static_table.from_metadata(lake.metadata_path(T))

    assert sorted(table.scan().to_arrow().to_pylist(), key=str) == _rows(lake)


def _keyed(lake):
    lake.upsert(T, {"id": [1, 2, 3], "v": ["a", "b", "c"]}, on=["id"])
    lake.create_branch("dev")


def test_a_keyed_table_merges_by_key(lake):
    _keyed(lake)
    lake.upsert(T, {"id": [1, 4], "v": ["A", "d"]}, on=["id"], branch="dev")
    lake.upsert(T, {"id": [3, 5], "v": ["C", "e"]}, on=["id"])
    merged = lake.merge("dev", "main")

    assert merged.conflicts == ()
    assert [row["v"] for row in _rows(lake)] == ["A", "b", "C", "d", "e"]


def test_equal_changes_of_one_key_are_one_change(lake):
    _keyed(lake)
    for branch in ("dev", "main"):
        lake.upsert(T, {"id": [1], "v": ["A"]}, on=["id"], branch=branch)
    lake.delete(T, {"id": [2]}, on=["id"], branch="dev")
    lake.merge("dev", "main").require()

    assert [row["v"] for row in _rows(lake)] == ["A", "c"]


def test_a_key_changed_differently_on_both_sides_is_shown_with_both_rows(lake):
    _keyed(lake)
    lake.upsert(T, {"id": [1], "v": ["theirs"]}, on=["id"], branch="dev")
    lake.upsert(T, {"id": [1], "v": ["ours"]}, on=["id"])
    (conflict,) = lake.merge("dev", "main").conflicts

    assert conflict.kind == "key"
    assert conflict.keys[0]["id"] == 1
    assert "ours" in str(conflict.keys[0])
    assert "theirs" in str(conflict.keys[0])
    assert lake.merge("dev", "main", on_conflict="theirs").commit is not None
    assert [row["v"] for row in _rows(lake)] == ["theirs", "b", "c"]


def test_a_dry_run_of_a_merge_by_key_leaves_no_files(lake):
    _keyed(lake)
    lake.upsert(T, {"id": [1], "v": ["A"]}, on=["id"], branch="dev")
    lake.upsert(T, {"id": [3], "v": ["C"]}, on=["id"])
    before = set(Path(lake.warehouse).rglob("*.parquet"))
    told = lake.merge("dev", "main", dry_run=True)

    assert [str(key) for key in told.merged] == [T]
    assert set(Path(lake.warehouse).rglob("*.parquet")) == before


def test_an_append_is_reverted_out_of_a_table_that_went_on(lake):
    lake.append(T, {"id": [1]})
    made = lake.append(T, {"id": [2]})
    lake.append(T, {"id": [3]})
    lake.revert("main", made.id)

    assert lake.arrow(T).to_pydict() == {"id": [1, 3]}


def test_rows_that_brought_a_column_go_and_the_column_stays(lake):
    lake.append(T, {"id": [1]})
    made = lake.append(T, {"id": [2], "more": ["x"]})
    lake.append(T, {"id": [3], "more": ["y"]})
    lake.revert("main", made.id)

    assert lake.arrow(T).to_pydict() == {"id": [1, 3], "more": [None, "y"]}


def test_deleted_rows_come_back_into_a_table_whose_columns_changed_since(lake):
    lake.append(T, {"id": [1, 2], "name": ["a", "b"]})
    made = lake.delete(T, {"id": [1]}, on=["id"])
    lake.rename_column(T, "name", "title")
    lake.append(T, {"id": [3], "title": ["c"]})
    lake.revert("main", made.id)

    assert [row["title"] for row in _rows(lake)] == ["a", "b", "c"]


def test_a_dropped_column_does_not_come_back_once_the_table_went_on(lake):
    lake.append(T, {"id": [1], "name": ["a"]})
    made = lake.drop_column(T, "name")
    lake.append(T, {"id": [2]})
    with pytest.raises(BranchConflict) as caught:
        lake.revert("main", made.id)

    assert caught.value.code == "A5040"


def test_a_column_that_came_back_is_not_merged_into_rows_that_lost_it(lake):
    lake.append(T, {"id": [1, 2], "name": ["a", "b"]})
    dropped = lake.drop_column(T, "name")
    lake.create_branch("dev")
    lake.revert("dev", dropped.id)
    lake.delete(T, {"id": [1]}, on=["id"])
    (conflict,) = lake.merge("dev", "main").conflicts

    assert conflict.kind == "schema"
    assert lake.arrow(T, "dev").to_pydict() == {"id": [1, 2], "name": ["a", "b"]}


def test_columns_edited_on_both_sides_of_equal_rows_are_merged(lake):
    lake.append(T, {"id": [1], "name": ["a"]})
    version = lake.data_version(AssetKey.parse(T))
    lake.create_branch("dev")
    lake.add_column(T, "seats", Primitive("int"), branch="dev")
    lake.drop_column(T, "name")
    lake.merge("dev", "main").require()

    assert lake.arrow(T).to_pydict() == {"id": [1], "seats": [None]}
    assert lake.data_version(AssetKey.parse(T)) == version
