# SPDX-License-Identifier: Apache-2.0
"""Sets of partitions of one definition: algebra, text, ranges. Cheap for millions of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from mainstem.errors import InternalError, SelectionInvalid
from mainstem.graph.partition import spans as algebra
from mainstem.graph.partition.definition import (
    Dimension,
    Partitions,
    existing_spans,
    key_of,
    point_of,
)
from mainstem.graph.partition.names import DynamicPartitions
from mainstem.graph.partition.spans import EMPTY, Point, Spans
from mainstem.graph.partition.text import KeyRange, parse_items, quote_key
from mainstem.graph.partition.windows import TimePartitions
from mainstem.types import dataclass


@dataclass(frozen=True, slots=True)
class PartitionRange:
    """Neighbours: with several dimensions one text for each, such as `2013-01..2013-06|eu`."""

    text: str
    first: str
    """Key of the first partition."""
    last: str
    count: int


@dataclass(frozen=True, slots=True)
class PartitionSet:
    """Some partitions of an asset; operators as Python's sets have them."""

    definition: Partitions
    spans: Spans = EMPTY

    @classmethod
    def existing(cls, definition: Partitions, now: datetime) -> PartitionSet:
        """Give all partitions that there are at a moment."""
        return cls(definition, existing_spans(definition, now))

    @classmethod
    def of_keys(cls, definition: Partitions, keys: Iterable[str]) -> PartitionSet:
        """Give the set of some keys.

        Raises:
            SelectionInvalid: One of them is no key of these partitions.
        """
        return cls.of_points(definition, [point_of(definition, key) for key in keys])

    @classmethod
    def of_points(cls, definition: Partitions, points: Iterable[Point]) -> PartitionSet:
        """Give the set of some ordinals."""
        if len(definition.dimensions) == 1:
            return cls(definition, algebra.of_ordinals(point[0] for point in points))
        boxes = [algebra.of_box([[(at, at + 1)] for at in point]) for point in points]
        return cls(definition, algebra.union_of(boxes))

    @classmethod
    def parse(
        cls,
        text: str,
        definition: Partitions,
        *,
        within: PartitionSet | None = None,
        is_stored: bool = False,
    ) -> PartitionSet:
        """Read the text form: `2013-01..2013-06,2013-09`, `2013-05|eu`, `..2013-06|*`.

        Args:
            text: As written; a time may be of a coarser grain, `2013` for its months.
            definition: Whose partitions.
            within: What open ranges and `*` stand for; what is beyond it is left out. Without it
                these are refused.
            is_stored: Names that there are no more are left out.

        Raises:
            SelectionInvalid: It cannot be read, or names what is not there.
        """
        if not text.strip():
            return cls(definition)
        dimensions = definition.dimensions
        bounds = _bounds(within, len(dimensions)) if within is not None else None
        found = []
        for item in parse_items(text):
            if len(item) != len(dimensions):
                raise SelectionInvalid(
                    "A1084",
                    f"`{text}` has {len(item)} keys where partitions have {len(dimensions)} "
                    "dimensions.",
                    hint="Write one key, range or * for each: 2013-01..2013-06|eu.",
                )
            box = []
            for number, (ranges, dimension) in enumerate(zip(item, dimensions, strict=True)):
                own = bounds[number] if bounds is not None else None
                parts = [_spans_of(one, dimension, own, is_stored=is_stored) for one in ranges]
                spans = algebra.union_of(parts) if parts else _all(own, text)
                box.append([(first, stop) for first, stop, _below in spans])
            found.append(algebra.of_box(box))
        whole = cls(definition, algebra.union_of(found))
        return whole & within if within is not None and _is_open(text) else whole

    @property
    def count(self) -> int:
        """How many there are."""
        return algebra.count(self.spans)

    def __bool__(self) -> bool:
        return bool(self.spans)

    def __or__(self, other: PartitionSet) -> PartitionSet:
        if other.definition is not self.definition:
            self._require_same(other)
        spans = algebra.union(self.spans, other.spans)
        return self if spans is self.spans else PartitionSet(self.definition, spans)

    def __and__(self, other: PartitionSet) -> PartitionSet:
        if other.definition is not self.definition:
            self._require_same(other)
        spans = algebra.intersect(self.spans, other.spans)
        return self if spans is self.spans else PartitionSet(self.definition, spans)

    def __sub__(self, other: PartitionSet) -> PartitionSet:
        if other.definition is not self.definition:
            self._require_same(other)
        spans = algebra.minus(self.spans, other.spans)
        return self if spans is self.spans else PartitionSet(self.definition, spans)

    def __le__(self, other: PartitionSet) -> bool:
        return not self - other

    def __contains__(self, key: str) -> bool:
        return algebra.contains(self.spans, point_of(self.definition, key))

    def has(self, point: Point) -> bool:
        """Tell whether the partition of these ordinals is in it."""
        return algebra.contains(self.spans, point)

    def points(self) -> Iterator[Point]:
        """Enumerate ordinals, in order."""
        return algebra.points(self.spans)

    def __iter__(self) -> Iterator[str]:
        """Enumerate keys, in order."""
        return (key_of(self.definition, point) for point in self.points())

    def each(self) -> Iterator[PartitionSet]:
        """Enumerate as sets of one."""
        return (self.of_points(self.definition, [point]) for point in self.points())

    def last(self) -> PartitionSet:
        """Give the last one; of a product the last of its first dimension, with all beside it."""
        if not self.spans:
            return self
        _first, stop, below = self.spans[-1]
        return self._with(algebra.span(stop - 1, stop, below))

    def latest(self, lookback: timedelta = timedelta()) -> PartitionSet:
        """Give what is of the latest window of time, and of those that began so long before it.

        All, if no dimension is time; of several that are, the first decides.
        """
        for number, of in enumerate(self.definition.dimensions):
            if isinstance(of, TimePartitions) and self.spans:
                last = max(box[number][-1][1] for box in algebra.boxes(self.spans)) - 1
                first = of.ordinal_at(of.start_of(last) - lookback) if lookback else last
                kept = algebra.span(max(first, 0), last + 1)
                return self._with(
                    algebra.map_coordinates(self.spans, partial(_within, number=number, kept=kept))
                )
        return self

    def ranges(self, *, limit: int | None = None) -> tuple[PartitionRange, ...]:
        """Give the set as ranges of neighbours, first ones first."""
        return tuple(PartitionRange(*of) for of in islice(self._ranges(), limit))

    def text(self, *, is_stored: bool = False) -> str:
        """Give the text form, which `parse` reads.

        Args:
            is_stored: Name each static or dynamic partition, because their order may change.
        """
        if is_stored:
            return ",".join(self._items(is_stored=True))
        return ",".join(item for item, _first, _last, _size in self._ranges())

    def __str__(self) -> str:
        return self.text()

    def _with(self, spans: Spans) -> PartitionSet:
        return PartitionSet(self.definition, spans)

    def _require_same(self, other: PartitionSet) -> None:
        if other.definition != self.definition:
            raise InternalError(
                "A9060", "sets of different partitions were combined without a mapping."
            )

    def _ranges(self) -> Iterator[tuple[str, str, str, int]]:
        dimensions = self.definition.dimensions
        if len(dimensions) == 1:
            of = dimensions[0]
            for first, stop in _neighbours(self.spans, of):
                one, other = of.key(first), of.key(stop - 1)
                yield _range_text(of, first, stop), one, other, stop - first
            return
        for box in algebra.boxes(self.spans):
            spans = algebra.of_box(box)
            low = tuple(ranges[0][0] for ranges in box)
            high = tuple(ranges[-1][1] - 1 for ranges in box)
            yield (
                self._box_text(box, is_stored=False),
                key_of(self.definition, low),
                key_of(self.definition, high),
                algebra.count(spans),
            )

    def _items(self, *, is_stored: bool) -> Iterator[str]:
        for box in algebra.boxes(self.spans):
            if len(box) == 1:
                of = self.definition.dimensions[0]
                yield from _dimension_items(of, box[0], is_stored=is_stored)
            else:
                yield self._box_text(box, is_stored=is_stored)

    def _box_text(self, box: algebra.Box, *, is_stored: bool) -> str:
        parts = []
        for of, ranges in zip(self.definition.dimensions, box, strict=True):
            items = list(_dimension_items(of, ranges, is_stored=is_stored))
            parts.append(items[0] if len(items) == 1 else f"({','.join(items)})")
        return "|".join(parts)


def _within(depth: int, spans: Spans, *, number: int, kept: Spans) -> Spans:
    return algebra.intersect(spans, kept) if depth == number else spans


def _dimension_items(
    of: Dimension, ranges: Iterable[tuple[int, int]], *, is_stored: bool
) -> Iterator[str]:
    whole = tuple((first, stop, EMPTY) for first, stop in ranges)
    for first, stop in _neighbours(whole, of):
        if is_stored and not isinstance(of, TimePartitions):
            yield from (quote_key(of.key(at)) for at in range(first, stop))
        else:
            yield _range_text(of, first, stop)


def _neighbours(spans: Spans, of: Dimension) -> Iterator[tuple[int, int]]:
    """Give ranges of ordinals; for dynamic partitions over the gaps of removed ones too."""
    if not isinstance(of, DynamicPartitions):
        yield from ((first, stop) for first, stop, _below in spans)
        return
    for first, stop, _below in spans:
        yield from ((at, at + 1) for at in range(first, stop))


def _range_text(of: Dimension, first: int, stop: int) -> str:
    if stop - first == 1:
        return quote_key(of.key(first))
    return f"{quote_key(of.key(first))}..{quote_key(of.key(stop - 1))}"


def _bounds(within: PartitionSet, dimensions: int) -> list[Spans]:
    found: list[Spans] = [EMPTY] * dimensions
    for box in algebra.boxes(within.spans):
        for number, ranges in enumerate(box):
            own = tuple((first, stop, EMPTY) for first, stop in sorted(ranges))
            found[number] = algebra.union(found[number], own)
    return found


def _all(bound: Spans | None, text: str) -> Spans:
    if bound is None:
        raise _needs_bound(text)
    return bound


def _is_open(text: str) -> bool:
    return any(
        not ranges or any(one.first is None or one.last is None for one in ranges)
        for item in parse_items(text)
        for ranges in item
    )


def _spans_of(written: KeyRange, of: Dimension, bound: Spans | None, *, is_stored: bool) -> Spans:
    if written.first == written.last and written.first is not None:
        if is_stored and not isinstance(of, TimePartitions) and not of.knows(written.first):
            return EMPTY
        return of.span_of(written.first)
    if isinstance(of, DynamicPartitions):
        raise SelectionInvalid(
            "A1084",
            f"Partitions of `{of.name}` have no order, so there are no ranges of them.",
            hint="Name them, with commas between.",
        )
    if bound is None and (written.first is None or written.last is None):
        raise _needs_bound(f"{written.first or ''}..{written.last or ''}")
    first = of.span_of(written.first)[0][0] if written.first is not None else None
    last = of.span_of(written.last)[-1][1] if written.last is not None else None
    if first is None:
        first = bound[0][0] if bound else 0
    if last is None:
        last = bound[-1][1] if bound else first
    if last <= first and written.first is not None and written.last is not None:
        raise SelectionInvalid(
            "A1084",
            f"`{written.first}..{written.last}` ends before it begins.",
            hint=f"Write {written.last}..{written.first}.",
        )
    return algebra.span(first, last)


def _needs_bound(text: str) -> SelectionInvalid:
    return SelectionInvalid(
        "A1084",
        f"`{text}` is open, and here nothing says what partitions there are.",
        hint="Write both ends of the range.",
    )
