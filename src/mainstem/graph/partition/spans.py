# SPDX-License-Identifier: Apache-2.0
"""Run-length sets of points with N whole coordinates: the algebra under partition sets.

A set is a sorted tuple of spans `(first, stop, below)`: each coordinate from `first` up to, but
without, `stop` is combined with the set `below` of the remaining coordinates, which is empty for
the last one. Spans never touch if they are equal below, so equal sets are equal tuples: a million
hours are one span, and so is a million of days times regions. Only `points` enumerates.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Literal

Spans = tuple[tuple[int, int, Any], ...]
"""`Any`: again `Spans`; mypy knows no recursive tuples."""
Point = tuple[int, ...]
Box = tuple[tuple[tuple[int, int], ...], ...]
"""For each coordinate the ranges `(first, stop)` it may be in."""

EMPTY: Spans = ()
_first = itemgetter(0)


def span(first: int, stop: int, below: Spans = EMPTY) -> Spans:
    """Give one span, or the empty set."""
    return ((first, stop, below),) if stop > first else EMPTY


def of_ordinals(ordinals: Iterable[int]) -> Spans:
    """Give a set with one coordinate from its points, in any order."""
    found: list[tuple[int, int, Any]] = []
    for ordinal in sorted(ordinals):
        _extend(found, ordinal, ordinal + 1, EMPTY)
    return tuple(found)


def of_box(box: Sequence[Sequence[tuple[int, int]]]) -> Spans:
    """Give the product of one set of ranges for each coordinate."""
    found = EMPTY
    for number, ranges in enumerate(reversed(box)):
        if number and not found:
            return EMPTY
        level: list[tuple[int, int, Any]] = []
        for first, stop in sorted(ranges):
            _extend(level, first, stop, found)
        found = tuple(level)
    return found


def union(left: Spans, right: Spans) -> Spans:
    """Give what is in either set; the set itself if it has all of the other."""
    if not left or not right or left == right:
        return left or right
    if left[0][2]:
        return _merge(left, right, "union")
    if len(right) == 1:
        return _joined(left, *right[0])
    return _joined(right, *left[0]) if len(left) == 1 else _merge(left, right, "union")


def intersect(left: Spans, right: Spans) -> Spans:
    """Give what is in both sets; the set itself if all of it is."""
    if not left or not right:
        return EMPTY
    if left == right:
        return left
    if left[0][2]:
        return _merge(left, right, "intersect")
    if len(right) == 1:
        return _clipped(left, *right[0])
    return _clipped(right, *left[0]) if len(left) == 1 else _merge(left, right, "intersect")


def minus(left: Spans, right: Spans) -> Spans:
    """Give what is in the first set only; the set itself if it shares nothing with the other."""
    if not left or not right:
        return left
    if left == right:
        return EMPTY
    if not left[0][2] and (len(left) == 1 or len(right) == 1):
        # Mostly one of them is small, and what it does not reach stays as it is.
        right = _clipped(right, left[0][0], left[-1][1], EMPTY)
        if not right:
            return left
        if len(right) == 1:
            return _without(left, *right[0])
    return _merge(left, right, "minus")


def union_of(sets: Iterable[Spans]) -> Spans:
    """Give what is in any of many sets."""
    level = [spans for spans in sets if spans]
    if level and not level[0][0][2]:
        # One coordinate: sort all spans and join what touches.
        found: list[tuple[int, int, Any]] = []
        for first, stop, _below in sorted(one for spans in level for one in spans):
            _extend(found, first, stop, EMPTY)
        return tuple(found)
    while len(level) > 1:
        # Neighbours first: each span is looked at a few times, not once for every set.
        level = [
            union(level[at], level[at + 1]) if at + 1 < len(level) else level[at]
            for at in range(0, len(level), 2)
        ]
    return level[0] if level else EMPTY


def count(spans: Spans) -> int:
    """Give the number of points."""
    return sum((stop - first) * (count(below) if below else 1) for first, stop, below in spans)


def contains(spans: Spans, point: Point) -> bool:
    """Tell whether a point is in the set; O(log n) for each coordinate."""
    for value in point:
        index = bisect_right(spans, value, key=_first) - 1
        if index < 0 or value >= spans[index][1]:
            return False
        spans = spans[index][2]
    return True


def points(spans: Spans) -> Iterator[Point]:
    """Enumerate, in order."""
    for first, stop, below in spans:
        for value in range(first, stop):
            if below:
                for rest in points(below):
                    yield (value, *rest)
            else:
                yield (value,)


def boxes(spans: Spans) -> Iterator[Box]:
    """Give the set as disjoint products, few of them."""
    grouped: dict[Spans, list[tuple[int, int]]] = {}
    for first, stop, below in spans:
        grouped.setdefault(below, []).append((first, stop))
    for below, ranges in grouped.items():
        if below:
            for rest in boxes(below):
                yield (tuple(ranges), *rest)
        else:
            yield (tuple(ranges),)


def map_coordinates(spans: Spans, change: Callable[[int, Spans], Spans], depth: int = 0) -> Spans:
    """Give the union of the set's boxes with each coordinate's ranges changed.

    Args:
        spans: The set.
        change: Takes the number of a coordinate and its ranges as a set, and gives others.
        depth: Number of the first coordinate.
    """
    grouped: dict[Spans, list[tuple[int, int, Any]]] = {}
    for first, stop, below in spans:
        grouped.setdefault(below, []).append((first, stop, EMPTY))
    parts = []
    for below, ranges in grouped.items():
        changed = change(depth, tuple(ranges))
        if not below:
            parts.append(changed)
            continue
        rest = map_coordinates(below, change, depth + 1)
        if rest:
            parts.append(tuple((first, stop, rest) for first, stop, _none in changed))
    return union_of(parts)


def _reach(spans: Spans, first: int, stop: int) -> tuple[int, int]:
    """Give which spans, from and up to, overlap a stretch of one coordinate."""
    start = bisect_right(spans, first, key=_first)
    if start and spans[start - 1][1] > first:
        start -= 1
    return start, bisect_left(spans, stop, key=_first)


def _clipped(spans: Spans, first: int, stop: int, _below: Any) -> Spans:
    if first <= spans[0][0] and spans[-1][1] <= stop:
        return spans
    start, end = _reach(spans, first, stop)
    if start >= end:
        return EMPTY
    if start + 1 == end:
        one = spans[start]
        return ((max(one[0], first), min(one[1], stop), EMPTY),)
    low, high = spans[start], spans[end - 1]
    return (
        (max(low[0], first), low[1], EMPTY),
        *spans[start + 1 : end - 1],
        (high[0], min(high[1], stop), EMPTY),
    )


def _without(spans: Spans, first: int, stop: int, _below: Any) -> Spans:
    start, end = _reach(spans, first, stop)
    if start >= end:
        return spans
    low, high = spans[start][0], spans[end - 1][1]
    return (
        *spans[:start],
        *span(low, first),
        *span(stop, high),
        *spans[end:],
    )


def _joined(spans: Spans, first: int, stop: int, _below: Any) -> Spans:
    start, end = _reach(spans, first - 1, stop + 1)  # what touches is one with it
    if start >= end:
        return (*spans[:start], (first, stop, EMPTY), *spans[start:])
    low, high = spans[start][0], spans[end - 1][1]
    if start + 1 == end and low <= first and stop <= high:
        return spans
    return (*spans[:start], (min(low, first), max(high, stop), EMPTY), *spans[end:])


def _extend(found: list[tuple[int, int, Any]], first: int, stop: int, below: Any) -> None:
    """Add a span that starts at or after the start of the last one."""
    if stop <= first:
        return
    if found:
        before, end, same = found[-1]
        if end >= first and same == below:
            found[-1] = (before, max(end, stop), below)
            return
    found.append((first, stop, below))


def _merge(left: Spans, right: Spans, operation: Literal["union", "intersect", "minus"]) -> Spans:
    """Sweep over both sets at once, from boundary to boundary."""
    found: list[tuple[int, int, Any]] = []
    keeps_left, keeps_right = operation != "intersect", operation == "union"
    i = j = 0
    at = min(left[0][0], right[0][0])
    while i < len(left) or j < len(right):
        in_left = i < len(left) and left[i][0] <= at
        in_right = j < len(right) and right[j][0] <= at
        ends = []
        if i < len(left):
            ends.append(left[i][1] if in_left else left[i][0])
        if j < len(right):
            ends.append(right[j][1] if in_right else right[j][0])
        stop = min(ends)
        if in_left and in_right:
            below_left, below_right = left[i][2], right[j][2]
            if below_left:
                below = _merge(below_left, below_right, operation)
                if below:
                    _extend(found, at, stop, below)
            elif operation != "minus":
                _extend(found, at, stop, EMPTY)
        elif in_left and keeps_left:
            _extend(found, at, stop, left[i][2])
        elif in_right and keeps_right:
            _extend(found, at, stop, right[j][2])
        at = stop
        if i < len(left) and left[i][1] <= at:
            i += 1
        if j < len(right) and right[j][1] <= at:
            j += 1
    return tuple(found)
