# SPDX-License-Identifier: Apache-2.0
"""`mainstem.Lake` without a project: tables as Arrow, SQL at any ref, branches, transactions."""

import pyarrow as pa
import pytest

import mainstem
from mainstem.errors import BranchConflict, KeyNotUnique


def orders(*ids):
    return pa.table({"id": pa.array(ids, pa.int64()), "name": [f"order {n}" for n in ids]})


def fail_halfway(lake):
    with lake.transaction() as changes:
        changes.append("shop.orders", orders(3))
        changes.upsert("shop.totals", pa.table({"n": [4, 4]}), on=["n"])


@pytest.fixture
def lake(tmp_path):
    with mainstem.Lake(tmp_path / "lake") as opened:
        yield opened


def test_rows_are_appended_replaced_upserted_and_deleted(lake):
    lake.append("shop.orders", orders(1, 2))
    lake.append("shop.orders", orders(3))
    lake.upsert("shop.orders", pa.table({"id": [2, 4], "name": ["changed", "new"]}), on=["id"])
    lake.delete("shop.orders", pa.table({"id": [1]}), on=["id"])

    rows = lake.sql("select id, name from shop.orders order by id").to_pylist()

    assert rows == [
        {"id": 2, "name": "changed"},
        {"id": 3, "name": "order 3"},
        {"id": 4, "name": "new"},
    ]
    lake.overwrite("shop.orders", orders(9))
    assert lake.table("shop.orders").column("id").to_pylist() == [9]


def test_any_ref_can_be_read(lake):
    first = lake.append("shop.orders", orders(1))
    lake.tag("start")
    lake.append("shop.orders", orders(2))

    counts = [
        lake.sql("select count(*) as n from shop.orders", at=ref).column("n")[0].as_py()
        for ref in ("main", "start", first.id, f"main@{first.id[:8]}", "main~1")
    ]

    assert counts == [2, 1, 1, 1, 1]


def test_a_transaction_is_one_commit_or_none(lake):
    lake.append("shop.orders", orders(1))
    count = len(lake.log())
    with lake.transaction(message="both") as changes:
        changes.append("shop.orders", orders(2))
        changes.overwrite("shop.totals", pa.table({"n": [2]}))
    with pytest.raises(KeyNotUnique):
        fail_halfway(lake)

    assert len(lake.log()) == count + 1
    assert lake.log()[0].message == "both"
    assert lake.table("shop.orders").num_rows == 2


def test_two_branches_that_append_to_one_table_merge_by_themselves(lake):
    lake.append("shop.orders", orders(1))
    lake.branch("dev")
    lake.append("shop.orders", orders(2))
    lake.append("shop.orders", orders(3), branch="dev")

    lake.merge("dev")

    assert sorted(lake.table("shop.orders").column("id").to_pylist()) == [1, 2, 3]


def test_two_branches_that_change_one_row_conflict(lake):
    lake.append("shop.orders", orders(1))
    lake.branch("dev")
    change = {"id": [1], "name": ["ours"]}
    lake.upsert("shop.orders", pa.table(change), on=["id"])
    lake.upsert("shop.orders", pa.table({**change, "name": ["theirs"]}), on=["id"], branch="dev")

    with pytest.raises(BranchConflict) as raised:
        lake.merge("dev")

    assert "shop.orders" in str(raised.value) + raised.value.details
    assert [conflict.key.name for conflict in lake.merge("dev", dry_run=True).conflicts] == [
        "orders"
    ]
    assert lake.table("shop.orders").column("name").to_pylist() == ["ours"]


def test_a_key_that_repeats_is_refused(lake):
    lake.append("shop.orders", orders(1))

    with pytest.raises(KeyNotUnique):
        lake.upsert("shop.orders", orders(2, 2), on=["id"])

    assert lake.table("shop.orders").num_rows == 1


def test_what_was_done_can_be_undone(lake):
    lake.append("shop.orders", orders(1))
    commit = lake.append("shop.orders", orders(2))

    lake.revert(commit.id)

    assert lake.table("shop.orders").column("id").to_pylist() == [1]
    assert lake.tables() == ["shop.orders"]
