# SPDX-License-Identifier: Apache-2.0
"""Increments: add rows, replace rows by key, or replace partitions of a table that is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mainstem.errors import ModelInvalid
from mainstem.graph import Asset
from mainstem.models.definition import Strategy
from mainstem.models.row_key import key_columns, register_part, require_unique
from mainstem.runs import StepContext
from mainstem.types import (
    DataFile,
    Operation,
    Physical,
    Provenance,
    Schema,
    Session,
    TableRef,
    TableWrite,
    dataclass,
)

_BATCH = '"__mainstem_batch"'
_Bounds = tuple[Physical, Physical] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Increment:
    """New rows for a table."""

    asset: Asset
    strategy: Strategy
    current: TableRef
    sql: str
    schema: Schema


def write_increment(
    session: Session, context: StepContext, increment: Increment
) -> tuple[TableWrite, int]:
    """Write the new rows.

    Columns that the query has more are added to the table, and columns that it lacks stay, null in
    the new rows.

    Returns:
        The change, and how many rows came in.

    Raises:
        KeyNotUnique: Two new rows have one key, or a key is null.
        SchemaDrifted: A column's type changed otherwise than by promotion.
    """
    match increment.strategy:
        case "append":
            return _append(session, context, increment)
        case "replace_partitions":
            return _replace_partitions(session, context, increment)
        case "upsert" | "delete_insert":
            return _replace_by_key(session, context, increment)


def _append(session: Session, context: StepContext, increment: Increment) -> tuple[TableWrite, int]:
    target = context.target(
        increment.asset.key,
        increment.schema,
        partition_by=increment.asset.partition_by,
        replaces=False,
    )
    files = session.write(increment.sql, target)
    write = TableWrite(
        key=increment.asset.key,
        operation="append",
        provenance=Provenance(origin="derived", data_version=""),
        schema=target.schema,
        spec=target.spec,
        table_id=target.table_id,
        added=files,
        row_key=increment.asset.row_key,
        base_version=increment.current.data_version,
    )
    return write, _row_count(files)


def _replace_partitions(
    session: Session, context: StepContext, increment: Increment
) -> tuple[TableWrite, int]:
    write, row_count = _append(session, context, increment)
    if increment.current.spec.fields and increment.current.spec != write.spec:
        raise ModelInvalid(
            "A2046",
            f"{increment.asset.key} is laid out by other partitions than `partition_by` says now, "
            "so partitions cannot be replaced one by one.",
            hint="Build it anew: mainstem run --full-refresh.",
        )
    partitions = tuple(dict.fromkeys(file.partition for file in write.added))
    return replace(write, operation="replace_partitions", partitions=partitions), row_count


def _replace_by_key(
    session: Session, context: StepContext, increment: Increment
) -> tuple[TableWrite, int]:
    """Rewrite the files that may hold one of the new keys (copy on write)."""
    asset, current = increment.asset, increment.current
    keys = key_columns(asset, increment.schema, current.schema)
    session.rows(f"create or replace temp table {_BATCH} as {increment.sql}")
    row_count: int = session.rows(f"select count(*) from {_BATCH}")[0][0]
    if increment.strategy == "upsert":
        require_unique(session, asset, _BATCH, keys)
    target = context.target(
        asset.key, increment.schema, partition_by=asset.partition_by, replaces=False
    )
    touched = _files_with_keys(session, current, keys) if row_count else ()
    sql = f"select * from {_BATCH}"
    if touched:
        old = register_part(session, current, touched, "touched")
        same = " and ".join(f"b.{key} is not distinct from t.{key}" for key in keys)
        sql = (
            f"select * from {old} as t where not exists "
            f"(select 1 from {_BATCH} as b where {same}) union all by name {sql}"
        )
    files = session.write(sql, target) if row_count else ()
    operation: Operation = "upsert" if touched else "append"
    write = TableWrite(
        key=asset.key,
        operation=operation,
        provenance=Provenance(origin="derived", data_version=""),
        schema=target.schema,
        spec=target.spec,
        table_id=target.table_id,
        added=files,
        removed=tuple(file.path for file in touched),
        row_key=asset.row_key,
        base_version=current.data_version,
    )
    return write, row_count


def _files_with_keys(
    session: Session, current: TableRef, keys: Sequence[str]
) -> tuple[DataFile, ...]:
    """Find the files that hold one of the new keys: by bounds, then by reading the key columns."""
    candidates = _candidates(session, current, keys)
    if len(candidates) <= 1:
        return candidates
    same = " and ".join(f"b.{key} is not distinct from t.{key}" for key in keys)
    touched = []
    for file in candidates:
        one = register_part(session, current, (file,), "candidate")
        found = session.rows(
            f"select 1 from {one} as t where exists "
            f"(select 1 from {_BATCH} as b where {same}) limit 1"
        )
        if found:
            touched.append(file)
    return tuple(touched)


def _candidates(session: Session, current: TableRef, keys: Sequence[str]) -> tuple[DataFile, ...]:
    """Leave out files whose bounds exclude every new key; only for types whose order is plain."""
    bounds: dict[int, _Bounds] = {}
    for key in keys:
        field = current.schema.field(key.strip('"').replace('""', '"'))
        assert field is not None, "key columns were checked"
        physical = _PHYSICAL.get(str(field.type))
        if physical is None:
            continue
        low, high = session.rows(
            f"select min({physical.format(key)}), max({physical.format(key)}) from {_BATCH}"
        )[0]
        if low is not None:
            bounds[field.id] = (low, high)
    return tuple(
        file
        for file in current.files
        if all(_overlaps(file, column, of) for column, of in bounds.items() if of is not None)
    )


def _overlaps(file: DataFile, column: int, bounds: tuple[Physical, Physical]) -> bool:
    lower, upper = file.lower_bounds.get(column), file.upper_bounds.get(column)
    if lower is None or upper is None:
        return True
    if isinstance(lower, str) != isinstance(bounds[0], str):
        return True
    return not (upper < bounds[0] or lower > bounds[1])  # type: ignore[operator]  # of one kind, see above


def _row_count(files: Sequence[DataFile]) -> int:
    return sum(file.record_count for file in files)


_PHYSICAL = {
    "int": "{}",
    "long": "{}",
    "string": "{}",
    "date": "datediff('day', date '1970-01-01', {})",
    "timestamp": "epoch_us({})",
    "timestamptz": "epoch_us({})",
}
"""SQL that turns a column into the plain value that its bounds are kept as (`types.Physical`)."""
