# SPDX-License-Identifier: Apache-2.0
"""Three-way merges: the rules of SEMANTICS, "Branches and merges", one test a rule."""

from __future__ import annotations

import pytest

from mainstem.errors import BranchConflict, GateFailed, UserError
from mainstem.types import AssetKey

KEY = AssetKey.parse("raw.flights")


@pytest.fixture
def branched(lake, author):
    """A table of ten rows on main, and a branch `dev` from there."""
    author.write("raw.flights")
    lake.create_branch("dev")
    return author


def _merge(lake, source="dev", into="main", **options):
    return lake.merge(source, into, **options)


def test_what_only_the_source_changed_is_taken_as_a_new_snapshot(lake, branched):
    branched.write("raw.flights", on="dev")
    branched.write("raw.planes", on="dev")
    merged = _merge(lake)

    assert [str(key) for key in merged.merged] == ["raw.flights", "raw.planes"]
    assert branched.rows("raw.flights") == 20
    assert lake.entry(KEY).snapshot_id != lake.entry(KEY, "dev").snapshot_id
    assert len(merged.commit.parents) == 2


def test_what_only_the_target_changed_stays(lake, branched):
    branched.write("raw.flights")
    branched.write("raw.planes", on="dev")
    _merge(lake)

    assert branched.rows("raw.flights") == 20


def test_a_source_without_news_merges_to_nothing(lake, branched):
    branched.write("raw.flights")
    merged = _merge(lake)

    assert (merged.commit, merged.merged) == (None, ())


def test_merging_twice_merges_only_what_came_since(lake, branched):
    branched.write("raw.flights", on="dev")
    _merge(lake)
    branched.write("raw.planes", on="dev")

    assert [str(key) for key in _merge(lake).merged] == ["raw.planes"]


def test_merging_back_and_forth_loses_nothing(lake, branched):
    branched.write("raw.flights", on="dev")
    branched.write("raw.flights")
    _merge(lake, "main", "dev")
    branched.write("raw.flights", on="dev")
    branched.write("raw.flights")
    _merge(lake)

    assert branched.rows("raw.flights") == 50


def test_hand_made_appends_of_both_sides_commute(lake, branched):
    for _ in range(3):
        branched.write("raw.flights", on="dev", rows=1)
    branched.write("raw.flights", rows=100)
    merged = _merge(lake)

    assert (merged.conflicts, branched.rows("raw.flights")) == ((), 113)
    assert lake.entry(KEY).provenance.data_version not in {
        lake.entry(KEY, "dev").provenance.data_version,
        lake.entry(KEY, "main~1").provenance.data_version,
    }


def test_a_table_made_on_both_sides_by_appends_has_the_rows_of_both(lake, author):
    lake.create_branch("dev")
    author.write("raw.new", on="dev", rows=1)
    author.write("raw.new", rows=2)
    _merge(lake)

    assert author.rows("raw.new") == 3


def test_columns_added_on_both_sides_are_united(lake, branched):
    branched.write("raw.flights", columns={"id": "long", "name": "string", "a": "int"}, on="dev")
    branched.write("raw.flights", columns={"id": "long", "name": "string", "b": "int"})
    _merge(lake)

    assert set(lake.relation(KEY).schema.names) == {"id", "name", "a", "b"}


def test_a_column_with_two_types_is_a_conflict_that_names_it(lake, branched):
    branched.write("raw.flights", columns={"id": "long", "name": "string", "a": "int"}, on="dev")
    branched.write("raw.flights", columns={"id": "long", "name": "string", "a": "date"})
    merged = _merge(lake)

    (conflict,) = merged.conflicts
    assert (conflict.key, conflict.kind, merged.commit) == (KEY, "schema", None)
    assert "a" in conflict.message
    with pytest.raises(BranchConflict):
        merged.require()


def test_an_overwrite_against_an_append_is_a_conflict_with_both_sides(lake, branched):
    branched.write("raw.flights", "overwrite", on="dev", rows=7)
    branched.write("raw.flights")
    head = lake.resolve("main")
    (conflict,) = _merge(lake).conflicts

    assert lake.resolve("main") == head
    assert "10 -> 20 rows" in conflict.ours
    assert "overwrite: 10 -> 7 rows" in conflict.theirs


@pytest.mark.parametrize(("side", "rows"), [("ours", 20), ("theirs", 7)])
def test_a_conflict_can_be_decided_for_one_side(lake, branched, side, rows):
    branched.write("raw.flights", "overwrite", on="dev", rows=7)
    branched.write("raw.flights")
    merged = _merge(lake, on_conflict=side)

    assert merged.commit is not None
    assert branched.rows("raw.flights") == rows
    assert merged.notes


def test_a_drop_against_a_change_is_a_conflict(lake, branched):
    branched.drop("raw.flights", on="dev")
    branched.write("raw.flights")

    assert [conflict.kind for conflict in _merge(lake).conflicts] == ["dropped"]


def test_a_drop_of_what_the_target_left_alone_is_merged(lake, branched):
    branched.drop("raw.flights", on="dev")
    _merge(lake)

    assert lake.entries("main") == {}


def test_derived_assets_never_conflict_and_are_named_stale(lake, branched):
    branched.write("m.delays", "overwrite", on="dev", rows=7, origin="derived")
    branched.write("m.delays", "overwrite", rows=9, origin="derived")
    merged = _merge(lake)

    assert (merged.conflicts, merged.stale) == ((), (AssetKey.parse("m.delays"),))
    assert branched.rows("m.delays") == 9
    assert "m.delays" in merged.notes[0]


def test_equal_versions_built_on_both_sides_are_not_stale(lake, branched):
    for on in ("dev", "main"):
        branched.write("m.x", "overwrite", on=on, origin="derived", data_version="same")

    assert _merge(lake).stale == ()


def test_a_derived_asset_whose_input_is_merged_is_named_stale(lake, author):
    author.write("raw.flights", data_version="one")
    derived = {"origin": "derived", "inputs": {"raw.flights": "one"}}
    author.write("m.delays", "overwrite", **derived)
    author.write("m.other", "overwrite", origin="derived", inputs={"raw.planes": "gone"})
    lake.create_branch("dev")
    author.write("raw.flights", on="dev", data_version="two")

    assert _merge(lake).stale == (AssetKey.parse("m.delays"),)


def test_a_derived_asset_behind_a_view_is_named_stale_too(lake, author):
    author.write("raw.flights", data_version="one")
    author.view("m.v", "select * from raw.flights", inputs=("raw.flights",))
    version = lake.data_version(AssetKey.parse("m.v"))
    author.write("m.delays", "overwrite", origin="derived", inputs={"m.v": version})
    lake.create_branch("dev")
    author.write("raw.flights", on="dev", data_version="two")

    assert _merge(lake).stale == (AssetKey.parse("m.delays"),)


def test_a_cursor_moved_by_both_lets_the_target_win_and_says_so(lake, author):
    author.load("raw.flights", "..5", {"at": 5})
    lake.create_branch("dev")
    author.load("raw.flights", "5..9", {"at": 9}, on="dev")
    author.load("raw.flights", "5..7", {"at": 7})
    merged = _merge(lake)

    assert (lake.cursor(KEY), author.rows("raw.flights")) == ({"at": 7}, 20)
    assert (merged.conflicts, len(merged.notes)) == ((), 1)
    assert "cursor" in merged.notes[0]


def test_a_cursor_moved_by_the_source_comes_with_its_rows(lake, author):
    author.load("raw.flights", "..5", {"at": 5})
    lake.create_branch("dev")
    author.load("raw.flights", "5..9", {"at": 9}, on="dev")
    _merge(lake)

    assert (lake.cursor(KEY), author.rows("raw.flights")) == ({"at": 9}, 20)


@pytest.mark.parametrize(
    ("ours", "theirs", "rows"),
    [
        ("5..7", "7..9", 30),
        ("5..7", "6..9", None),
        ("5..", "7..9", None),
        ("f1", "f2", 30),
        ("f1", "f1", None),
        ("", "7..9", None),
        ("f1", "1..2", None),
        ("10..20", "2..9", 30),
    ],
)
def test_ingested_appends_commute_only_if_disjoint(lake, author, ours, theirs, rows):
    ingested = {"origin": "ingested"}
    author.write("raw.flights", **ingested, cursor_interval="..1")
    lake.create_branch("dev")
    author.write("raw.flights", on="dev", **ingested, cursor_interval=theirs)
    author.write("raw.flights", **ingested, cursor_interval=ours)
    merged = _merge(lake)

    if rows is None:
        assert [conflict.kind for conflict in merged.conflicts] == ["cursor"]
    else:
        assert author.rows("raw.flights") == rows


_VIEW = "select\n  a,\n  b,\n  c,\n  d\nfrom t\n"


def test_views_merge_as_text(lake, author):
    author.view("m.v", _VIEW)
    lake.create_branch("dev")
    author.view("m.v", _VIEW.replace("a,", "a + 1 as a,"), on="dev")
    author.view("m.v", _VIEW.replace("from t", "from t where d"))
    _merge(lake)

    assert lake.relation(AssetKey.parse("m.v")).sql == _VIEW.replace("a,", "a + 1 as a,").replace(
        "from t", "from t where d"
    )


def test_views_changed_in_the_same_line_conflict_and_show_both_texts(lake, author):
    author.view("m.v", _VIEW)
    lake.create_branch("dev")
    author.view("m.v", _VIEW.replace("a,", "x,"), on="dev")
    author.view("m.v", _VIEW.replace("a,", "y,"))
    (conflict,) = _merge(lake).conflicts

    assert conflict.kind == "view"
    assert "y," in conflict.ours
    assert "x," in conflict.theirs


def test_a_view_against_a_table_is_a_conflict(lake, author):
    lake.create_branch("dev")
    author.view("m.v", _VIEW, on="dev")
    author.write("m.v")

    assert [conflict.kind for conflict in _merge(lake).conflicts] == ["kind"]


def test_all_conflicts_are_reported_at_once(lake, author):
    for key in ("raw.a", "raw.b", "raw.c"):
        author.write(key)
    lake.create_branch("dev")
    for key in ("raw.a", "raw.b"):
        author.write(key, "overwrite", on="dev")
        author.write(key)
    author.write("raw.c", on="dev")
    merged = _merge(lake)

    assert [str(conflict.key) for conflict in merged.conflicts] == ["raw.a", "raw.b"]
    assert author.rows("raw.c") == 10


def test_a_dry_run_tells_and_changes_nothing(lake, branched):
    branched.write("raw.flights", on="dev")
    count = "select count(*) from lake_object"
    with lake.database.read() as transaction:
        before = transaction.execute(count)
    told = _merge(lake, dry_run=True)

    assert (told.commit, told.merged, branched.rows("raw.flights")) == (None, (KEY,), 10)
    with lake.database.read() as transaction:
        assert transaction.execute(count) == before


def test_gates_see_the_merged_state_before_the_branch_moves(lake, branched):
    branched.write("raw.flights", on="dev")
    branched.write("raw.flights")
    seen = []

    def look(result):
        seen.append((branched.rows("raw.flights", result.commit.id), branched.rows("raw.flights")))

    _merge(lake, gates=look)

    assert seen == [(30, 20)]
    assert branched.rows("raw.flights") == 30


def test_a_failing_gate_holds_the_merge_back(lake, branched):
    branched.write("raw.flights", on="dev")

    def refuse(result):
        raise GateFailed("A4000", "not unique")

    with pytest.raises(GateFailed):
        _merge(lake, gates=refuse)
    assert branched.rows("raw.flights") == 10


def test_a_target_that_moves_under_the_gates_is_merged_anew(lake, branched):
    branched.write("raw.flights", on="dev")
    moves = iter([True, False])

    def look(result):
        if next(moves):
            branched.write("raw.flights")

    _merge(lake, gates=look)

    assert branched.rows("raw.flights") == 30


def test_a_target_that_moves_three_times_is_given_up(lake, branched):
    branched.write("raw.flights", on="dev")
    with pytest.raises(BranchConflict) as caught:
        _merge(lake, gates=lambda _: branched.write("raw.flights"))

    assert caught.value.code == "A5035"


def test_a_branch_is_not_merged_into_itself(lake):
    with pytest.raises(UserError):
        _merge(lake, "main", "main")


def test_a_protected_branch_takes_a_merge(lake, branched):
    branched.write("raw.flights", on="dev")
    lake.protect("main")
    _merge(lake)

    assert branched.rows("raw.flights") == 20


def test_a_merge_can_be_part_of_a_larger_transaction(lake, branched):
    branched.write("raw.flights", on="dev")
    with lake.database.write() as transaction:
        _merge(lake, transaction=transaction)

    assert branched.rows("raw.flights") == 20


def test_branches_merged_crosswise_have_no_row_twice(lake, author):
    author.write("raw.flights", rows=1)
    lake.create_branch("dev")
    author.write("raw.flights", rows=10, on="dev")
    author.write("raw.flights", rows=100)
    lake.tag("dev0", at="dev")
    lake.tag("main0", at="main")
    lake.merge("main0", "dev").require()
    lake.merge("dev0", "main").require()
    author.write("raw.flights", rows=1000, on="dev")
    author.write("raw.flights", rows=10000)
    _merge(lake)

    assert author.rows("raw.flights") == 11111
    assert len(set(author.paths("raw.flights"))) == 5


def test_rows_that_came_crosswise_and_were_rewritten_are_there_once(lake, author):
    author.write("raw.flights", rows=1)
    lake.create_branch("dev")
    change = author.change("raw.flights", rows=10, on="dev")
    lake.commit("dev", [change], message="dev")
    author.write("raw.other")
    lake.tag("dev0", at="dev")
    lake.tag("main0", at="main")
    lake.merge("main0", "dev").require()
    lake.merge("dev0", "main").require()
    author.write("raw.flights", "delete", rows=7, removed=(change.added[0].path,), on="dev")
    author.write("raw.flights", rows=100)
    _merge(lake)

    assert author.rows("raw.flights") == 108
