# SPDX-License-Identifier: Apache-2.0
"""The table of rules by which two branches' changes of one table merge or conflict."""

import pyarrow as pa
import pytest

from mainstem.lake.schema_edit import add_column, drop_column, promote_column, rename_column
from mainstem.types import Field, LayoutColumn, Primitive, Provenance, TableWrite

BY_G = [LayoutColumn(column="g")]


def rows(ids, g="a"):
    ids = list(ids)
    return pa.table({"id": pa.array(ids, pa.int32()), "g": pa.array([g] * len(ids), pa.string())})


@pytest.fixture
def forked(lab):
    """Three files in partitions a, b, c; `dev` begins there, `base` stays there."""
    lab.write("overwrite", rows([1, 2], "a"), partition_by=BY_G)
    lab.write("append", rows([3, 4], "b"))
    lab.write("append", rows([5, 6], "c"))
    lab.branch("base")
    lab.branch("dev")
    return lab


def ids(lab):
    return sorted(lab.rows(columns=["id"]).column(0).to_pylist())


def test_appends_on_both_sides_merge_without_writing_a_manifest(forked):
    forked.write("append", rows([7]))
    for number in range(8, 13):
        forked.write("append", rows([number]), branch="dev")
    theirs = {ref.hash for ref in forked.on("dev").manifests}
    known = set(forked.manifests.blobs)

    conflict = forked.merge("dev", "base", ours=["append"], theirs=["append"])

    assert conflict is None
    assert ids(forked) == list(range(1, 13))
    new_manifests = {ref.hash for ref in forked.state.manifests} - known - theirs
    assert len(new_manifests) <= 1, "nothing but one fold"


def test_a_branch_that_folded_its_manifests_merges_too(forked):
    forked.write("append", rows([100]))
    for number in range(8, 40):
        forked.write("append", rows([number]), branch="dev")

    forked.merge("dev", "base", ours=["append"], theirs=["append"])

    assert ids(forked) == [*range(1, 7), *range(8, 40), 100]


def test_a_merged_snapshot_is_newer_than_both_sides(forked):
    forked.write("append", rows([7]))
    forked.write("append", rows([8]), branch="dev")
    newest = max(forked.state.last_sequence_number, forked.on("dev").last_sequence_number)

    forked.merge("dev", "base", ours=["append"], theirs=["append"])

    assert forked.state.last_sequence_number > newest
    assert all(
        ref.sequence_number <= forked.state.last_sequence_number for ref in forked.state.manifests
    )


def test_deletes_on_different_files_merge(forked):
    forked.write("delete", rows([1]).select(["id"]), on=["id"])
    forked.write("delete", rows([3]).select(["id"]), on=["id"], branch="dev")

    conflict = forked.merge("dev", "base", ours=["delete"], theirs=["delete"])

    assert conflict is None
    assert ids(forked) == [2, 4, 5, 6]


def test_deletes_on_one_file_without_a_key_conflict(forked):
    forked.write("delete", rows([1]).select(["id"]), on=["id"])
    forked.write("delete", rows([2]).select(["id"]), on=["id"], branch="dev")

    conflict = forked.merge("dev", "base", ours=["delete"], theirs=["delete"])

    assert conflict.kind == "file"
    assert conflict.paths
    assert ids(forked) == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_an_overwrite_conflicts_with_any_change_of_rows(forked, side):
    one, other = ("main", "dev") if side == "ours" else ("dev", "main")
    forked.write("overwrite", rows([9]), branch=one)
    forked.write("append", rows([8]), branch=other)
    operations = {one: ["overwrite"], other: ["append"]}

    conflict = forked.merge("dev", "base", ours=operations["main"], theirs=operations["dev"])

    assert conflict.kind == "overwrite"


def test_replaced_partitions_merge_with_changes_elsewhere(forked):
    forked.write("replace_partitions", rows([9], "a"))
    forked.write("append", rows([10], "b"), branch="dev")

    conflict = forked.merge("dev", "base", ours=["replace_partitions"], theirs=["append"])

    assert conflict is None
    assert ids(forked) == [3, 4, 5, 6, 9, 10]


def test_a_replaced_partition_conflicts_with_a_change_in_it_and_is_named(forked):
    forked.write("append", rows([10], "a"))
    forked.write("replace_partitions", rows([9], "a"), branch="dev")

    conflict = forked.merge("dev", "base", ours=["append"], theirs=["replace_partitions"])

    assert conflict.kind == "partition"
    assert conflict.partitions == ("g=a",)


@pytest.mark.parametrize("compacting", ["main", "dev"])
def test_a_compaction_gives_way_to_a_delete_in_its_files(forked, compacting):
    other = "dev" if compacting == "main" else "main"
    compact(forked, compacting)
    forked.write("delete", rows([1]).select(["id"]), on=["id"], branch=other)
    operations = {compacting: ["compact"], other: ["delete"]}

    conflict = forked.merge("dev", "base", ours=operations["main"], theirs=operations["dev"])

    assert conflict is None
    assert ids(forked) == [2, 3, 4, 5, 6]


def test_a_compaction_merges_with_an_append(forked):
    compact(forked, "main")
    forked.write("append", rows([7]), branch="dev")

    forked.merge("dev", "base", ours=["compact"], theirs=["append"])

    assert ids(forked) == [1, 2, 3, 4, 5, 6, 7]
    assert len(forked.files()) == 4


def compact(lab, branch):
    """Write all files anew, as compaction does."""
    before = [file.path for file in lab.files(branch)]
    content = lab.rows(branch)
    lab.write("append", content, branch=branch)
    after = [file for file in lab.files(branch) if file.path not in before]
    state = lab.on(branch)
    lab.branches[branch] = lab.branches["base"]
    lab.commit(
        TableWrite(
            key=lab.key,
            operation="compact",
            provenance=Provenance(origin="manual", data_version=""),
            schema=state.schema,
            spec=state.spec,
            table_id=state.table_id,
            added=tuple(after),
            removed=tuple(before),
        ),
        branch=branch,
    )


def test_columns_added_on_both_sides_are_all_there(forked):
    for branch, name in (("main", "x"), ("dev", "y")):
        field = Field(name=name, type=Primitive("string"))
        forked.evolve(add_column(forked.on(branch).schema, field, forked.allocator), branch=branch)
    forked.write("append", rows([7]).append_column("y", [["t"]]), branch="dev")

    forked.merge("dev", "base", ours=["evolve"], theirs=["evolve", "append"])

    assert forked.state.schema.names == ("id", "g", "x", "y")
    assert {"id": 7, "g": "a", "x": None, "y": "t"} in forked.rows().to_pylist()


def test_the_same_column_added_on_both_sides_is_one(forked):
    for branch in ("main", "dev"):
        field = Field(name="x", type=Primitive("string"))
        forked.evolve(add_column(forked.on(branch).schema, field, forked.allocator), branch=branch)
        forked.write("append", rows([7]).append_column("x", [[branch]]), branch=branch)

    forked.merge("dev", "base", ours=["evolve", "append"], theirs=["evolve", "append"])

    assert forked.state.schema.names == ("id", "g", "x")
    assert {row["x"] for row in forked.rows().to_pylist()} == {None, "main", "dev"}


def test_one_column_added_with_two_types_conflicts(forked):
    for branch, of in (("main", "string"), ("dev", "int")):
        field = Field(name="x", type=Primitive(of))
        forked.evolve(add_column(forked.on(branch).schema, field, forked.allocator), branch=branch)

    conflict = forked.merge("dev", "base", ours=["evolve"], theirs=["evolve"])

    assert conflict.kind == "schema"
    assert "`x` was added twice" in conflict.message


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda s, a: drop_column(s, "g", a), lambda s, a: rename_column(s, "g", "h", a)),
        (lambda s, a: rename_column(s, "g", "x", a), lambda s, a: rename_column(s, "g", "h", a)),
        (
            lambda s, a: drop_column(s, "id", a),
            lambda s, a: promote_column(s, "id", Primitive("long"), a),
        ),
    ],
)
def test_a_column_changed_in_two_ways_conflicts(forked, ours, theirs):
    for branch, change in (("main", ours), ("dev", theirs)):
        forked.evolve(change(forked.on(branch).schema, forked.allocator), branch=branch)

    assert forked.merge("dev", "base", ours=["evolve"], theirs=["evolve"]).kind == "schema"


def test_a_rename_and_a_promotion_of_one_column_go_together(forked):
    forked.evolve(rename_column(forked.state.schema, "id", "number", forked.allocator))
    forked.evolve(
        promote_column(forked.on("dev").schema, "id", Primitive("long"), forked.allocator),
        branch="dev",
    )

    forked.merge("dev", "base", ours=["evolve"], theirs=["evolve"])

    field = forked.state.schema.fields[0]
    assert (field.name, str(field.type)) == ("number", "long")
    assert sorted(forked.rows().column("number").to_pylist()) == [1, 2, 3, 4, 5, 6]


def test_a_column_dropped_on_one_side_stays_dropped(forked):
    forked.evolve(drop_column(forked.state.schema, "id", forked.allocator))
    forked.write("append", rows([7]), branch="dev")

    forked.merge("dev", "base", ours=["evolve"], theirs=["append"])

    assert forked.state.schema.names == ("g",)
    assert forked.rows().num_rows == 7


def test_two_new_layouts_conflict(forked):
    forked.write("append", rows([7]), partition_by=[LayoutColumn(column="id")])
    forked.write("append", rows([8]), partition_by=[], branch="dev")

    conflict = forked.merge("dev", "base", ours=["append"], theirs=["append"])

    assert conflict.kind == "layout"


def test_one_new_layout_is_taken(forked):
    forked.write("append", rows([7]), branch="main")
    forked.write("append", rows([8]), partition_by=[], branch="dev")
    layout = forked.on("dev").spec_id

    forked.merge("dev", "base", ours=["append"], theirs=["append"])

    assert forked.state.spec_id == layout
    assert ids(forked) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_key_changed_differently_is_shown_with_both_rows(lab):
    lab.write("append", rows([1, 2]), row_key=["id"])
    lab.branch("base")
    lab.branch("dev")
    lab.write("upsert", rows([1], "ours"), on=["id"])
    lab.write("upsert", rows([1], "theirs"), on=["id"], branch="dev")

    conflict = lab.merge("dev", "base", ours=["upsert"], theirs=["upsert"])

    assert conflict.kind == "key"
    assert conflict.keys == (
        {"id": 1, "ours": {"id": 1, "g": "ours"}, "theirs": {"id": 1, "g": "theirs"}},
    )


def test_a_key_changed_here_and_deleted_there_is_shown(lab):
    lab.write("append", rows([1, 2]), row_key=["id"])
    lab.branch("base")
    lab.branch("dev")
    lab.write("delete", rows([1]).select(["id"]), on=["id"])
    lab.write("upsert", rows([1], "theirs"), on=["id"], branch="dev")

    conflict = lab.merge("dev", "base", ours=["delete"], theirs=["upsert"])

    assert conflict.keys == ({"id": 1, "ours": None, "theirs": {"id": 1, "g": "theirs"}},)


def test_a_keyed_merge_brings_a_new_column_along(lab):
    lab.write("append", rows([1, 2]), row_key=["id"])
    lab.branch("base")
    lab.branch("dev")
    lab.write("upsert", rows([1], "ours"), on=["id"])
    lab.write("upsert", rows([2]).append_column("x", [["new"]]), on=["id"], branch="dev")

    assert lab.merge("dev", "base", ours=["upsert"], theirs=["upsert"]) is None

    assert lab.rows().sort_by("id").to_pylist() == [
        {"id": 1, "g": "ours", "x": None},
        {"id": 2, "g": "a", "x": "new"},
    ]


def test_a_table_made_on_both_sides_merges_its_rows(lab):
    lab.branches |= {"base": None, "dev": None}
    lab.write("append", rows([1]))
    lab.write("append", rows([2]), branch="dev")

    conflict = lab.merge("dev", "base", ours=["append"], theirs=["append"])

    assert conflict is None
    assert ids(lab) == [1, 2]
