# SPDX-License-Identifier: Apache-2.0
"""Rows of partitions in tables: as a condition in SQL, and by the bounds of data files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from mainstem.engines import literal, quote, quote_key
from mainstem.errors import ModelInvalid
from mainstem.graph import Asset, Bounds, ColumnRule, RowRule, TimePartitions, TimeRange
from mainstem.types import (
    AssetKey,
    DataFile,
    Field,
    LayoutColumn,
    Physical,
    Primitive,
    Relation,
    Schema,
    TableRef,
    ViewRef,
    dataclass,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIMES = frozenset({"date", "timestamp", "timestamptz"})
_WHOLE = "__all_partitions"
"""Ends the name under which all of a table stands behind a restricted input."""
_SIDES = 8
"""Where files are cut in one go; further holes are cut when they are next in the way."""
_LAYOUTS = {"hour": "hour", "day": "day", "week": "day", "cron": "day", "month": "month"}

_COARSER = {
    "hour": ((24, "day"), (24 * 28, "month")),
    "day": ((28, "month"),),
    "month": ((12, "year"),),
}
"""From how many partitions of a batch on its files are laid out by what."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """Files of a table that may hold rows of some partitions."""

    exact: tuple[DataFile, ...]
    """Hold no other rows."""
    mixed: tuple[DataFile, ...]
    """May hold others too, or are not known to hold any."""


def condition(rule: RowRule, schema: Schema) -> str | None:
    """Write what is true for rows of partitions.

    Returns:
        SQL; nothing if a column is not there, or has a type that tells no partition.
    """
    boxes = []
    for box in rule:
        parts = [_column_condition(one, schema.field(one.column)) for one in box]
        if any(part is None for part in parts):
            return None
        boxes.append(" and ".join(f"({part})" for part in parts))
    return " or ".join(f"({box})" for box in boxes) or "false"


def required_condition(rule: RowRule, schema: Schema, key: AssetKey) -> str:
    """Write the condition for the rows of an asset itself.

    Raises:
        ModelInvalid: It lacks the column that tells a row's partition (A2067).
    """
    found = condition(rule, schema)
    if found is not None:
        return found
    columns = ", ".join(f"`{one.column}`" for box in rule[:1] for one in box)
    raise ModelInvalid(
        "A2067",
        f"{key} is partitioned by {columns}, but its rows do not have that column as a date, a "
        "time or the key as text.",
        hint=f"Select it, or name another: `partitions: {{column: ...}}`. Columns: "
        f"{', '.join(schema.names)}.",
    )


def conditions_around(rule: RowRule, schema: Schema, key: AssetKey) -> tuple[str, ...]:
    """Write the conditions for all other rows: one for each side of what is left out.

    Files of one side have bounds that tell that they hold nothing of it.

    Raises:
        ModelInvalid: The rows have no column that tells their partition (A2067).
    """
    others = f"({required_condition(rule, schema, key)}) is not true"
    column = rule[0][0] if len(rule) == 1 and len(rule[0]) == 1 else None
    field = schema.field(column.column) if column is not None else None
    kind = _kind(field)
    if column is None or field is None or kind not in _TIMES or not column.ranges:
        return (others,)
    starts = sorted(_limits(one, kind)[0] for one in column.ranges)[:_SIDES]
    name = quote(field.name)
    is_later = [f"{name} >= {_sql(start, kind)}" for start in starts]
    sides = [f"({is_later[0]}) is not true"]
    sides += [f"{a} and not {b}" for a, b in pairwise(is_later)]
    return tuple(f"{others} and {side}" for side in (*sides, is_later[-1]))


def prune(table: TableRef, rule: RowRule) -> Pruned:
    """Tell by statistics which files of a table hold rows of partitions; reads nothing."""
    exact, mixed = [], []
    tests: dict[int, list[list[_Test | None]]] = {}
    for file in table.files:
        boxes = tests.get(file.schema_id)
        if boxes is None:
            schema = table.schemas.get(file.schema_id, table.schema)
            boxes = tests[file.schema_id] = [[_test_of(one, schema) for one in box] for box in rule]
        found = [_holds(file, box) for box in boxes]
        if "only" in found:
            exact.append(file)
        elif "maybe" in found:
            mixed.append(file)
    return Pruned(tuple(exact), tuple(mixed))


def with_files(table: TableRef, files: Sequence[DataFile]) -> TableRef:
    """Give a table with some of its files only."""
    return replace(
        table,
        files=tuple(files),
        row_count=sum(file.record_count for file in files),
        size_bytes=sum(file.size_bytes for file in files),
    )


def restricted(relation: Relation, rule: RowRule) -> tuple[Relation, Relation | None]:
    """Give a table or view with the rows of partitions only.

    Returns:
        What stands under the relation's name; and, if that is a view over it, the whole, which must
        be readable under the name that the view's inputs give. A relation without the columns stays
        as it is.
    """
    sql = condition(rule, relation.schema)
    if sql is None:
        return relation, None
    whole = replace(relation, key=AssetKey(relation.key.namespace, relation.key.name + _WHOLE))
    if isinstance(whole, TableRef) and isinstance(relation, TableRef):
        pruned = prune(relation, rule)
        if not pruned.mixed:
            return with_files(relation, pruned.exact), None
        whole = with_files(whole, (*pruned.exact, *pruned.mixed))
    view = ViewRef(
        key=relation.key,
        sql=f"select * from {quote_key(whole.key)} where {sql}",
        schema=relation.schema,
        inputs=(whole.key,),
        data_version=relation.data_version,
        commit_id=relation.commit_id,
    )
    return view, whole


def layout_for(asset: Asset, schema: Schema) -> tuple[LayoutColumn, ...]:
    """Give the layout of an asset's files: as declared, or what fits its partitions.

    Partitions that are built together share a file: a year of hours in batches of 24 is 365 files.
    """
    if asset.partition_by or asset.partitions is None:
        return asset.partition_by
    found = []
    batch = asset.partitions.batch
    dimensions = asset.partitions.definition.dimensions
    for column, of in zip(asset.partitions.columns, dimensions, strict=True):
        field = schema.field(column)
        kind = _kind(field)
        if field is None or not kind:
            continue
        transform = "identity"
        if isinstance(of, TimePartitions) and kind in _TIMES:
            # Of a product each partition is built alone.
            transform = _transform(of.grain, 1 if len(dimensions) > 1 else batch)
            if kind == "date" and transform == "hour":
                transform = "day"
        found.append(LayoutColumn(column=field.name, transform=transform))  # type: ignore[arg-type]  # one of the above
    return tuple(found)


def _transform(grain: str, batch: int) -> str:
    transform = _LAYOUTS.get(grain, "year" if grain == "year" else "month")
    for count, coarser in _COARSER.get(grain, ()):
        if not batch or batch >= count:
            transform = coarser
    return transform


def bounds_of(file: DataFile, schema: Schema) -> Bounds:
    """Give the bounds of a file's date, time and text columns as plain values."""
    found: dict[str, tuple[object, object]] = {}
    for field in schema:
        low, high = file.lower_bounds.get(field.id), file.upper_bounds.get(field.id)
        if low is None or high is None or file.null_counts.get(field.id, 1):
            continue
        kind = _kind(field)
        if kind == "string":
            found[field.name.casefold()] = (low, high)
        elif kind in _TIMES:
            found[field.name.casefold()] = (_value(low, kind), _value(high, kind))
    return found


def _column_condition(rule: ColumnRule, field: Field | None) -> str | None:
    kind = _kind(field)
    if field is None or not kind:
        return None
    column = quote(field.name)
    if not rule.ranges:
        return f"cast({column} as varchar) in ({', '.join(map(literal, rule.keys))})"
    if kind in _TIMES:
        pairs = [_limits(one, kind) for one in rule.ranges]
        return " or ".join(
            f"({column} >= {_sql(low, kind)} and {column} < {_sql(high, kind)})"
            for low, high in pairs
        )
    keys = [key for one in rule.ranges for key in one.names()]
    if kind != "string" or not keys:
        return None
    return f"{column} in ({', '.join(map(literal, keys))})"


@dataclass(frozen=True, slots=True)
class _Test:
    """What the bounds of one column are compared with; made once for all files of a schema."""

    field_id: int
    pairs: tuple[tuple[int, int], ...] = ()
    """Of times: from, and up to."""
    keys: tuple[str, ...] = ()
    """Of text."""


def _test_of(rule: ColumnRule, schema: Schema) -> _Test | None:
    """Give what a column's bounds are compared with; nothing if it is not there."""
    field = schema.field(rule.column)
    kind = _kind(field)
    if field is None or not kind:
        return None
    if rule.ranges and kind in _TIMES:
        limits = [_limits(one, kind) for one in rule.ranges]
        pairs = tuple((_physical(low), _physical(high)) for low, high in limits)
        return _Test(field.id, pairs=pairs)
    keys = rule.keys or tuple(key for one in rule.ranges for key in one.names())
    return _Test(field.id, keys=keys if kind == "string" else ())


def _holds(file: DataFile, box: Sequence[_Test | None]) -> str:
    """Tell whether a file holds `only`, `maybe` or `none` of the rows."""
    is_exact = True
    for test in box:
        if test is None:
            return "maybe"
        low, high = file.lower_bounds.get(test.field_id), file.upper_bounds.get(test.field_id)
        if low is None or high is None:
            is_exact = False
            continue
        inside, outside = _compared(test, low, high)
        if outside:
            return "none"
        is_exact = is_exact and inside and not file.null_counts.get(test.field_id, 1)
    return "only" if is_exact else "maybe"


def _compared(test: _Test, low: Physical, high: Physical) -> tuple[bool, bool]:
    """Tell whether all values between two bounds fit, and whether none does."""
    if test.pairs:
        assert isinstance(low, int), "bounds of times are numbers"
        assert isinstance(high, int), "bounds of times are numbers"
        inside = outside = False
        for first, stop in test.pairs:
            if high >= first and low < stop:
                inside, outside = first <= low and high < stop, False
                break
        else:
            outside = True
        return inside, outside
    if not test.keys:
        return False, False
    texts = (str(low), str(high))
    is_one = texts[0] == texts[1] and texts[0] in test.keys
    return is_one, not any(texts[0] <= key <= texts[1] for key in test.keys)


def _limits(rule: TimeRange, kind: str) -> tuple[datetime | date, datetime | date]:
    match kind:
        case "timestamptz":
            return rule.start, rule.stop
        case "timestamp":
            return rule.wall_start, rule.wall_stop
        case _:
            return _first_day(rule.wall_start), _first_day(rule.wall_stop)


def _first_day(wall: datetime) -> date:
    """Give the first day that begins at or after a local time."""
    return wall.date() if wall.time() == time() else wall.date() + timedelta(days=1)


def _sql(value: datetime | date, kind: str) -> str:
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC)
    return f"{kind} {literal(str(value))}"


def _physical(value: datetime | date) -> int:
    if not isinstance(value, datetime):
        return (value - _EPOCH.date()).days
    aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND


def _value(physical: Physical, kind: str) -> object:
    assert isinstance(physical, int), "bounds of times are numbers"
    if kind == "date":
        return _EPOCH.date() + timedelta(days=physical)
    instant = _EPOCH + timedelta(microseconds=physical)
    return instant if kind == "timestamptz" else instant.replace(tzinfo=None)


def _kind(field: Field | None) -> str:
    """Give the type if it can tell a partition: a time, text, or a whole number's text."""
    if field is None or not isinstance(field.type, Primitive):
        return ""
    name = field.type.name
    return name if name in _TIMES or name in {"string", "int", "long", "boolean"} else ""
