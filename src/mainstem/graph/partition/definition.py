# SPDX-License-Identifier: Apache-2.0
"""What partitions an asset may have: of one dimension, or the product of several."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mainstem.errors import ModelInvalid
from mainstem.graph.partition.names import DynamicPartitions, StaticPartitions
from mainstem.graph.partition.spans import Point, Spans, of_box
from mainstem.graph.partition.text import join_key, split_key
from mainstem.graph.partition.windows import TimePartitions
from mainstem.types import dataclass

Dimension = TimePartitions | StaticPartitions | DynamicPartitions


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductPartitions:
    """Every combination of one partition of each dimension."""

    names: tuple[str, ...]
    dimensions: tuple[Dimension, ...]

    def shape(self) -> str:
        """Give what decides which rows are in which partition."""
        pairs = zip(self.names, self.dimensions, strict=True)
        return " x ".join(f"{name}: {of.shape()}" for name, of in pairs)


Partitions = Dimension | ProductPartitions


def product_partitions(dimensions: Sequence[tuple[str, Dimension]]) -> ProductPartitions:
    """Define the product of named dimensions.

    Raises:
        ModelInvalid: There are fewer than two, or two of one name (A2064).
    """
    names = tuple(name for name, _of in dimensions)
    if len(names) < 2 or len(set(names)) != len(names):
        raise ModelInvalid(
            "A2064",
            "A product of partitions needs at least two dimensions of different names.",
            hint="partitions: {month: {by: month, start: 2013-01-01}, region: {static: [eu, us]}}",
        )
    return ProductPartitions(names=names, dimensions=tuple(of for _name, of in dimensions))


def existing_spans(definition: Partitions, now: datetime) -> Spans:
    """Give the partitions that there are at a moment, as spans of ordinals."""
    return of_box(
        [
            [(first, stop) for first, stop, _below in dimension.existing(now)]
            for dimension in definition.dimensions
        ]
    )


def key_of(definition: Partitions, point: Point) -> str:
    """Give the text form of one partition's key."""
    keys = [of.key(at) for of, at in zip(definition.dimensions, point, strict=True)]
    return keys[0] if len(keys) == 1 else join_key(keys)


def point_of(definition: Partitions, key: str) -> Point:
    """Give the ordinals of a key.

    Raises:
        SelectionInvalid: It is no key of these partitions.
    """
    dimensions = definition.dimensions
    parts = split_key(key, len(dimensions))
    return tuple(of.ordinal(part) for of, part in zip(dimensions, parts, strict=True))
