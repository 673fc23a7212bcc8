# SPDX-License-Identifier: Apache-2.0
"""Upserts, deletes and replaced partitions: which rows, which files, which keys are refused."""

import datetime as dt
import uuid
from decimal import Decimal

import pyarrow as pa
import pytest

from mainstem.errors import KeyNotUnique, SchemaDrifted
from mainstem.types import LayoutColumn


def rows(ids, value="old"):
    ids = list(ids)
    return pa.table({"id": pa.array(ids, pa.int64()), "v": [value] * len(ids)})


def content(lab):
    return {row["id"]: row["v"] for row in lab.rows().to_pylist()}


def test_only_files_that_hold_a_key_are_rewritten(lab):
    for start in (0, 100, 200):
        lab.write("append", rows(range(start, start + 10)))
    before = [file.path for file in lab.files()]

    lab.write("upsert", rows([105, 300], "new"), on=["id"])

    after = [file.path for file in lab.files()]
    assert set(before) - set(after) == {before[1]}
    assert content(lab)[105] == content(lab)[300] == "new"
    assert lab.rows().num_rows == 31


def test_a_key_within_a_files_bounds_but_not_in_it_rewrites_nothing(lab):
    lab.write("append", rows([0, 10]))
    (before,) = lab.files()

    lab.write("upsert", rows([5], "new"), on=["id"])

    assert before in lab.files()


@pytest.mark.parametrize(
    "keys",
    [
        pa.array(["a", "b" * 50, ""]),
        pa.array([b"a", b"\xff" * 50, b""]),
        pa.array([uuid.UUID(int=n) for n in (1, 2, 2**127)], pa.uuid()),
        pa.array([dt.date(1900, 1, 1), dt.date(1970, 1, 1), dt.date(2100, 1, 1)]),
        pa.array([dt.datetime(1900, 1, 1), dt.datetime(1970, 1, 1), dt.datetime(2100, 1, 1)]),
        pa.array([Decimal("-1.5"), Decimal("0.0"), Decimal("9.9")]),
        pa.array([True, False], pa.bool_()),
        pa.array([1.5, -0.5, 1e300]),
        pa.array([dt.time(1), dt.time(2)], pa.time64("us")),
    ],
    ids=lambda keys: str(keys.type),
)
def test_keys_of_every_type_find_their_rows(lab, keys):
    old = pa.table({"id": keys, "v": ["old"] * len(keys)})
    lab.write("append", old)

    lab.write("upsert", pa.table({"id": keys[:1], "v": ["new"]}), on=["id"])

    assert sorted(lab.rows().column("v").to_pylist()) == ["new"] + ["old"] * (len(keys) - 1)


def test_a_key_of_two_columns_is_matched_as_a_whole(lab):
    lab.write("append", pa.table({"a": [1, 1, 2], "b": ["x", "y", "x"], "v": [0, 0, 0]}))

    lab.write("upsert", pa.table({"a": [1, 2], "b": ["y", "y"], "v": [9, 9]}), on=["a", "B"])

    found = {(row["a"], row["b"]): row["v"] for row in lab.rows().to_pylist()}
    assert found == {(1, "x"): 0, (1, "y"): 9, (2, "x"): 0, (2, "y"): 9}


def test_rows_that_the_key_finds_twice_are_all_replaced(lab):
    lab.write("append", rows([1, 1, 2]))

    lab.write("upsert", rows([1], "new"), on=["id"])

    assert lab.rows().num_rows == 2
    assert content(lab) == {1: "new", 2: "old"}


def test_a_row_of_the_table_without_a_key_stays(lab):
    lab.write("append", rows([1, None]))

    lab.write("upsert", rows([1], "new"), on=["id"])

    assert content(lab) == {None: "old", 1: "new"}


def test_null_keys_are_refused_and_shown(lab):
    lab.write("append", rows([1]))

    with pytest.raises(KeyNotUnique) as caught:
        lab.write("upsert", rows([1, None, None]), on=["id"])

    assert caught.value.code == "A5530"
    assert "2 of 3 rows" in caught.value.summary
    assert "(id=None)" in caught.value.summary


def test_repeated_keys_are_refused_and_the_first_ten_shown(lab):
    lab.write("append", rows([1]))

    with pytest.raises(KeyNotUnique) as caught:
        lab.write("upsert", rows([*range(12), *range(12), 99]), on=["id"])

    assert caught.value.code == "A5531"
    assert "12 keys repeat" in caught.value.summary
    assert caught.value.summary.count("id=") == 10
    assert caught.value.hint


@pytest.mark.parametrize("operation", ["upsert", "delete"])
def test_an_unknown_key_column_is_named(lab, operation):
    lab.write("append", rows([1]))

    with pytest.raises(SchemaDrifted) as caught:
        lab.write(operation, rows([1]), on=["idd"])

    assert caught.value.code == "A5508"
    assert "id" in caught.value.hint


def test_keys_to_delete_must_have_the_key_columns(lab):
    lab.write("append", rows([1]))

    with pytest.raises(SchemaDrifted, match="have no column `id`"):
        lab.write("delete", pa.table({"x": [1]}), on=["id"])


def test_a_nested_column_is_no_key(lab):
    lab.write("append", pa.table({"id": [[1]]}))

    with pytest.raises(SchemaDrifted, match="list<long>"):
        lab.write("upsert", pa.table({"id": [[1]]}), on=["id"])


def test_deleting_every_row_of_a_file_leaves_no_file(lab):
    lab.write("append", rows([1, 2]))
    lab.write("append", rows([3]))

    lab.write("delete", rows([1, 2, 2, 77]).select(["id"]), on=["id"])

    assert len(lab.files()) == 1
    assert content(lab) == {3: "old"}


def test_an_upsert_may_promote_and_add_columns(lab):
    lab.write("append", pa.table({"id": pa.array([1, 2], pa.int32())}))

    lab.write("upsert", pa.table({"id": [2, 2**40], "w": ["a", "b"]}), on=["id"])

    assert lab.rows().sort_by("id").to_pylist() == [
        {"id": 1, "w": None},
        {"id": 2, "w": "a"},
        {"id": 2**40, "w": "b"},
    ]


def test_rewritten_rows_are_laid_out_anew(lab):
    lab.write("append", rows([1, 2]))
    lab.write("append", rows([3], "b"), partition_by=[LayoutColumn(column="v")])

    lab.write("upsert", rows([1], "b"), on=["id"])

    assert {file.spec_id for file in lab.files()} == {lab.state.spec_id}
    assert content(lab) == {1: "b", 2: "old", 3: "b"}


def test_replacing_partitions_rewrites_files_of_an_older_layout(lab):
    old = pa.table({"id": [1, 2, 3], "v": ["a", "b", "c"]})
    lab.write("append", old)
    lab.write("append", rows([9], "a"), partition_by=[LayoutColumn(column="v")])

    lab.write("replace_partitions", rows([7], "a"))

    assert content(lab) == {2: "b", 3: "c", 7: "a"}


def test_replacing_partitions_of_null_replaces_null(lab):
    table = pa.table({"id": [1, 2], "v": [None, "b"]})
    lab.write("overwrite", table, partition_by=[LayoutColumn(column="v")])

    lab.write("replace_partitions", pa.table({"id": [7], "v": pa.array([None], pa.string())}))

    assert content(lab) == {2: "b", 7: None}
