# SPDX-License-Identifier: Apache-2.0
"""What a backfill does next: pure, over sets of partitions, never over all of them one by one.

No barrier between chunks or assets: a partition may start as soon as all that it reads within the
backfill is done. One that reads a failed one is stuck until that is retried.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

from mainstem.graph import PartitionMapping, PartitionSet
from mainstem.types import AssetKey

Order = Literal["oldest", "newest"]

_UNMEASURED = 8
"""Partitions of a first chunk, before anybody knows how long they take."""
_MOST = 500
"""Partitions of a chunk, rounded up to batches: what a kill may lose the knowledge of, and a cancel
must wait for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An input of an asset that the same backfill builds."""

    key: AssetKey
    mapping: PartitionMapping
    existing: PartitionSet
    """Partitions that the input has by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetWork:
    """One asset of a backfill, and how far it is."""

    key: AssetKey
    target: PartitionSet
    done: PartitionSet
    failed: PartitionSet
    flying: PartitionSet
    """In launches that have not ended."""
    existing: PartitionSet
    """Partitions that the asset has by now."""
    batch: int = 1
    """Neighbours that one step builds together; 0: as many as there are."""
    reads: tuple[Reading, ...] = ()
    measured_s: float = 0.0
    """Seconds that launches took for `measured_count` partitions."""
    measured_count: int = 0

    @property
    def left(self) -> PartitionSet:
        """What has neither been done nor failed."""
        return self.target - self.done - self.failed

    @property
    def seconds_each(self) -> float | None:
        """Seconds per partition, as far as they are known."""
        return self.measured_s / self.measured_count if self.measured_count else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Partitions of one asset for one launch."""

    key: AssetKey
    some: PartitionSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a backfill may go about its work; may be changed while it goes on."""

    parallel: int = 2
    """Steps at once in a launch, and launches at once if it has several assets."""
    chunk: int = 0
    """Partitions per launch; 0: as many as take about `aim_s`."""
    order: Order = "oldest"
    aim_s: float = 30.0
    """Long launches hold slots that fresh work waits for, short ones cost their overhead."""


Works = Mapping[AssetKey, AssetWork]
"""In building order."""


def ready(work: AssetWork, works: Works) -> PartitionSet:
    """Give the partitions that can start now: all that they read in this backfill is done."""
    left = work.left - work.flying
    for reading in work.reads:
        source = works[reading.key]
        left -= _readers(work, reading, source.target - source.done)
    return left


def stuck(works: Works) -> dict[AssetKey, PartitionSet]:
    """Give what cannot start because something that it reads failed, or is stuck itself."""
    found: dict[AssetKey, PartitionSet] = {}
    for key, work in works.items():
        held = work.target - work.target
        for reading in work.reads:
            bad = works[reading.key].failed | found[reading.key]
            held |= _readers(work, reading, bad)
        found[key] = held & (work.left - work.flying)
    return found


def next_chunks(works: Works, pace: Pace, *, flying: int) -> list[Chunk]:
    """Choose what to launch now.

    One launch an asset, since a run holds the asset's lease: partitions are built side by side
    within it. Assets further down go first, so that whole windows become ready early.

    Args:
        works: All assets, in building order.
        pace: How many at once, how large, which first.
        flying: Launches that have not ended.
    """
    free = pace.parallel - flying
    chunks: list[Chunk] = []
    for key in reversed(list(works)):
        if len(chunks) >= free:
            break
        work = works[key]
        waiting = ready(work, works)
        if waiting and not work.flying:
            some = take(waiting, _size(work, pace), pace.order)
            chunks.append(Chunk(key=key, some=_whole_batches(some, waiting, work.batch)))
    return chunks


def take(some: PartitionSet, count: int, order: Order) -> PartitionSet:
    """Give the first or last partitions of a set; the set may be of millions."""
    if some.count <= count:
        return some
    if order == "oldest":
        return PartitionSet.of_points(some.definition, islice(some.points(), count))
    found, rest = some - some, some
    while found.count < count:
        # Of a product the last is a slice with all that is beside it.
        last = rest.last()
        rest -= last
        lacking = count - found.count
        if last.count > lacking:
            points = list(last.points())[-lacking:]
            last = PartitionSet.of_points(some.definition, points)
        found |= last
    return found


def fly(work: AssetWork, some: PartitionSet) -> AssetWork:
    """Note that partitions were launched."""
    return replace(work, flying=work.flying | some)


def settle(
    work: AssetWork,
    some: PartitionSet,
    *,
    done: PartitionSet,
    failed: PartitionSet,
    took_s: float = 0.0,
) -> AssetWork:
    """Note how a launch ended: what it says nothing of is to be done again.

    Args:
        work: The asset.
        some: Partitions of the launch.
        done: Those that came through.
        failed: Those that did not.
        took_s: Seconds that it took.
    """
    good = some & done & work.target
    bad = (some & failed & work.target) - good
    counted = good.count
    return replace(
        work,
        flying=work.flying - some,
        done=work.done | good,
        failed=(work.failed | bad) - good,
        measured_s=work.measured_s + (took_s if counted else 0.0),
        measured_count=work.measured_count + counted,
    )


def retried(work: AssetWork) -> AssetWork:
    """Let what failed be done again."""
    return replace(work, failed=work.failed - work.failed)


def is_over(works: Works, *, flying: int) -> bool:
    """Tell whether nothing runs and nothing can start any more."""
    return flying == 0 and not any(ready(work, works) for work in works.values())


def seconds_left(works: Works, pace: Pace) -> float | None:
    """Estimate how long the rest takes; nothing before anything was measured."""
    known = [work.seconds_each for work in works.values() if work.seconds_each is not None]
    if not known:
        return None
    usual = sum(known) / len(known)
    held = stuck(works)
    total = sum(
        (work.left - held[key]).count * (usual if work.seconds_each is None else work.seconds_each)
        for key, work in works.items()
    )
    busy = sum(1 for key, work in works.items() if work.left - held[key])
    return total / max(1, min(pace.parallel, busy))


def _readers(work: AssetWork, reading: Reading, some: PartitionSet) -> PartitionSet:
    if not some:
        return work.target - work.target
    return reading.mapping.downstream(some, work.existing | work.target, reading.existing | some)


def _size(work: AssetWork, pace: Pace) -> int:
    if pace.chunk:
        return pace.chunk
    each = work.seconds_each
    size = max(_UNMEASURED, pace.parallel) if each is None else int(pace.aim_s / max(each, 0.001))
    size = max(1, min(size, _MOST))
    return -(-size // work.batch) * work.batch if work.batch > 1 else size


def _whole_batches(some: PartitionSet, waiting: PartitionSet, batch: int) -> PartitionSet:
    """Leave out what would be built apart from the rest of its batch (`runs.slicing.batches`)."""
    if batch <= 1 or len(some.definition.dimensions) > 1:
        return some
    first, last = some.spans[0][0], some.spans[-1][1] - 1
    for at in {first // batch, last // batch}:
        points = [(number,) for number in range(at * batch, (at + 1) * batch)]
        group = PartitionSet.of_points(some.definition, points)
        is_torn = not group & waiting <= some
        if is_torn and some - group:
            some -= group
    return some
