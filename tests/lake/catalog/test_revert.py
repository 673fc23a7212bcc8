# SPDX-License-Identifier: Apache-2.0
"""Reverts: the inverse of one commit on the head."""

from __future__ import annotations

import pytest

from mainstem.errors import BranchConflict, UserError
from mainstem.types import AssetKey

KEY = AssetKey.parse("raw.flights")


def test_reverting_the_newest_commit_restores_what_was(lake, author):
    author.write("raw.flights")
    made = author.write("raw.flights", "overwrite", rows=3, data_version="bad")
    reverted = lake.revert("main", made.id)

    assert author.rows("raw.flights") == 10
    assert lake.entry(KEY).provenance == lake.entry(KEY, "main~2").provenance
    assert lake.entry(KEY).snapshot_id != lake.entry(KEY, "main~2").snapshot_id
    assert reverted.meta["reverted"] == made.id
    assert reverted.meta["reverted_versions"] == {"raw.flights": "bad"}


def test_reverting_the_commit_that_made_a_table_removes_it(lake, author):
    made = author.write("raw.flights")
    lake.revert("main", made.id)

    assert lake.entries("main") == {}


def test_reverting_a_drop_brings_the_table_back(lake, author):
    author.write("raw.flights")
    lake.revert("main", author.drop("raw.flights").id)

    assert author.rows("raw.flights") == 10


def test_reverting_a_revert_brings_the_rows_back(lake, author):
    author.write("raw.flights")
    made = author.write("raw.flights")
    lake.revert("main", lake.revert("main", made.id).id)

    assert author.rows("raw.flights") == 20


def test_only_what_the_commit_changed_is_touched(lake, author):
    author.write("raw.flights")
    made = author.write("raw.flights")
    author.write("raw.planes")
    lake.revert("main", made.id)

    assert (author.rows("raw.flights"), author.rows("raw.planes")) == (10, 10)


def test_an_append_is_taken_out_of_a_table_that_went_on(lake, author):
    author.write("raw.flights", rows=1)
    made = author.write("raw.flights", rows=10)
    author.write("raw.flights", rows=100)
    lake.revert("main", made.id)

    assert author.rows("raw.flights") == 101
    assert not set(author.paths("raw.flights")) & (
        set(author.paths("raw.flights", made.id)) - set(author.paths("raw.flights", "main~3"))
    )


def test_what_was_overwritten_since_is_left_and_named(lake, author):
    author.write("raw.flights")
    made = author.write("raw.flights")
    author.write("raw.flights", "overwrite", rows=3)
    author.write("raw.planes")
    reverted = lake.revert("main", made.id)

    assert author.rows("raw.flights") == 3
    assert reverted.meta["kept"] == ["raw.flights"]


def test_rows_that_were_rewritten_since_are_a_conflict(lake, author):
    author.write("raw.flights")
    made = author.write("raw.flights")
    new = sorted(set(author.paths("raw.flights")) - set(author.paths("raw.flights", "main~1")))
    author.write("raw.flights", "compact", removed=tuple(new))
    with pytest.raises(BranchConflict) as caught:
        lake.revert("main", made.id)

    assert caught.value.code == "A5040"
    assert author.rows("raw.flights") == 20


def test_reverting_a_merge_takes_all_of_it_back(lake, author):
    author.write("raw.flights")
    lake.create_branch("dev")
    author.write("raw.flights", on="dev")
    author.write("raw.planes", on="dev")
    author.write("raw.flights", rows=5)
    merged = lake.merge("dev", "main").commit
    lake.revert("main", merged.id)

    assert (author.rows("raw.flights"), author.rows("raw.planes")) == (15, None)


def test_cursors_rewind_with_their_rows(lake, author):
    author.load("raw.flights", "..5", {"at": 5})
    made = author.load("raw.flights", "5..9", {"at": 9})
    lake.revert("main", made.id)

    assert (lake.cursor(KEY), author.rows("raw.flights")) == ({"at": 5}, 10)


def test_cursors_stay_if_asked_to(lake, author):
    author.load("raw.flights", "..5", {"at": 5})
    made = author.load("raw.flights", "5..9", {"at": 9})
    lake.revert("main", made.id, keep_cursors=True)

    assert (lake.cursor(KEY), author.rows("raw.flights")) == ({"at": 9}, 10)


def test_a_position_that_moved_on_is_a_conflict_that_says_how_to_go_on(lake, author):
    author.load("raw.flights", "..5", {"at": 5})
    made = author.load("raw.flights", "5..9", {"at": 9})
    author.load("raw.flights", "9..12", {"at": 12})
    with pytest.raises(BranchConflict, match="--keep-cursors"):
        lake.revert("main", made.id)

    lake.revert("main", made.id, keep_cursors=True)
    assert author.rows("raw.flights") == 20


def test_a_file_is_forgotten_by_a_cursor_that_went_on(lake, author):
    one, two, three = ({"size": number} for number in (1, 2, 3))
    author.load("raw.flights", "f1", {"files": {"a.csv": one}})
    made = author.load("raw.flights", "f2", {"files": {"a.csv": one, "b.csv": two}})
    author.load("raw.flights", "f3", {"files": {"a.csv": one, "b.csv": two, "c.csv": three}})
    lake.revert("main", made.id)

    assert lake.cursor(KEY) == {"files": {"a.csv": one, "c.csv": three}}
    assert author.rows("raw.flights") == 20


def test_the_first_commit_and_strangers_cannot_be_reverted(lake, author):
    author.write("raw.flights")
    lake.create_branch("dev")
    stranger = author.write("raw.flights", on="dev")
    with pytest.raises(UserError) as first:
        lake.revert("main", "main~1")
    with pytest.raises(UserError) as other:
        lake.revert("main", stranger.id)

    assert (first.value.code, other.value.code) == ("A5041", "A5042")


def test_a_protected_branch_takes_a_revert(lake, author):
    made = author.write("raw.flights")
    lake.protect("main")
    lake.revert("main", made.id)

    assert lake.entries("main") == {}


def test_a_view_goes_back_to_its_text(lake, author):
    author.view("m.v", "select 1")
    made = author.view("m.v", "select 2")
    lake.revert("main", made.id)

    assert lake.relation(AssetKey.parse("m.v")).sql == "select 1"


def test_a_key_that_was_deleted_and_came_anew_is_not_restored_beside_itself(lake):
    lake.upsert("raw.keyed", {"id": [1, 4], "a": ["x", "old"]}, on=["id"])
    made = lake.delete("raw.keyed", {"id": [4]}, on=["id"])
    lake.upsert("raw.keyed", {"id": [4], "a": ["new"]}, on=["id"])

    with pytest.raises(BranchConflict, match="may have the keys"):
        lake.revert("main", made.id)
    assert sorted(lake.arrow("raw.keyed")["id"].to_pylist()) == [1, 4]


def test_a_deleted_key_comes_back_beside_other_keys(lake):
    lake.upsert("raw.keyed", {"id": [1, 4], "a": ["x", "old"]}, on=["id"])
    made = lake.delete("raw.keyed", {"id": [4]}, on=["id"])
    lake.upsert("raw.keyed", {"id": [9], "a": ["new"]}, on=["id"])
    lake.revert("main", made.id)

    assert sorted(lake.arrow("raw.keyed")["id"].to_pylist()) == [1, 4, 9]
