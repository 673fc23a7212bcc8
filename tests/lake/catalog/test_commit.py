# SPDX-License-Identifier: Apache-2.0
"""Commits: intents rebased on the head, ids allocated for the whole lake, protection, publish."""

from __future__ import annotations

import pytest

from mainstem.errors import AssetNotFound, BranchConflict, UserError
from mainstem.lake import LinkWrite
from mainstem.types import AssetKey, Provenance, TableRef, ViewRef

KEY = AssetKey.parse("raw.flights")
MANUAL = Provenance(origin="manual", data_version="x")


def _state(lake, key, at="main"):
    relation = lake.relation(AssetKey.parse(key), at)
    assert isinstance(relation, TableRef)
    return relation


def _ids(lake, key, at="main"):
    return {field.name: field.id for field in _state(lake, key, at).schema.fields}


def test_several_changes_are_one_commit(lake, author):
    changes = [author.change("raw.a"), author.change("raw.b"), author.change("raw.a")]
    lake.commit("main", changes, message="three", meta={"run": 7}, author="ada")

    newest = lake.log("main")[0]
    assert (newest.message, newest.author, newest.meta["run"]) == ("three", "ada", 7)
    assert (author.rows("raw.a"), author.rows("raw.b")) == (20, 10)


def test_a_failing_change_leaves_no_trace_of_the_others(lake, author):
    good = author.change("raw.a")
    bad = author.change("raw.b", "compact", removed=("no/such/file",))
    with pytest.raises(BranchConflict):
        lake.commit("main", [good, bad], message="both")

    assert lake.entries("main") == {}


def test_appends_computed_on_an_old_head_are_rebased(lake, author):
    early = author.change("raw.flights")
    author.write("raw.flights")
    lake.commit("main", [early], message="late")

    assert author.rows("raw.flights") == 20


def test_a_change_that_read_an_older_version_is_refused(lake, author):
    author.write("raw.flights", data_version="one")
    stale = author.change("raw.flights", base_version="one")
    author.write("raw.flights", data_version="two")
    with pytest.raises(BranchConflict) as caught:
        lake.commit("main", [stale], message="late")

    assert caught.value.code == "A5031"
    assert "one" in caught.value.summary
    assert author.rows("raw.flights") == 20


def test_a_change_that_read_the_present_version_is_taken(lake, author):
    author.write("raw.flights", data_version="one")
    author.write("raw.flights", base_version="one")

    assert author.rows("raw.flights") == 20


def test_a_commit_of_nothing_is_the_head_itself(lake, author):
    head = author.write("raw.flights")

    assert lake.commit("main", [], message="nothing") == head


def test_a_protected_branch_refuses_direct_writes(lake, author):
    lake.protect("main")
    change = author.change("raw.flights")
    with pytest.raises(BranchConflict) as caught:
        lake.commit("main", [change], message="direct")

    assert caught.value.code == "A5033"
    lake.protect("main", protected=False)
    lake.commit("main", [change], message="direct")


def test_names_match_without_case_and_keep_the_case_they_were_written_in(lake, author):
    author.write("Raw.Flights")
    author.write("raw.FLIGHTS")

    assert author.rows("raw.flights") == 20
    assert len(lake.entries("main")) == 1


def test_a_dropped_table_is_gone_with_its_cursor(lake, author):
    author.load("raw.flights", "..1", {"at": 1})
    author.drop("raw.flights")

    assert (lake.entries("main"), lake.cursor(KEY)) == ({}, None)


def test_dropping_what_is_not_there_names_the_nearest(lake, author):
    author.write("raw.flights")
    with pytest.raises(AssetNotFound) as caught:
        author.drop("raw.flihgts")

    assert caught.value.known == ("raw.flights",)


def test_the_same_column_added_on_two_branches_is_one_field(lake, author):
    author.write("raw.flights", columns={"id": "long"})
    lake.create_branch("dev")
    wider = {"id": "long", "seats": "int"}
    author.write("raw.flights", columns=wider)
    author.write("raw.flights", columns=wider, on="dev")

    assert _ids(lake, "raw.flights") == _ids(lake, "raw.flights", "dev")
    assert _state(lake, "raw.flights").schema == _state(lake, "raw.flights", "dev").schema


def test_the_same_name_of_another_type_is_another_field(lake, author):
    author.write("raw.flights", columns={"id": "long"})
    lake.create_branch("dev")
    author.write("raw.flights", columns={"id": "long", "seats": "int"})
    author.write("raw.flights", columns={"id": "long", "seats": "string"}, on="dev")

    assert _ids(lake, "raw.flights")["seats"] != _ids(lake, "raw.flights", "dev")["seats"]


def test_a_column_that_is_added_again_after_a_drop_is_a_new_field(lake, author):
    for columns in ({"id": "long", "seats": "int"}, {"id": "long"}):
        author.write("raw.flights", "overwrite", columns=columns)
    first = _state(lake, "raw.flights", "main~1").schema.field("seats")
    author.write("raw.flights", "overwrite", columns={"id": "long", "seats": "int"})

    assert _state(lake, "raw.flights").schema.field("seats").id != first.id


def test_snapshots_of_a_table_are_numbered_across_branches(lake, author):
    author.write("raw.flights")
    lake.create_branch("dev")
    snapshots = {
        lake.entry(KEY, commit.id).snapshot_id
        for commit in (
            author.write("raw.flights", on="dev"),
            author.write("raw.flights"),
            author.write("raw.flights", on="dev"),
        )
    }

    assert len(snapshots) == 3


def test_a_link_is_a_new_snapshot_of_content_built_elsewhere(lake, author):
    lake.create_branch("dev")
    author.write("raw.flights", "overwrite", rows=30, on="dev")
    author.write("raw.flights", "overwrite", rows=5)
    built = lake.entry(KEY, "dev")
    link = LinkWrite(key=KEY, content=built.content, provenance=built.provenance)
    lake.commit("main", [link], message="link")

    linked = lake.entry(KEY)
    assert (linked.row_count, linked.provenance) == (30, built.provenance)
    assert linked.snapshot_id != built.snapshot_id
    assert author.paths("raw.flights") == author.paths("raw.flights", "dev")


def test_a_view_can_be_linked_too(lake, author):
    lake.create_branch("dev")
    author.view("m.v", "select 1", on="dev")
    built = lake.entry(AssetKey.parse("m.v"), "dev")
    link = LinkWrite(key=built.key, content=built.content, provenance=MANUAL)
    lake.commit("main", [link], message="link")

    assert lake.relation(built.key).sql == "select 1"


def test_a_views_version_follows_what_it_reads(lake, author):
    author.write("raw.flights")
    author.view("m.v", "select * from raw.flights", inputs=("raw.flights",))
    author.view("m.w", "select * from m.v", inputs=("m.v",))
    before = lake.relation(AssetKey.parse("m.w"))
    author.write("raw.flights")
    after = lake.relation(AssetKey.parse("m.w"))

    assert isinstance(after, ViewRef)
    assert before.data_version != after.data_version
    assert lake.data_version(AssetKey.parse("m.w"), "main~1") == before.data_version


def test_a_cursor_is_committed_with_its_rows(lake, author):
    author.load("raw.flights", "..5", {"updated_at": 5})
    author.load("raw.flights", "5..9", {"updated_at": 9})

    assert lake.cursor(KEY) == {"updated_at": 9}
    assert lake.cursor(KEY, "main~1") == {"updated_at": 5}
    assert lake.cursors() == {KEY: {"updated_at": 9}}


def test_what_json_cannot_keep_is_refused(lake, author):
    with pytest.raises(UserError) as cursor:
        author.cursor("raw.flights", {"x": object()})
    change = author.change("raw.flights")
    with pytest.raises(UserError) as meta:
        lake.commit("main", [change], message="m", meta={"x": object()})

    assert (cursor.value.code, meta.value.code) == ("A5021", "A5019")


def test_a_part_of_a_larger_transaction_goes_with_it(lake, author):
    change = author.change("raw.flights")
    with pytest.raises(ZeroDivisionError):  # noqa: PT012, SIM117  # the block is the subject
        with lake.database.write() as transaction:
            lake.commit("main", [change], message="inside", transaction=transaction)
            _ = 1 / 0

    assert lake.entries("main") == {}


def test_publish_moves_what_passed_in_one_commit(lake, author):
    author.write("raw.flights")
    lake.create_branch("run/1")
    author.write("raw.flights", on="run/1")
    author.write("m.good", "overwrite", on="run/1", origin="derived")
    author.write("m.bad", "overwrite", on="run/1", origin="derived")
    before = lake.resolve("main")
    keys = [KEY, AssetKey.parse("m.good")]
    published = lake.publish("run/1", "main", keys, message="run 1", meta={"run_id": 1})

    assert published.parents == (before.id,)
    assert sorted(map(str, lake.entries("main"))) == ["m.good", "raw.flights"]
    assert (author.rows("raw.flights"), published.meta["run_id"]) == (20, 1)


def test_publish_is_rebased_when_the_target_moved(lake, author):
    author.write("raw.flights")
    lake.create_branch("run/1")
    author.write("raw.flights", on="run/1", rows=1)
    author.write("raw.flights", rows=100)
    author.write("raw.other")
    lake.publish("run/1", "main", [KEY], message="run 1")

    assert author.rows("raw.flights") == 111
    assert author.rows("raw.other") == 10


def test_publish_of_a_full_rebuild_wins_over_what_came_between(lake, author):
    author.write("m.delays", "overwrite", origin="derived")
    lake.create_branch("run/1")
    author.write("m.delays", "overwrite", on="run/1", rows=7, origin="derived")
    author.write("m.delays", "overwrite", rows=9, origin="derived")
    lake.publish("run/1", "main", [AssetKey.parse("m.delays")], message="run 1")

    assert author.rows("m.delays") == 7


def test_publish_refuses_what_does_not_commute_and_changes_nothing(lake, author):
    author.load("raw.flights", "..5", {"at": 5})
    lake.create_branch("run/1")
    author.load("raw.flights", "5..9", {"at": 9}, on="run/1")
    author.load("raw.flights", "5..7", {"at": 7})
    head = lake.resolve("main")
    with pytest.raises(BranchConflict) as caught:
        lake.publish("run/1", "main", [KEY], message="run 1")

    assert caught.value.code == "A5030"
    assert lake.resolve("main") == head


def test_publish_takes_cursors_along_and_reaches_protected_branches(lake, author):
    lake.protect("main")
    lake.create_branch("run/1")
    author.load("raw.flights", "..5", {"at": 5}, on="run/1")
    lake.publish("run/1", "main", [KEY], message="run 1")

    assert (lake.cursor(KEY), author.rows("raw.flights")) == ({"at": 5}, 10)


def test_publishing_the_rest_later_leaves_what_was_published(lake, author):
    lake.create_branch("run/1")
    author.write("m.a", "overwrite", on="run/1", origin="derived")
    author.write("m.b", "overwrite", on="run/1", origin="derived")
    keys = [AssetKey.parse("m.a"), AssetKey.parse("m.b")]
    lake.publish("run/1", "main", keys[:1], message="first")
    snapshot = lake.entry(keys[0]).snapshot_id
    lake.publish("run/1", "main", keys, message="rest")

    assert lake.entry(keys[0]).snapshot_id == snapshot
    assert author.rows("m.b") == 10


def test_publishing_an_unknown_key_names_the_nearest(lake, author):
    lake.create_branch("run/1")
    author.write("raw.flights", on="run/1")
    with pytest.raises(AssetNotFound) as caught:
        lake.publish("run/1", "main", [AssetKey.parse("raw.flight")], message="x")

    assert caught.value.known == ("raw.flights",)


def test_a_table_dropped_on_the_run_branch_is_dropped_by_publish(lake, author):
    author.write("raw.flights")
    lake.create_branch("run/1")
    author.drop("raw.flights", on="run/1")
    lake.publish("run/1", "main", [KEY], message="run 1")

    assert lake.entries("main") == {}
