# SPDX-License-Identifier: Apache-2.0
"""Why one partition of an asset was built, or was not: told from what is stored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from mainstem import state
from mainstem.automation import ticks
from mainstem.database import Transaction
from mainstem.errors import SelectionInvalid
from mainstem.graph import (
    Asset,
    PartitionSet,
    PartsDecision,
    TimePartitions,
    mapping_to,
    parts_of,
    union_of_parts,
)
from mainstem.project.why import Fact, Seen, Why, ahead_of, gone, launch_names, trigger_of
from mainstem.types import AssetKey, dataclass

_TICKS = 500
_READ_RANGES = 5
_WELL = frozenset({"built", "linked", "unchanged"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionInquiry:
    """One partition, and what the plan of today says about those of its asset."""

    asset: Asset
    one: PartitionSet
    decision: PartsDecision
    seen: Seen

    @property
    def key(self) -> AssetKey:
        """Of the asset."""
        return self.asset.key

    def is_in(self, text: str) -> bool:
        """Tell whether it is among partitions that were written down."""
        definition = self.one.definition
        try:
            some = PartitionSet.parse(
                text, definition, within=self.decision.existing, is_stored=True
            )
        except SelectionInvalid:
            return False  # keys of other partitions than the asset has today
        return self.one <= some

    def is_wanted(self, launch: state.Launch) -> bool:
        """Tell whether a launch that names the asset wants it: all partitions, if it names none."""
        wanted = {name.casefold(): text for name, text in launch.request.partitions.items()}
        text = wanted.get(self.key.folded, wanted.get("*", ""))
        return not text or self.is_in(text)


def read_partition(text: str, asset: Asset) -> PartitionSet:
    """Read the key of one partition of an asset, whether it exists or not.

    Raises:
        SelectionInvalid: The asset has no partitions (A1086), or that is no key of one.
    """
    if asset.partitions is None:
        raise SelectionInvalid(
            "A1086",
            f"{asset.key} has no partitions, so it has no `{text}`.",
            hint=f"Ask for all of it: mainstem why {asset.key}.",
        )
    return PartitionSet.of_keys(asset.partitions.definition, [text])


def why_partition(transaction: Transaction, asked: PartitionInquiry) -> Why:
    """Tell why a partition was built last, or was not, and what may build it next."""
    return Why(
        asset=asked.key,
        branch=asked.seen.branch,
        partition=asked.one.text(),
        last=tuple(_last(transaction, asked)),
        next=tuple(_next(transaction, asked)),
    )


def _last(transaction: Transaction, asked: PartitionInquiry) -> Iterator[Fact]:
    branch = asked.seen.branch
    found = state.last_partition_step(transaction, asked.key, branch, asked.is_in)
    last = None if found is None else state.run_of(transaction, found[0])
    yield from gone(transaction, asked.key, asked.seen, last, asked.is_wanted)
    if found is None:
        yield Fact(kind="run", text=f"no run on {branch} has had to do with it")
        yield from _became_true(transaction, asked)
        return
    run_id, step = found
    together = "" if step.partitions == asked.one.text() else f", together: {step.partitions}"
    yield Fact(
        kind="step",
        text=f"{step.status} in run {run_id}{together}"
        + (f": {step.reason}" if step.reason else ""),
        run_id=run_id,
        at=step.finished_at or step.started_at,
    )
    if step.status in _WELL:
        yield from _came_from(asked, run_id)
    elif step.error is not None:
        summary = str(step.error.get("summary", ""))
        yield Fact(kind="error", text=f"it failed: {summary}", run_id=run_id)
    for failure in _failures(transaction, asked):
        if failure.run_id == run_id and failure.status == "held":
            yield Fact(kind="check", text=f"held by its checks: {failure.reason}", run_id=run_id)
    if last is not None:
        yield trigger_of(transaction, asked.key, last)
    yield from _became_true(transaction, asked)


def _came_from(asked: PartitionInquiry, run_id: int) -> Iterator[Fact]:
    """Tell which partitions of its inputs it read."""
    for key, read, _ in _read(asked):
        ranges = read.ranges(limit=_READ_RANGES + 1)
        text = ",".join(one.text for one in ranges[:_READ_RANGES])
        more = ",..." if len(ranges) > _READ_RANGES else ""
        yield Fact(kind="upstream", text=f"it reads {key}@{text}{more}", run_id=run_id)


def _became_true(transaction: Transaction, asked: PartitionInquiry) -> Iterator[Fact]:
    """Find the last time that the asset's condition became true for it."""
    if asked.key not in asked.seen.triggers.conditions:
        return
    for tick in ticks(transaction, "condition", name=str(asked.key), limit=_TICKS):
        partitions = str(tick.facts.get("partitions", ""))
        if partitions and not asked.is_in(partitions):
            continue
        became = "nothing was launched" if tick.launch_id is None else f"launch {tick.launch_id}"
        yield Fact(
            kind="condition",
            text=f"its condition became true for {partitions or 'all'}: {tick.reason}; {became}",
            launch_id=tick.launch_id,
            at=tick.scheduled_for,
        )
        return


def _next(transaction: Transaction, asked: PartitionInquiry) -> Iterator[Fact]:
    outside = _outside(asked)
    if outside:
        yield Fact(kind="outside", text=outside)
        return
    yield from _held(transaction, asked)
    yield from _waiting(transaction, asked)
    yield from _state(asked)
    yield from ahead_of(transaction, asked.key, asked.seen)


def _outside(asked: PartitionInquiry) -> str:
    """Say why a partition does not exist; nothing if it does."""
    existing, one = asked.decision.existing, asked.one
    if one <= existing:
        return ""
    (point,) = one.points()
    for at, of in zip(point, one.definition.dimensions, strict=True):
        if not isinstance(of, TimePartitions):
            continue
        start, stop = of.window(at)
        if at < 0:
            return f"partitions begin with {of.key(0)}: it lies before"
        if of.end is not None and start.replace(tzinfo=None) >= of.end + of.offset:
            return f"partitions end before {of.end:%Y-%m-%d %H:%M}: it lies behind"
        if stop > asked.seen.now:
            return f"it is over at {_time(stop)}: until then it does not exist"
    return "it is not among the partitions that there are"


def _held(transaction: Transaction, asked: PartitionInquiry) -> Iterator[Fact]:
    running = state.running_partitions(transaction, asked.key, branch=asked.seen.branch)
    if any(asked.is_in(text) for text in running):
        yield Fact(kind="busy", text="a run builds it now")
    for failure in _failures(transaction, asked):
        how = "was held by its checks" if failure.status == "held" else "failed"
        yield Fact(
            kind="check" if failure.status == "held" else "error",
            text=f"its last attempt {how}: {failure.reason}",
            run_id=failure.run_id,
            at=failure.failed_at,
        )


def _failures(transaction: Transaction, asked: PartitionInquiry) -> list[state.PartitionFailure]:
    failures = state.partition_failures(transaction, asked.key, branch=asked.seen.branch)
    return [failure for failure in failures if asked.is_in(failure.partition)]


def _waiting(transaction: Transaction, asked: PartitionInquiry) -> Iterator[Fact]:
    """Name launches and backfills that have it before them."""
    for launch in state.launches(transaction, status="queued", limit=1000):
        if launch_names(launch, asked.key, asked.seen) and asked.is_wanted(launch):
            yield Fact(
                kind="waiting",
                text=f"launch {launch.id} ({launch.request.origin}) waits for its turn",
                launch_id=launch.id,
            )
    for backfill in state.open_backfills(transaction):
        for part in state.backfill_assets(transaction, backfill.id):
            if part.key != asked.key or not asked.is_in(part.target):
                continue
            if not (asked.is_in(part.done) or asked.is_in(part.failed)):
                text = f"backfill {backfill.id} is to build it, and is {backfill.status}"
                yield Fact(kind="waiting", text=text)


def _state(asked: PartitionInquiry) -> Iterator[Fact]:
    """Tell how it stands: missing, stale, and what it lacks."""
    decision, branch = asked.decision, asked.seen.branch
    built = union_of_parts(decision.before, asked.one.definition)
    if not asked.one <= built:
        yield Fact(kind="stale", text=f"{branch} does not have it")
    for reason, some in decision.reasons:
        if asked.one <= some and asked.one <= built:
            yield Fact(kind="stale", text=reason)
    if asked.one <= decision.reverted:
        text = (
            f"what it would be was reverted on {branch}: it is not built again until its code or "
        )
        yield Fact(kind="reverted", text=f"{text}inputs change, or with --force")
    elif asked.one <= built and not asked.one & (decision.build | decision.lacking):
        yield Fact(kind="fresh", text="it is as its code and its inputs are: a run leaves it")
    for key, _, lacking in _read(asked):
        if lacking:
            text = f"it needs {key}@{lacking.text()}, which {branch} does not have"
            yield Fact(kind="upstream", text=text)


def _read(asked: PartitionInquiry) -> Iterator[tuple[AssetKey, PartitionSet, PartitionSet]]:
    """Give the inputs with partitions: which it reads, and which of these are not there."""
    seen = asked.seen
    for key in asked.asset.inputs:
        source = seen.graph.effective.get(key)
        mapping = mapping_to(asked.asset, key, source)
        if source is None or source.partitions is None or mapping is None:
            continue
        definition = source.partitions.definition
        read = mapping.upstream(asked.one, PartitionSet.existing(definition, seen.now))
        entry = seen.entries.get(key)
        there = PartitionSet(definition)
        if entry is not None:
            there = union_of_parts(parts_of(entry.provenance, definition), definition)
        yield key, read, read - there


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M %Z}"
