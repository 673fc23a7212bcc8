# SPDX-License-Identifier: Apache-2.0
"""Which partitions of an input a partition reads, and which partitions read one of an input.

Both directions are operations on sets, whose cost grows with ranges and not with partitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Dictionary
from typing import Literal

from mainstem.errors import ModelInvalid
from mainstem.graph.partition import spans as algebra
from mainstem.graph.partition.definition import Dimension, Partitions, ProductPartitions
from mainstem.graph.partition.names import DynamicPartitions, StaticPartitions
from mainstem.graph.partition.partition_set import PartitionSet
from mainstem.graph.partition.spans import EMPTY, Spans
from mainstem.graph.partition.windows import TimePartitions
from mainstem.types import dataclass, did_you_mean

MappingKind = Literal["overlap", "same", "last", "window", "all", "static"]
MAPPINGS = ("identity", "last", "all", "window", "trailing", "static")


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingRule:
    """How a dimension of an asset relates to one of its input, as declared or inferred."""

    kind: MappingKind = "same"
    """overlap: windows of time that share a moment; same: equal names."""
    first: int = 0
    """For `window`: offset of the first partition that is read, mostly negative."""
    last: int = 0
    names: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """For `static`: names of the asset, each with the names of the input that it reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionMapping:
    """From the partitions of an asset, `down`, to those of its input, `up`, and back.

    `pairs` relates dimensions: for each of `up` the number of the dimension of `down` with its
    rule, or nothing if every partition of that dimension is read.
    """

    down: Partitions
    up: Partitions
    pairs: tuple[tuple[int, MappingRule] | None, ...]

    def upstream(self, some: PartitionSet, existing: PartitionSet) -> PartitionSet:
        """Give the partitions of the input that a set of the asset's reads.

        Args:
            some: Of the asset.
            existing: Partitions that the input has by now; no others are given.
        """
        bounds = _bounds(existing)
        found = []
        for box in algebra.boxes(some.spans):
            made = [
                bounds[up]
                if pair is None
                else self._up(pair, up, _as_spans(box[pair[0]]), bounds[up])
                for up, pair in enumerate(self.pairs)
            ]
            found.append(_box(made))
        return PartitionSet(self.up, algebra.union_of(found)) & existing

    def downstream(
        self, some: PartitionSet, existing: PartitionSet, inputs: PartitionSet
    ) -> PartitionSet:
        """Give the partitions of the asset that read any of a set of the input's.

        Args:
            some: Of the input.
            existing: Partitions that the asset has by now; no others are given.
            inputs: Partitions that the input has by now: they tell which is the last.
        """
        if self._is_plain():
            return PartitionSet(existing.definition, some.spans) & existing
        bounds, lasts = _bounds(existing), _bounds(inputs)
        found = []
        for box in algebra.boxes(some.spans):
            made = list(bounds)
            for up, pair in enumerate(self.pairs):
                if pair is not None:
                    below = self._down(pair, up, _as_spans(box[up]), lasts[up])
                    number = pair[0]
                    made[number] = (
                        made[number] if below is None else algebra.intersect(made[number], below)
                    )
            found.append(_box(made))
        return PartitionSet(self.down, algebra.union_of(found)) & existing

    def _is_plain(self) -> bool:
        """Whether each partition reads the one of the same ordinal."""
        if len(self.pairs) != 1 or self.pairs[0] is None:
            return False
        kind = self.pairs[0][1].kind
        return kind in {"overlap", "same"} and (self.down is self.up or self.down == self.up)

    def _up(self, pair: tuple[int, MappingRule], up: int, given: Spans, bound: Spans) -> Spans:
        number, rule = pair
        of, other = self.down.dimensions[number], self.up.dimensions[up]
        match rule.kind:
            case "all":
                return bound
            case "last":
                return _last(bound)
            case "window":
                return _shifted(_related(given, of, other), rule.first, rule.last)
            case "static":
                return _named(given, of, other, dict(rule.names))
            case "overlap" | "same":
                return _related(given, of, other)

    def _down(
        self, pair: tuple[int, MappingRule], up: int, given: Spans, bound: Spans
    ) -> Spans | None:
        """Give the partitions of a dimension that read some of an input's; `None`: all."""
        number, rule = pair
        of, other = self.down.dimensions[number], self.up.dimensions[up]
        match rule.kind:
            case "all":
                return None
            case "last":
                return None if algebra.intersect(given, _last(bound)) else EMPTY
            case "window":
                return _related(_shifted(given, -rule.last, -rule.first), other, of)
            case "static":
                return _named(given, other, of, _reversed(dict(rule.names)))
            case "overlap" | "same":
                return _related(given, other, of)


def infer_mapping(
    down: Partitions, up: Partitions, declared: MappingRule | Dictionary[str, MappingRule] | None
) -> PartitionMapping:
    """Relate the partitions of an asset to those of an input.

    Times relate by the moments they share, whatever their grains; lists by equal names; dimensions
    of products by their own names, or by kind if one side has but one. What has no counterpart is
    read whole.

    Args:
        down: Of the asset.
        up: Of the input.
        declared: One rule for all dimensions that relate, or rules by the input's dimension.
    """
    pairs: list[tuple[int, MappingRule] | None] = []
    for number, other in enumerate(up.dimensions):
        name = up.names[number] if isinstance(up, ProductPartitions) else ""
        rule = declared.get(name) if isinstance(declared, Dictionary) else declared
        at = _counterpart(down, other, name)
        if at is None and rule is not None and len(down.dimensions) == 1:
            at = 0
        if at is None:
            pairs.append(None)
            continue
        pairs.append((at, rule or _inferred(down.dimensions[at], other)))
    return PartitionMapping(down=down, up=up, pairs=tuple(pairs))


def read_rule(written: object, *, name: str) -> MappingRule:
    """Read a declared mapping: `last`, `{trailing: 3}`, `{window: [-1, 0]}`, `{static: {a: b}}`.

    Raises:
        ModelInvalid: It is none of these (A2065).
    """
    if written in ("last", "all"):
        return MappingRule(kind=written)
    if written == "identity":
        return MappingRule(kind="window")
    if isinstance(written, Dictionary) and len(written) == 1:
        ((kind, value),) = written.items()
        if kind == "trailing" and _is_whole(value) and value > 0:
            return MappingRule(kind="window", first=1 - value)
        if kind == "window" and isinstance(value, list | tuple) and len(value) == 2:
            first, last = value
            if _is_whole(first) and _is_whole(last) and first <= last:
                return MappingRule(kind="window", first=first, last=last)
        if kind == "static" and isinstance(value, Dictionary) and value:
            pairs = tuple((str(key), _names_in(names)) for key, names in value.items())
            return MappingRule(kind="static", names=pairs)
    text = str(written)
    raise ModelInvalid(
        "A2065",
        f"`{text}` is not how partitions of {name} can be mapped.",
        hint=did_you_mean(text, MAPPINGS)
        or "Known: identity, last, all, {trailing: 3}, {window: [-1, 0]}, {static: {a: [b, c]}}.",
        known=MAPPINGS,
    )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _names_in(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else (str(value),)


def _counterpart(down: Partitions, other: Dimension, name: str) -> int | None:
    if isinstance(down, ProductPartitions):
        if name and name in down.names:
            return down.names.index(name)
        if name:
            return None
    fitting = [at for at, of in enumerate(down.dimensions) if _relates(of, other)]
    return fitting[0] if len(fitting) == 1 else None


def _relates(of: Dimension, other: Dimension) -> bool:
    if isinstance(of, TimePartitions) or isinstance(other, TimePartitions):
        return isinstance(of, TimePartitions) and isinstance(other, TimePartitions)
    if isinstance(of, DynamicPartitions) and isinstance(other, DynamicPartitions):
        return of.name == other.name
    if isinstance(of, StaticPartitions) and isinstance(other, StaticPartitions):
        return not set(of.names).isdisjoint(other.names)
    return False


def _inferred(of: Dimension, other: Dimension) -> MappingRule:
    is_time = isinstance(of, TimePartitions) and isinstance(other, TimePartitions)
    return MappingRule(kind="overlap" if is_time else "same")


def _as_spans(ranges: tuple[tuple[int, int], ...]) -> Spans:
    return tuple((first, stop, EMPTY) for first, stop in ranges)


def _bounds(existing: PartitionSet) -> tuple[Spans, ...]:
    found: list[Spans] = [EMPTY for _ in existing.definition.dimensions]
    for box in algebra.boxes(existing.spans):
        for number, ranges in enumerate(box):
            found[number] = algebra.union(found[number], _as_spans(ranges))
    return tuple(found)


def _last(spans: Spans) -> Spans:
    return algebra.span(spans[-1][1] - 1, spans[-1][1]) if spans else EMPTY


def _shifted(given: Spans, first: int, last: int) -> Spans:
    return algebra.union_of(
        algebra.span(max(start + first, 0), stop + last) for start, stop, _below in given
    )


def _related(given: Spans, of: Dimension, other: Dimension) -> Spans:
    """Give the partitions of another dimension that share moments, or names."""
    if of == other:
        return given
    if not isinstance(of, TimePartitions) or not isinstance(other, TimePartitions):
        return _ordinals(other, (of.key(at) for (at,) in algebra.points(given)))
    if of.shape() == other.shape() and of.start == other.start:
        return given
    return algebra.union_of(
        other.covering(of.start_of(first), of.start_of(stop)) for first, stop, _below in given
    )


def _named(
    given: Spans, of: Dimension, other: Dimension, names: Dictionary[str, tuple[str, ...]]
) -> Spans:
    keys = [of.key(at) for (at,) in algebra.points(given)]
    return _ordinals(other, (name for key in keys for name in names.get(key, ())))


def _reversed(names: Dictionary[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for key, others in names.items():
        for other in others:
            found.setdefault(other, []).append(key)
    return {other: tuple(keys) for other, keys in found.items()}


def _ordinals(of: Dimension, keys: Iterable[str]) -> Spans:
    """Give the partitions of those names that there are."""
    assert not isinstance(of, TimePartitions), "times are told by windows"
    known = {of.key(at): at for (at,) in algebra.points(of.existing())}
    return algebra.of_ordinals(known[key] for key in keys if key in known)


def _box(made: Sequence[Spans]) -> Spans:
    return algebra.of_box([[(first, stop) for first, stop, _below in spans] for spans in made])
