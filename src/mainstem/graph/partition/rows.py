# SPDX-License-Identifier: Apache-2.0
"""Which rows belong to a set of partitions: conditions on columns, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from mainstem.graph.partition import spans as algebra
from mainstem.graph.partition.definition import Dimension
from mainstem.graph.partition.partition_set import PartitionSet
from mainstem.graph.partition.windows import TimePartitions
from mainstem.graph.partition.zone import instant_of, is_ambiguous, wall_of, zone_of
from mainstem.types import dataclass

_FEW = 10_000
_STEP = timedelta(minutes=15)
"""All changes of clocks since 1970 are multiples of it, but for Liberia's in 1972."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From one moment up to, but without, another: as instants and on the wall."""

    start: datetime
    stop: datetime
    wall_start: datetime
    """Naive: first local time that means `start` or a later moment."""
    wall_stop: datetime
    of: TimePartitions
    ordinals: tuple[int, int]
    """From, and up to."""

    def names(self) -> tuple[str, ...]:
        """Give every key, if they are few: a column may hold them as text."""
        first, stop = self.ordinals
        if stop - first > _FEW:
            return ()
        return tuple(self.of.key(at) for at in range(first, stop))


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """What one column's value must be: in one of the ranges, or one of the keys."""

    column: str
    ranges: tuple[TimeRange, ...] = ()
    keys: tuple[str, ...] = ()


RowRule = tuple[tuple[ColumnRule, ...], ...]
"""Rows that meet all rules of one of the entries; none: no row."""
_TICK = timedelta(microseconds=1)


def row_rule(some: PartitionSet, columns: Sequence[str]) -> RowRule:
    """Give the conditions for rows of a set of partitions.

    Args:
        some: The set.
        columns: For each dimension the column whose value tells the partition.
    """
    dimensions = some.definition.dimensions
    return tuple(
        tuple(
            _column_rule(column, of, ranges)
            for column, of, ranges in zip(columns, dimensions, box, strict=True)
        )
        for box in algebra.boxes(some.spans)
    )


def wall_bound(instant: datetime, zone_name: str) -> datetime:
    """Give the first local time that means an instant or a later one.

    A local time that comes twice means the first, so of the second hour nothing is left.
    """
    zone = zone_of(zone_name)
    local = instant.astimezone(zone)
    if local.fold:
        while is_ambiguous(instant, zone):
            instant += _STEP
    return wall_of(instant, zone)


def _column_rule(column: str, of: Dimension, ranges: Sequence[tuple[int, int]]) -> ColumnRule:
    if isinstance(of, TimePartitions):
        return ColumnRule(column, ranges=tuple(_time_range(of, *pair) for pair in ranges))
    keys = tuple(of.key(at) for first, stop in ranges for at in range(first, stop))
    return ColumnRule(column, keys=keys)


def _time_range(of: TimePartitions, first: int, stop: int) -> TimeRange:
    zone: Any = zone_of(of.zone)
    start, end = of.start_of(first), of.start_of(stop)
    return TimeRange(
        start=start.astimezone(zone),
        stop=end.astimezone(zone),
        wall_start=wall_bound(start, of.zone),
        wall_stop=wall_bound(end, of.zone),
        of=of,
        ordinals=(first, stop),
    )


Bounds = Mapping[str, tuple[object, object]]
"""Lowest and highest value of columns, by folded name: times, dates or text."""


def partitions_within(
    bounds: Bounds, columns: Sequence[str], existing: PartitionSet
) -> PartitionSet:
    """Give the partitions that rows with values within bounds may belong to.

    Args:
        bounds: Of the rows; a column that is missing may have any value.
        columns: For each dimension its column.
        existing: No others are given.
    """
    definition = existing.definition
    box = []
    for column, of in zip(columns, definition.dimensions, strict=True):
        found = bounds.get(column.casefold())
        spans = None if found is None else _spans_within(*found, of)
        if spans is None and len(definition.dimensions) == 1:
            return existing
        box.append(spans)
    whole = [
        {pair for one in algebra.boxes(existing.spans) for pair in one[number]}
        for number in range(len(box))
    ]
    made = algebra.of_box(
        [
            sorted(whole[number]) if spans is None else [(a, b) for a, b, _below in spans]
            for number, spans in enumerate(box)
        ]
    )
    return PartitionSet(definition, made) & existing


def _spans_within(low: object, high: object, of: Dimension) -> algebra.Spans | None:
    """Give the partitions between two values of a column; nothing if that cannot be told."""
    if isinstance(of, TimePartitions):
        first, last = _instant(low, of.zone), _instant(high, of.zone, is_last=True)
        if first is None or last is None or last < first:
            return None
        return of.covering(first, last + _TICK)
    if isinstance(low, str) and low == high:
        return of.span_of(low) if of.knows(low) else algebra.EMPTY
    return None


def _instant(value: object, zone: str, *, is_last: bool = False) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else instant_of(value, zone_of(zone))
    if isinstance(value, date):
        wall = datetime.combine(value, time.max if is_last else time())
        return instant_of(wall, zone_of(zone))
    return None
