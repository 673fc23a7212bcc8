# SPDX-License-Identifier: Apache-2.0
"""Merging two branches' rows of a keyed table, when files alone cannot tell (`keys_may_overlap`).

Reads only files that one side has and the base has not, or the other way round. Changed keys that
differ on both sides are a conflict, shown with both rows; equal changes are one; the rest of their
changes is laid over our version as an upsert and delete. Called by the catalog's merge.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mainstem.lake.arrow_types import no_rows
from mainstem.lake.reader import read_file
from mainstem.lake.table_state import TableConflict
from mainstem.lake.upsert import RowChange, key_columns, key_fields, matching_rows, rewritten
from mainstem.lake.writer import write_arrow
from mainstem.types import DataFile, Field, Schema, TableRef, WriteTarget, dataclass

_ROW = "__mainstem_row"
_OTHER = "__mainstem_other"
_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """What one side did since the base, by key."""

    rows: pa.Table
    """New and changed rows as they are now."""
    deleted: pa.Table
    """Keys that are gone, as `key_columns` gives them."""


def merge_rows(
    base: TableRef | None,
    ours: TableRef,
    theirs: TableRef,
    *,
    row_key: Sequence[str],
    target: WriteTarget,
) -> RowChange | TableConflict:
    """Lay their row changes over our version.

    Args:
        base: The version at the merge base; `None` if the table was created on both sides.
        ours: The version merged into; the result replaces files of it.
        theirs: The version merged.
        row_key: Declared key.
        target: Where to write; its schema is the merged one.

    Returns:
        Files for a `TableWrite` with `operation="upsert"` on our version, or the keys that both
        sides changed differently.
    """
    schema = target.schema
    fields = key_fields(row_key, schema)
    ours_only, base_ours, theirs_only, base_theirs = _changed_files(base, ours, theirs)
    mine = _delta(ours, ours_only, base, base_ours, fields=fields, schema=schema)
    yours = _delta(theirs, theirs_only, base, base_theirs, fields=fields, schema=schema)
    clashes, same = _compare(mine, yours, fields)
    if clashes:
        return TableConflict(
            kind="key",
            message=f"has {len(clashes):,} keys that were changed differently on both sides",
            columns=tuple(field.name for field in fields),
            keys=tuple(clashes[:_SHOWN]),
        )
    yours = _without(yours, same, fields)
    touched = pa.concat_tables([key_columns(yours.rows, fields), yours.deleted])
    distinct = touched.group_by(touched.column_names).aggregate([])
    matches = matching_rows(_in_schema(ours, schema), distinct, fields)
    behind = yours.rows if yours.rows.num_rows else None
    added = write_arrow(rewritten(_in_schema(ours, schema), matches, schema, behind=behind), target)
    return RowChange(
        added=added,
        removed=tuple(file.path for file, _ in matches),
        matched_count=sum(len(rows) for _, rows in matches),
    )


def _changed_files(
    base: TableRef | None, ours: TableRef, theirs: TableRef
) -> tuple[list[DataFile], list[DataFile], list[DataFile], list[DataFile]]:
    before = {file.path: file for file in (base.files if base is not None else ())}
    mine = {file.path: file for file in ours.files}
    yours = {file.path: file for file in theirs.files}
    return (
        [file for path, file in mine.items() if path not in before],
        [file for path, file in before.items() if path not in mine],
        [file for path, file in yours.items() if path not in before],
        [file for path, file in before.items() if path not in yours],
    )


def _delta(
    side: TableRef,
    added: Sequence[DataFile],
    base: TableRef | None,
    removed: Sequence[DataFile],
    *,
    fields: tuple[Field, ...],
    schema: Schema,
) -> Delta:
    after = _rows(side, added, schema)
    before = _rows(base, removed, schema) if base is not None else after.slice(0, 0)
    keys_after, keys_before = key_columns(after, fields), key_columns(before, fields)
    pairs = _pairs(keys_after, keys_before)
    equal = _equal_rows(after.take(pairs[_ROW]), before.take(pairs[_OTHER]))
    unchanged = pairs.column(_ROW).combine_chunks().filter(equal)
    is_changed = pc.invert(pc.is_in(_numbers(after), value_set=unchanged))
    gone = keys_before.join(keys_after, keys_after.column_names, join_type="left anti")
    return Delta(rows=after.filter(is_changed), deleted=gone)


def _compare(
    mine: Delta, yours: Delta, fields: tuple[Field, ...]
) -> tuple[list[dict[str, Any]], pa.Table]:
    """Find keys both sides changed: those that differ, shown, and those that are equal."""
    names = [field.name for field in fields]
    my_keys, your_keys = key_columns(mine.rows, fields), key_columns(yours.rows, fields)
    pairs = _pairs(my_keys, your_keys)
    my_rows, your_rows = mine.rows.take(pairs[_ROW]), yours.rows.take(pairs[_OTHER])
    equal = _equal_rows(my_rows, your_rows)
    differ = pc.invert(equal)
    clashes = [
        {**{name: own[name] for name in names}, "ours": own, "theirs": other}
        for own, other in zip(
            my_rows.filter(differ).to_pylist(), your_rows.filter(differ).to_pylist(), strict=True
        )
    ]
    for rows, keys, deleted, side in (
        (mine.rows, my_keys, yours.deleted, "ours"),
        (yours.rows, your_keys, mine.deleted, "theirs"),
    ):
        found = _pairs(keys, deleted)
        clashes += [
            {**{name: own[name] for name in names}, "ours": None, "theirs": None, side: own}
            for own in rows.take(found[_ROW]).to_pylist()
        ]
    return clashes, key_columns(my_rows.filter(equal), fields)


def _without(delta: Delta, same: pa.Table, fields: tuple[Field, ...]) -> Delta:
    numbers = _pairs(key_columns(delta.rows, fields), same).column(_ROW).combine_chunks()
    stays = pc.invert(pc.is_in(_numbers(delta.rows), value_set=numbers))
    return replace(delta, rows=delta.rows.filter(stays))


def _pairs(left: pa.Table, right: pa.Table) -> pa.Table:
    """Give positions of equal keys in both tables; null keys equal nothing."""
    joined = left.append_column(_ROW, _numbers(left)).join(
        right.append_column(_OTHER, _numbers(right)), left.column_names, join_type="inner"
    )
    return joined.select([_ROW, _OTHER]).combine_chunks()


def _equal_rows(left: pa.Table, right: pa.Table) -> pa.Array:
    equal = pa.array([True] * left.num_rows, pa.bool_())
    for one, other in zip(left.columns, right.columns, strict=True):
        equal = pc.and_(equal, _equal_values(one, other))
    return equal


def _equal_values(one: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_nested(one.type) or pa.types.is_floating(one.type) or one.type == pa.uuid():
        # No kernel compares these, or not NaN with itself.
        pairs = zip(one.to_pylist(), other.to_pylist(), strict=True)
        return pa.array([repr(a) == repr(b) for a, b in pairs], pa.bool_())
    both_null = pc.and_(pc.is_null(one), pc.is_null(other))
    found = pc.or_(both_null, pc.fill_null(pc.equal(one, other), fill_value=False))
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _rows(ref: TableRef, files: Iterable[DataFile], schema: Schema) -> pa.Table:
    tables = [read_file(ref, file, schema) for file in files]
    return pa.concat_tables([no_rows(schema), *tables]).combine_chunks()


def _numbers(rows: pa.Table) -> pa.Array:
    return pa.arange(0, rows.num_rows)


def _in_schema(ref: TableRef, schema: Schema) -> TableRef:
    return replace(ref, schema=schema)
