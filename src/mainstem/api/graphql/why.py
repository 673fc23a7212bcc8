# SPDX-License-Identifier: Apache-2.0
"""Why an asset ran, or did not; how its partitions stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import strawberry
from strawberry import field

from mainstem.api.graphql.arguments import Key
from mainstem.api.graphql.context import Info
from mainstem.api.graphql.scalars import Long
from mainstem.project import PartitionsStatus, WhyFact, partitions_of

_RANGES = 1_000
_FAILURES = 1_000


@strawberry.type(description="One fact of an answer.")
class Reason:
    """A fact."""

    kind: str = field(description="run, step, trigger, upstream, check, error, busy, waiting, ...")
    text: str = field(description="As a sentence.")
    run: int | None = field(description="Number of the run that it speaks of.")
    launch: int | None = field(description="Number of the launch that it speaks of.")
    at: datetime | None = field(description="When.")


@strawberry.type(description="Why an asset ran last, or did not, and what may run it next.")
class Why:
    """An answer."""

    asset: str = field(description="Its key.")
    branch: str = field(description="The branch that is spoken of.")
    last: list[Reason] = field(description="From what happened up to what set it off.")
    next: list[Reason] = field(description="What keeps it, and what may launch it.")


@strawberry.type(description="Partitions that follow each other.")
class PartitionRange:
    """A range."""

    text: str = field(description="As it is selected.")
    first: str = field(description="Key of the first one.")
    last: str = field(description="Key of the last one.")
    count: Long = field(description="How many there are.")


@strawberry.type(description="Partitions of one state, as ranges: a million are one answer.")
class PartitionState:
    """A set of partitions."""

    state: str = field(description="built, stale, missing, failed, running.")
    count: Long = field(description="How many there are.")
    ranges: list[PartitionRange] = field(description="Which; the first 1,000 ranges.")


@strawberry.type(description="A partition whose last attempt failed, or was held.")
class PartitionFailure:
    """A failure."""

    partition: str = field(description="Its key.")
    run: int = field(description="Number of the run.")
    status: str = field(description="failed, or held.")
    reason: str = field(description="Why.")
    at: datetime = field(description="When.")


@strawberry.type(description="How the partitions of one asset stand.")
class Partitions:
    """Partitions."""

    asset: str = field(description="Key of the asset.")
    branch: str = field(description="The branch that is spoken of.")
    count: Long = field(description="How many there are.")
    states: list[PartitionState] = field(description="Each state with its partitions.")
    failures: list[PartitionFailure] = field(description="The first 1,000.")


def why(info: Info, asset: Key) -> Why:
    """Tell why an asset ran, or did not."""
    found = info.context.project.automation.why(asset)
    return Why(
        asset=str(found.asset),
        branch=found.branch,
        last=_reasons(found.last),
        next=_reasons(found.next),
    )


def partitions(info: Info, asset: Key) -> Partitions:
    """Tell how the partitions of an asset stand."""
    return partitions_node(partitions_of(info.context.project, asset))


def partitions_node(found: PartitionsStatus) -> Partitions:
    """Make partitions of their status."""
    return Partitions(
        asset=str(found.key),
        branch=found.branch,
        count=Long(found.existing.count),
        states=[
            PartitionState(
                state=name,
                count=Long(some.count),
                ranges=[
                    PartitionRange(
                        text=one.text, first=one.first, last=one.last, count=Long(one.count)
                    )
                    for one in some.ranges(limit=_RANGES)
                ],
            )
            for name, some in found.sets()
        ],
        failures=[
            PartitionFailure(
                partition=each.partition,
                run=each.run_id,
                status=each.status,
                reason=each.reason,
                at=each.failed_at,
            )
            for each in found.failures[:_FAILURES]
        ],
    )


def _reasons(facts: Sequence[WhyFact]) -> list[Reason]:
    return [
        Reason(
            kind=fact.kind,
            text=fact.text,
            run=fact.run_id,
            launch=fact.launch_id,
            at=fact.at,
        )
        for fact in facts
    ]
