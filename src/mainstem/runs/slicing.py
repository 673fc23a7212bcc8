# SPDX-License-Identifier: Apache-2.0
"""What one step of a partitioned asset builds and may read: a slice of it and of its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import datetime

from mainstem.graph import (
    Asset,
    PartitionSet,
    RowRule,
    TimePartitions,
    mapping_to,
    row_rule,
)
from mainstem.types import AssetKey, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionSlice:
    """Partitions that one step builds together; mostly one."""

    some: PartitionSet
    rows: RowRule
    """Rows of the asset that belong to them."""
    reads: Mapping[AssetKey, RowRule] = field(default_factory=dict)
    """Rows of inputs; of an input that is not here all are read."""
    starts_over: bool = False
    """Nothing of the table stays in this run: its columns may be others."""

    @property
    def text(self) -> str:
        """The partitions as text; the key if it is one."""
        return self.some.text()

    @property
    def keys(self) -> tuple[str, ...]:
        """Key of each partition."""
        return tuple(self.some)

    @property
    def window(self) -> tuple[datetime, datetime] | None:
        """From the first one's start to the last one's end; nothing without a time dimension."""
        for number, of in enumerate(self.some.definition.dimensions):
            if isinstance(of, TimePartitions):
                ordinals = [point[number] for point in self.some.points()]
                return of.window(min(ordinals))[0], of.window(max(ordinals))[1]
        return None

    @property
    def grains(self) -> tuple[str, ...]:
        """Of each dimension; empty for names."""
        dimensions = self.some.definition.dimensions
        return tuple(of.grain if isinstance(of, TimePartitions) else "" for of in dimensions)


def slice_of(
    asset: Asset,
    some: PartitionSet,
    assets: Mapping[AssetKey, Asset],
    *,
    now: datetime,
    starts_over: bool,
) -> PartitionSlice:
    """Say what a step that builds some partitions may read."""
    assert asset.partitions is not None, "only partitioned assets are built in slices"
    reads: dict[AssetKey, RowRule] = {}
    for key in asset.inputs:
        source = assets.get(key)
        mapping = mapping_to(asset, key, source)
        if mapping is None:
            continue
        if source is not None and source.partitions is not None:
            columns = source.partitions.columns
            existing = PartitionSet.existing(source.partitions.definition, now)
        else:
            # As if it had the asset's own partitions, by the columns of the same names.
            columns = asset.partitions.columns
            existing = PartitionSet.existing(some.definition, now) | some
        reads[key] = row_rule(mapping.upstream(some, existing), columns)
    return PartitionSlice(
        some=some,
        rows=row_rule(some, asset.partitions.columns),
        reads=reads,
        starts_over=starts_over,
    )


def batches(some: PartitionSet, size: int) -> Iterator[PartitionSet]:
    """Divide a set into what one step builds: neighbours of one dimension, at most so many.

    Batches end where they always end, counted from the first partition there can be: what was
    built together is replaced together, and shares files with nothing else.

    Args:
        some: What is to be built.
        size: 0: all of it together.
    """
    if not size:
        yield some
    elif size == 1 or len(some.definition.dimensions) > 1:
        yield from some.each()
    else:
        for first, stop, _below in some.spans:
            for at in range(first - first % size, stop, size):
                points = [(number,) for number in range(max(at, first), min(at + size, stop))]
                yield PartitionSet.of_points(some.definition, points)
