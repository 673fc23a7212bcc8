# SPDX-License-Identifier: Apache-2.0
"""Intents on a table's state: what commutes with what came since, and what does not."""

from dataclasses import replace

import orjson
import pyarrow as pa
import pytest

from mainstem.errors import BranchConflict, InternalError
from mainstem.lake import manifest
from mainstem.lake.arrow_types import schema_of_arrow
from mainstem.lake.planner import files
from mainstem.lake.schema_edit import drop_column, rename_column
from mainstem.lake.table_apply import apply, relink
from mainstem.lake.table_state import state_from_bytes, state_to_bytes
from mainstem.testing.tables import TABLE_ID
from mainstem.types import (
    AssetKey,
    DataFile,
    LayoutColumn,
    PartitionSpec,
    Provenance,
    Schema,
    TableWrite,
)

KEY = AssetKey.parse("raw.orders")


def data_file(number, **more):
    return DataFile(
        path=f"data/{number}.parquet", record_count=10, size_bytes=100, schema_id=0, **more
    )


def intent(operation, *, added=(), removed=(), **more):
    return TableWrite(
        key=KEY,
        operation=operation,
        provenance=Provenance(origin="manual", data_version=""),
        schema=more.pop("schema", Schema(fields=())),
        table_id=more.pop("table_id", TABLE_ID),
        added=tuple(added),
        removed=tuple(removed),
        **more,
    )


def rows(*values, name="v"):
    return pa.table({"id": pa.array(range(len(values)), pa.int64()), name: list(values)})


def paths(lab, state):
    return [file.path for file in files(state, lab.manifests)]


def appended(lab, count):
    state = None
    for number in range(count):
        write = intent("append", added=[data_file(number)])
        state = apply(state, write, ids=lab.ids(), manifests=lab.manifests)
    return state


def test_a_thousand_appends_are_listed_by_few_manifests_in_order(lab):
    state = appended(lab, 1000)

    assert paths(lab, state) == [f"data/{number}.parquet" for number in range(1000)]
    assert len(state.manifests) <= 4 * manifest.FAN_IN
    assert (state.file_count, state.row_count, state.size_bytes) == (1000, 10_000, 100_000)
    assert len(state.snapshots) == 20


def test_a_state_does_not_grow_with_its_appends(lab):
    state = appended(lab, 600)
    state_bytes = len(state_to_bytes(state))
    for number in range(600, 800):
        write = intent("append", added=[data_file(number)])
        state = apply(state, write, ids=lab.ids(), manifests=lab.manifests)

    assert len(state_to_bytes(state)) < state_bytes * 1.5


def test_an_added_file_carries_no_numbers_of_its_own(lab):
    state = appended(lab, 1)
    again = apply(
        None, intent("append", added=[data_file(0)]), ids=lab.ids(), manifests=lab.manifests
    )

    assert state.manifests[0].hash == again.manifests[0].hash
    assert state.manifests[0].sequence_number != again.manifests[0].sequence_number


def test_a_folded_file_keeps_the_numbers_it_was_added_with(lab):
    state = appended(lab, 30)

    entries = [
        entry for ref in state.manifests for entry in manifest.read_entries(ref, lab.manifests)
    ]
    assert [entry.sequence_number for entry in entries] == list(range(1, 31))
    assert len({entry.snapshot_id for entry in entries}) == 30


def test_a_state_survives_its_bytes(lab):
    lab.write("overwrite", rows("a", "b"), partition_by=[LayoutColumn(column="v")], row_key=["id"])
    lab.write("append", rows("c"))

    assert state_from_bytes(state_to_bytes(lab.state)) == lab.state


def test_counts_that_were_kept_by_name_are_read(lab):
    lab.write("append", rows("a"))
    content = orjson.loads(state_to_bytes(lab.state))
    counts = lab.state.snapshots[0].summary
    content["snapshots"][0][7] = dict(counts)

    assert state_from_bytes(orjson.dumps(content)) == lab.state


def test_a_state_of_a_newer_version_is_not_guessed_at():
    with pytest.raises(InternalError, match="newer"):
        state_from_bytes(b'{"format": 99}')


def test_overwrite_replaces_whatever_is_there(lab):
    lab.write("append", rows("a"))
    stale = lab.state
    lab.write("append", rows("b"))
    write = intent("overwrite", added=[data_file(9)], schema=stale.schema, spec=stale.spec)

    state = apply(lab.state, write, ids=lab.ids(), manifests=lab.manifests)

    assert paths(lab, state) == ["data/9.parquet"]
    assert state.snapshots[-1].summary["deleted-data-files"] == 2


@pytest.mark.parametrize("operation", ["upsert", "delete", "compact"])
def test_a_rewrite_of_a_file_that_is_gone_conflicts(lab, operation):
    state = appended(lab, 3)
    write = intent(operation, added=[data_file(9)], removed=["data/1.parquet", "data/7.parquet"])

    with pytest.raises(BranchConflict) as caught:
        apply(state, write, ids=lab.ids(), manifests=lab.manifests)

    assert caught.value.code == "A5522"
    assert "data/7.parquet" in caught.value.summary


def test_a_rewrite_commutes_with_an_append(lab):
    base = appended(lab, 2)
    moved = apply(
        base, intent("append", added=[data_file(5)]), ids=lab.ids(), manifests=lab.manifests
    )
    write = intent("upsert", added=[data_file(9)], removed=["data/0.parquet"])

    state = apply(moved, write, ids=lab.ids(), manifests=lab.manifests)

    assert sorted(paths(lab, state)) == ["data/1.parquet", "data/5.parquet", "data/9.parquet"]


def test_removing_a_file_writes_only_the_manifest_that_lists_it(lab):
    state = appended(lab, 5)
    write = intent("delete", removed=["data/3.parquet"])

    left = apply(state, write, ids=lab.ids(), manifests=lab.manifests)

    assert [ref.hash for ref in left.manifests] == [
        ref.hash for number, ref in enumerate(state.manifests) if number != 3
    ]


def test_an_upsert_is_held_against_rows_with_its_keys_that_came_since(lab):
    lab.write("append", rows("a", "b"), row_key=["id"])
    base = lab.state
    lab.write("append", rows("c"))
    bounds = {"lower_bounds": {1: 0}, "upper_bounds": {1: 0}}
    write = intent(
        "upsert",
        added=[data_file(9, **bounds)],
        schema=base.schema,
        spec=base.spec,
        row_key=("id",),
    )

    with pytest.raises(BranchConflict) as caught:
        apply(lab.state, write, ids=lab.ids(), manifests=lab.manifests, base=base)
    far = replace(write, added=(data_file(9, lower_bounds={1: 77}, upper_bounds={1: 78}),))
    state = apply(lab.state, far, ids=lab.ids(), manifests=lab.manifests, base=base)

    assert caught.value.code == "A5524"
    assert state.file_count == 3


def test_two_appends_that_add_different_columns_give_a_table_with_both(lab):
    lab.write("append", rows("a"))
    first, second = (lab.target(with_column(name)) for name in ("x", "y"))
    base = lab.state
    for target in (first, second):
        write = intent("append", schema=target.schema, spec=target.spec)
        lab.branches["main"] = apply(
            lab.state, write, ids=lab.ids(), manifests=lab.manifests, base=base
        )

    assert lab.state.schema.names == ("id", "v", "x", "y")


def with_column(name):
    return schema_of_arrow(rows("a").append_column(name, [["t"]]).schema)


def test_the_schema_a_file_was_written_with_is_kept_when_it_was_united(lab):
    lab.write("append", rows("a"))
    first, second = (lab.target(with_column(name)) for name in ("x", "y"))
    lab.commit(intent("append", schema=first.schema, spec=first.spec))
    added = data_file(9, spec_id=second.spec.spec_id)
    added = replace(added, schema_id=second.schema.schema_id)

    lab.commit(intent("append", added=[added], schema=second.schema, spec=second.spec))

    assert added.schema_id != lab.state.schema_id
    assert added.schema_id in lab.ref().schemas
    assert lab.metadata()


def test_two_appends_that_add_one_column_with_two_types_conflict(lab):
    lab.write("append", rows("a"))
    base = lab.state
    text = lab.target(with_column("x"))
    lab.write("append", rows("a").append_column("x", [[1]]))
    write = intent("append", schema=text.schema, spec=text.spec)

    with pytest.raises(BranchConflict) as caught:
        apply(lab.state, write, ids=lab.ids(), manifests=lab.manifests, base=base)

    assert caught.value.code == "A5525"
    assert "`x`" in caught.value.summary


def test_an_append_that_was_prepared_before_a_drop_does_not_bring_the_column_back(lab):
    lab.write("append", rows("a"))
    prepared = lab.target(lab.state.schema)
    lab.evolve(drop_column(lab.state.schema, "v", lab.allocator))
    write = intent("append", schema=prepared.schema, spec=prepared.spec)

    state = apply(lab.state, write, ids=lab.ids(), manifests=lab.manifests)

    assert state.schema.names == ("id",)


def test_evolving_makes_no_snapshot(lab):
    lab.write("append", rows("a"))
    before = lab.state

    lab.evolve(rename_column(before.schema, "v", "w", lab.allocator))

    assert lab.state.snapshots == before.snapshots
    assert lab.state.schema.names == ("id", "w")
    assert lab.rows().to_pylist() == [{"id": 0, "w": "a"}]


def test_replacing_partitions_refuses_a_file_of_another_layout_it_cannot_divide(lab):
    lab.write("append", rows("a", "b"))
    target = lab.target(lab.state.schema, partition_by=[LayoutColumn(column="v")])
    write = intent(
        "replace_partitions", schema=target.schema, spec=target.spec, partitions=(("a",),)
    )

    with pytest.raises(BranchConflict) as caught:
        apply(lab.state, write, ids=lab.ids(), manifests=lab.manifests)

    assert caught.value.code == "A5523"


def test_what_needs_a_table_cannot_make_one(lab):
    with pytest.raises(BranchConflict) as caught:
        apply(None, intent("upsert", removed=["data/1"]), ids=lab.ids(), manifests=lab.manifests)

    assert caught.value.code == "A5521"


def test_a_table_made_anew_under_the_same_name_is_no_place_for_an_old_append(lab):
    state = appended(lab, 1)

    with pytest.raises(BranchConflict) as caught:
        apply(state, intent("append", table_id="f" * 32), ids=lab.ids(), manifests=lab.manifests)

    assert caught.value.code == "A5520"


def test_linked_content_is_a_new_snapshot_behind_those_of_the_branch(lab):
    lab.write("append", rows("a"))
    old = lab.state
    lab.write("overwrite", rows("b", "c"))

    state = relink(old, ids=lab.ids(), manifests=lab.manifests, onto=lab.state)

    assert state.manifests == old.manifests
    assert len(state.snapshots) == 3
    assert state.last_sequence_number > lab.state.last_sequence_number
    assert state.row_count == 1
    assert state.snapshots[-1].summary == {
        "added-data-files": 1,
        "added-records": 1,
        "deleted-data-files": 1,
        "deleted-records": 2,
        "total-data-files": 1,
        "total-records": 1,
        "total-files-size": old.size_bytes,
    }


def test_content_that_begins_a_branchs_table_is_all_added(lab):
    lab.write("append", rows("a", "b"))

    state = relink(lab.state, ids=lab.ids(), manifests=lab.manifests)

    summary = state.snapshots[-1].summary
    assert (summary["added-data-files"], summary["added-records"]) == (1, 2)
    assert "deleted-records" not in summary


def test_a_dropped_column_that_a_link_brings_back_counts_as_present(lab):
    lab.write("append", rows("a"))
    old = lab.state
    lab.evolve(drop_column(old.schema, "v", lab.allocator))

    state = relink(old, ids=lab.ids(), manifests=lab.manifests, onto=lab.state)

    assert lab.state.dropped_ids == (2,)
    assert state.dropped_ids == ()
    assert state.schema.names == ("id", "v")


def test_bounds_of_any_size_survive_a_manifest(lab):
    huge = 10**37
    bounds = {1: -huge, 2: "z", 3: float("inf"), 4: 1.5, 5: True}
    file = data_file(
        0, lower_bounds=bounds, upper_bounds=bounds, partition=(huge, float("nan"), None)
    )
    state = apply(None, intent("append", added=[file]), ids=lab.ids(), manifests=lab.manifests)

    (read,) = files(state, lab.manifests)

    assert read.lower_bounds == {1: -huge, 2: "z", 4: 1.5, 5: True}
    assert read.partition[0] == huge
    assert read.partition[1] != read.partition[1]
    assert read.partition[2] is None


def test_the_clock_going_back_does_not_take_the_history_with_it(lab):
    state = appended(lab, 1)
    lab.clock_ms -= 1_000_000

    later = apply(state, intent("append"), ids=lab.ids(), manifests=lab.manifests)

    assert later.snapshots[-1].timestamp_ms >= state.snapshots[-1].timestamp_ms


def test_a_spec_is_kept_by_who_does_not_lay_out(lab):
    lab.write("overwrite", rows("a"), partition_by=[LayoutColumn(column="v")])
    write = intent("compact", schema=lab.state.schema, spec=PartitionSpec(spec_id=77))

    state = apply(lab.state, write, ids=lab.ids(), manifests=lab.manifests)

    assert state.spec_id == lab.state.spec_id
