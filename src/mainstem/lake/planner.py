# SPDX-License-Identifier: Apache-2.0
"""Which files of a table version to read: pruning by partition values and by bounds.

Pure but for reading manifests. Pruning may keep a file in vain, never drop one that has a matching
row: bounds are absent or truncated, columns evolve, and NaN is greater than any number.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal
from typing import Any, Literal
from uuid import UUID

from mainstem.lake import manifest
from mainstem.lake.table_state import ManifestStore, TableState
from mainstem.types import (
    AssetKey,
    DataFile,
    Field,
    PartitionSpec,
    PartitionValue,
    Physical,
    Primitive,
    Schema,
    TableRef,
    Transform,
    dataclass,
)

_EXACT = Context(prec=100)
"""Python's own context rounds to 28 digits, columns have up to 38."""

Comparator = Literal["=", "<", "<=", ">", ">=", "in", "is null", "is not null"]

_MICROS_OF: Mapping[Transform, int] = {"day": 86_400_000_000, "hour": 3_600_000_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One condition on a column; conditions of a list must all hold."""

    column: str
    is_: Comparator
    value: Any = None
    """A plain Python value of the column's type; a collection of them for `in`."""


def files(state: TableState, manifests: ManifestStore) -> list[DataFile]:
    """Give all data files of a version, oldest first."""
    return [file for ref in state.manifests for file in manifest.read_manifest(ref, manifests)]


def table_ref(
    state: TableState,
    manifests: ManifestStore,
    warehouse: str,
    key: AssetKey,
    *,
    predicate: Sequence[Comparison] = (),
    data_version: str = "",
    commit_id: str = "",
) -> TableRef:
    """Describe a version for reading.

    Args:
        state: The version.
        manifests: Where its manifests are.
        warehouse: Absolute folder or URI that paths are relative to.
        key: Name to show.
        predicate: Files that cannot have a matching row are left out; the reader still filters.
        data_version: Of the entry.
        commit_id: Of the commit it was looked up in.
    """
    found = prune(files(state, manifests), predicate, state.schema, state.specs)
    return TableRef(
        key=key,
        schema=state.schema,
        files=tuple(found),
        warehouse=warehouse,
        schemas={schema.schema_id: schema for schema in state.schemas},
        spec=state.spec,
        specs={spec.spec_id: spec for spec in state.specs},
        row_count=sum(file.record_count for file in found),
        size_bytes=sum(file.size_bytes for file in found),
        data_version=data_version,
        table_id=state.table_id,
        commit_id=commit_id,
        location=state.location,
    )


def prune(
    candidates: Sequence[DataFile],
    predicate: Sequence[Comparison],
    schema: Schema,
    specs: Sequence[PartitionSpec],
) -> list[DataFile]:
    """Leave out files that cannot have a row for which all conditions hold."""
    if not predicate:
        return list(candidates)
    by_id = {spec.spec_id: spec for spec in specs}
    conditions = [
        (condition, field, _values(condition, field))
        for condition in predicate
        if (field := schema.field(condition.column)) is not None
        and isinstance(field.type, Primitive)
    ]
    return [
        file
        for file in candidates
        if all(
            _may_match(file, by_id.get(file.spec_id), condition, field, values)
            for condition, field, values in conditions
        )
    ]


def physical(value: Any, of: Primitive) -> Physical:
    """Give a Python value as bounds and partition values hold it (`types.Physical`)."""
    if of.is_decimal:
        unscaled: Any = _EXACT.scaleb(Decimal(str(value)), of.precision_and_scale[1])
        # A condition may have more digits than the column: as it is it compares right with bounds.
        return int(unscaled) if unscaled == int(unscaled) else unscaled
    match value:
        case datetime():
            aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
            delta = aware - datetime(1970, 1, 1, tzinfo=UTC)
            return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
        case date():
            return value.toordinal() - date(1970, 1, 1).toordinal()
        case time():
            seconds = (value.hour * 60 + value.minute) * 60 + value.second
            return seconds * 1_000_000 + value.microsecond
        case UUID():
            return value.hex
        case bytes():
            return value.hex()
        case _:
            return float(value) if of.name in {"float", "double"} else value


def transformed(value: Physical, of: Primitive, transform: Transform) -> PartitionValue:
    """Give the partition value of a physical value (spec, "Partition Transforms")."""
    if transform == "identity":
        return value
    number = int(value)
    if transform in _MICROS_OF and of.name != "date":
        return number // _MICROS_OF[transform]
    if transform in {"day", "hour"}:
        return number if transform == "day" else number * 24
    days = number if of.name == "date" else number // _MICROS_OF["day"]
    year, month = _year_and_month(days)
    return year - 1970 if transform == "year" else (year - 1970) * 12 + month - 1


def may_hold_partition(
    file: DataFile,
    spec: PartitionSpec,
    partitions: Collection[tuple[PartitionValue, ...]],
    *,
    schema: Schema,
) -> bool:
    """Tell whether a file of another layout may have rows of these partitions of a layout."""
    for position, part in enumerate(spec.fields):
        field = next((field for field in schema if field.id == part.source_id), None)
        if field is None or not isinstance(field.type, Primitive):
            continue
        if file.null_counts.get(field.id) != 0 or file.nan_counts.get(field.id, 0):
            continue
        lower, upper = file.lower_bounds.get(field.id), file.upper_bounds.get(field.id)
        if lower is None or upper is None:
            continue
        low: Any = transformed(lower, field.type, part.transform)
        high: Any = transformed(upper, field.type, part.transform)
        wanted: set[Any] = {partition[position] for partition in partitions}
        if all(value is None or not low <= value <= high for value in wanted):
            return False
    return True


def partition_text(
    state: TableState, spec_id: int, values: Sequence[PartitionValue | object]
) -> str:
    """Write a partition for messages: `carrier=AA, time_hour_month=516`."""
    spec = next((spec for spec in state.specs if spec.spec_id == spec_id), PartitionSpec())
    pairs = zip(spec.fields, values, strict=False)
    return ", ".join(f"{part.name}={value}" for part, value in pairs) or "the whole table"


def ranges_overlap(
    one: DataFile, other: DataFile, columns: Sequence[str], *, schema: Schema
) -> bool:
    """Tell whether two files may share a value of all these columns, by their bounds."""
    for name in columns:
        field = schema.field(name)
        if field is None:
            continue
        bounds: list[tuple[Any, Any]] = [
            (file.lower_bounds.get(field.id), file.upper_bounds.get(field.id))
            for file in (one, other)
        ]
        (low, high), (other_low, other_high) = bounds
        if None in {low, high, other_low, other_high}:
            continue
        if high < other_low or other_high < low:
            return False
    return True


def _may_match(
    file: DataFile,
    spec: PartitionSpec | None,
    condition: Comparison,
    field: Field,
    values: Sequence[Physical],
) -> bool:
    nulls, total = file.null_counts.get(field.id), file.value_counts.get(field.id)
    if condition.is_ == "is null":
        # Files that lack the column read null.
        return nulls != 0 or total is None
    if nulls is not None and nulls == file.record_count:
        return False
    if condition.is_ == "is not null":
        return True
    if not _partition_may_match(file, spec, condition, field, values):
        return False
    lower, upper = file.lower_bounds.get(field.id), file.upper_bounds.get(field.id)
    of = field.type
    may_be_nan = of in {Primitive("float"), Primitive("double")} and (
        file.nan_counts.get(field.id) != 0
    )
    return any(
        _in_range(condition.is_, value, lower, None if may_be_nan else upper) for value in values
    )


def _in_range(
    is_: Comparator, value: Physical, lower: Physical | None, upper: Physical | None
) -> bool:
    below: Callable[[Any, Any], bool] = operator.lt
    fits_lower = lower is None or not below(value, lower)
    fits_upper = upper is None or not below(upper, value)
    match is_:
        case "=" | "in":
            return fits_lower and fits_upper
        case "<":
            return lower is None or below(lower, value)
        case "<=":
            return fits_lower
        case ">":
            # A truncated upper bound lies above the true one, so equality cannot rule out less.
            return upper is None or below(value, upper)
        case ">=":
            return fits_upper
        case _:
            return True


def _partition_may_match(
    file: DataFile,
    spec: PartitionSpec | None,
    condition: Comparison,
    field: Field,
    values: Sequence[Physical],
) -> bool:
    if spec is None or not isinstance(field.type, Primitive):
        return True
    for position, part in enumerate(spec.fields):
        if part.source_id != field.id or position >= len(file.partition):
            continue
        own = file.partition[position]
        if own is None:
            return False
        wanted = [transformed(value, field.type, part.transform) for value in values]
        # Transforms keep order but not strictness: x < v allows the partition of v itself.
        widened: dict[Comparator, Comparator] = {"<": "<=", ">": ">="}
        is_ = widened.get(condition.is_, condition.is_)
        if isinstance(own, float) and math.isnan(own):
            continue
        if not any(_in_range(is_, value, own, own) for value in wanted if value is not None):
            return False
    return True


def _values(condition: Comparison, field: Field) -> tuple[Physical, ...]:
    if condition.is_ in {"is null", "is not null"} or not isinstance(field.type, Primitive):
        return ()
    plain = condition.value if condition.is_ == "in" else (condition.value,)
    return tuple(physical(value, field.type) for value in plain)


def _year_and_month(days: int) -> tuple[int, int]:
    # Civil date from days (Howard Hinnant's algorithm): `datetime.date` ends at 1 and 9999.
    shifted = days + 719_468
    era, day_of_era = divmod(shifted, 146_097)
    year_of_era = (
        day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * day_of_year + 2) // 153
    month = month + 3 if month < 10 else month - 9
    return year_of_era + era * 400 + (month <= 2), month
