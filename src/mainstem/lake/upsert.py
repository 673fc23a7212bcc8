# SPDX-License-Identifier: Apache-2.0
"""Row changes as copy-on-write: upsert and delete by key, and replacing whole partitions.

Candidate files are found by key bounds, then by reading their key columns alone; only files that
hold a matching key are rewritten. Gives files for a `TableWrite`; nothing is committed here.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mainstem.errors import KeyNotUnique, SchemaDrifted
from mainstem.lake import conform
from mainstem.lake.arrow_types import arrow_type
from mainstem.lake.partitioning import split
from mainstem.lake.planner import may_hold_partition, physical
from mainstem.lake.reader import read_file
from mainstem.lake.writer import write_arrow
from mainstem.types import (
    DataFile,
    Field,
    PartitionValue,
    Physical,
    Primitive,
    Schema,
    TableRef,
    WriteTarget,
    dataclass,
    did_you_mean,
)

_ROW = "__mainstem_row"
_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """Files that replace files: `added`, `removed` and `partitions` of a `TableWrite`."""

    added: tuple[DataFile, ...]
    removed: tuple[str, ...]
    partitions: tuple[tuple[PartitionValue, ...], ...] = ()
    matched_count: int = 0
    """Rows of the table that were replaced or deleted."""


def upsert_rows(
    ref: TableRef, rows: pa.Table, *, on: Sequence[str], target: WriteTarget
) -> RowChange:
    """Replace the rows that have a key of `rows`, and add the others.

    Args:
        ref: The version to change.
        rows: New rows; columns that they lack become null.
        on: Key columns.
        target: Where to write.

    Raises:
        KeyNotUnique: A key is null or repeats within `rows`; names the first ten.
        SchemaDrifted: A key column does not exist, or a value does not fit.
    """
    fields = key_fields(on, target.schema)
    shaped = conform.by_name(rows, target.schema)
    keys = key_columns(shaped, fields)
    _refuse_null_keys(keys, on, ref)
    _refuse_repeated_keys(keys, on, ref)
    change = matching_rows(ref, keys, fields)
    added = write_arrow(rewritten(ref, change, target.schema, behind=shaped), target)
    return RowChange(
        added=added,
        removed=tuple(file.path for file, _ in change),
        matched_count=_matched(change),
    )


def delete_rows(
    ref: TableRef, keys: pa.Table, *, on: Sequence[str], target: WriteTarget
) -> RowChange:
    """Delete the rows that have a key of `keys`; a key may repeat there.

    Raises:
        KeyNotUnique: A key is null; names the first ten.
        SchemaDrifted: A key column does not exist, or a value does not fit.
    """
    fields = key_fields(on, target.schema)
    missing = [name for name in on if name.casefold() not in _folded(keys)]
    if missing:
        raise SchemaDrifted(
            "A5508",
            f"the keys to delete from {ref.key} have no column `{missing[0]}`.",
            hint=did_you_mean(missing[0], keys.column_names),
            known=keys.column_names,
        )
    wanted = key_columns(conform.by_name(keys, Schema(fields=fields)), fields)
    _refuse_null_keys(wanted, on, ref)
    distinct = wanted.group_by(wanted.column_names).aggregate([])
    change = matching_rows(ref, distinct, fields)
    added = write_arrow(rewritten(ref, change, target.schema, behind=None), target)
    return RowChange(
        added=added,
        removed=tuple(file.path for file, _ in change),
        matched_count=_matched(change),
    )


def replace_rows(ref: TableRef, rows: pa.Table, *, target: WriteTarget) -> RowChange:
    """Replace the partitions that `rows` falls into.

    Files of other layouts are rewritten without the rows of these partitions.
    """
    added = write_arrow(rows, target)
    partitions = tuple(dict.fromkeys(file.partition for file in added))
    wanted = set(partitions)
    touched = [
        file
        for file in ref.files
        if file.spec_id != target.spec.spec_id
        and may_hold_partition(file, target.spec, wanted, schema=target.schema)
    ]
    kept = write_arrow(_outside(ref, touched, wanted, target), target) if touched else ()
    return RowChange(
        added=(*added, *kept), removed=tuple(file.path for file in touched), partitions=partitions
    )


Matches = list[tuple[DataFile, pa.Array]]
"""Files with the positions of their rows that have one of the keys."""


def matching_rows(ref: TableRef, keys: pa.Table, fields: tuple[Field, ...]) -> Matches:
    """Find the rows that have one of some distinct keys.

    Args:
        ref: Where to look.
        keys: As `key_columns` gives them.
        fields: The key columns.
    """
    found: Matches = []
    if not keys.num_rows:
        return found
    first = keys.column(0).unique()
    spans = [_Span(keys.column(position), field) for position, field in enumerate(fields)]
    for file in ref.files:
        if not all(span.may_be_in(file) for span in spans):
            continue
        own = key_columns(read_file(ref, file, Schema(fields=fields)), fields)
        numbered = own.append_column(_ROW, pa.arange(0, own.num_rows))
        # A join hashes every row of the file; this leaves it few.
        likely = numbered.filter(pc.is_in(own.column(0), value_set=first))
        matched = (
            likely
            if keys.num_columns == 1 or not likely.num_rows
            else likely.join(keys, keys.column_names, join_type="left semi")
        )
        if matched.num_rows:
            found.append((file, matched.column(_ROW).combine_chunks()))
    return found


def rewritten(
    ref: TableRef, matches: Matches, schema: Schema, *, behind: pa.Table | None
) -> Iterator[pa.RecordBatch]:
    """Stream the rows of files without the matched ones, then further rows."""
    for file, positions in matches:
        rows = read_file(ref, file, schema)
        numbers = pa.arange(0, rows.num_rows)
        stays = pc.invert(pc.is_in(numbers, value_set=positions))
        yield from rows.filter(stays).to_batches()
    if behind is not None:
        yield from behind.to_batches()


def key_columns(rows: pa.Table, fields: Sequence[Field]) -> pa.Table:
    """Give key columns as `k0`, `k1`, ... in types that Arrow can join on."""
    columns = []
    for field in fields:
        column = rows.column(field.name)
        if arrow_type(field.type) == pa.uuid():
            column = pa.chunked_array([own.storage for own in column.chunks], pa.binary(16))
        columns.append(column)
    return pa.table(columns, names=[f"k{position}" for position in range(len(columns))])


def key_fields(on: Sequence[str], schema: Schema) -> tuple[Field, ...]:
    """Find the key columns.

    Raises:
        SchemaDrifted: One does not exist, or has nested fields.
    """
    fields = []
    for name in on:
        field = schema.field(name)
        if field is None or not isinstance(field.type, Primitive):
            what = "is not a column" if field is None else f"is {field.type}"
            raise SchemaDrifted(
                "A5508",
                f"the key names `{name}`, which {what}.",
                hint=did_you_mean(name, schema.names) or "A key is made of plain columns.",
                known=schema.names,
            )
        fields.append(field)
    return tuple(fields)


class _Span:
    """The values of one key column, to tell which files may have one of them."""

    __slots__ = ("_field", "_values")

    def __init__(self, column: pa.ChunkedArray, field: Field) -> None:
        self._field = field
        of = field.type
        assert isinstance(of, Primitive), "keys are made of plain columns"
        if of.name in {"float", "double"}:
            # NaN has no place among bounds.
            self._values: list[Physical] | None = None
            return
        if of.name == "date":
            column = column.cast(pa.int32())
        elif of.name in {"time", "timestamp", "timestamptz"}:
            column = column.cast(pa.int64())
        distinct = column.unique().to_pylist()
        plain = (
            distinct
            if distinct and isinstance(distinct[0], int)
            else [physical(value, of) for value in distinct]
        )
        self._values = sorted(plain)

    def may_be_in(self, file: DataFile) -> bool:
        """Tell whether a file's bounds leave room for one of the values."""
        number = self._field.id
        if file.null_counts.get(number) == file.record_count:
            return False
        lower, upper = file.lower_bounds.get(number), file.upper_bounds.get(number)
        if self._values is None or lower is None or upper is None:
            return True
        values: list[Any] = self._values
        first = bisect.bisect_left(values, lower)
        return first < len(values) and values[first] <= upper


def _outside(
    ref: TableRef,
    touched: Sequence[DataFile],
    partitions: set[tuple[PartitionValue, ...]],
    target: WriteTarget,
) -> Iterator[pa.RecordBatch]:
    for file in touched:
        rows = read_file(ref, file, target.schema)
        for values, part in split(rows, target.spec, target.schema):
            if values not in partitions:
                yield from part.to_batches()


def _refuse_null_keys(keys: pa.Table, on: Sequence[str], ref: TableRef) -> None:
    is_null = pc.is_null(keys.column(0))
    for position in range(1, keys.num_columns):
        is_null = pc.or_(is_null, pc.is_null(keys.column(position)))
    count = pc.sum(is_null).as_py() or 0
    if count:
        raise KeyNotUnique(
            "A5530",
            f"{count:,} of {keys.num_rows:,} rows for {ref.key} have no value in the key"
            f" ({', '.join(on)}): {_shown(keys.filter(is_null), on)}.",
            hint="Filter these rows, or choose a key whose columns are always there.",
        )


def _refuse_repeated_keys(keys: pa.Table, on: Sequence[str], ref: TableRef) -> None:
    counted = keys.group_by(keys.column_names).aggregate([([], "count_all")])
    repeated = counted.filter(pc.greater(counted.column("count_all"), 1))
    if repeated.num_rows:
        shown = repeated.select(keys.column_names)
        raise KeyNotUnique(
            "A5531",
            f"{repeated.num_rows:,} keys repeat within the rows for {ref.key}"
            f" ({', '.join(on)}): {_shown(shown, on)}.",
            hint="Keep one row for each key, for example the latest.",
        )


def _shown(keys: pa.Table, on: Sequence[str]) -> str:
    rows = keys.slice(0, _SHOWN).to_pylist()
    texts = [
        ", ".join(f"{name}={value}" for name, value in zip(on, row.values(), strict=True))
        for row in rows
    ]
    more = ", ..." if keys.num_rows > _SHOWN else ""
    return "(" + "), (".join(texts) + ")" + more


def _folded(rows: pa.Table) -> set[str]:
    return {name.casefold() for name in rows.column_names}


def _matched(matches: Matches) -> int:
    return sum(len(positions) for _, positions in matches)
