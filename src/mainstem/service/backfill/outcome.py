# SPDX-License-Identifier: Apache-2.0
"""What a launch of a backfill did, partition by partition: pure."""

from __future__ import annotations

from collections.abc import Iterable

from mainstem.graph import PartitionSet
from mainstem.state import Launch, PartitionStep

GOOD = frozenset({"built", "linked", "unchanged"})


def outcome(
    launch: Launch, some: PartitionSet, steps: Iterable[PartitionStep], built: PartitionSet
) -> tuple[PartitionSet, PartitionSet]:
    """Divide the partitions of a launch into those that came through and those that did not.

    Args:
        launch: Has ended.
        some: Its partitions.
        steps: How they fared in its run; those that were up to date have no step.
        built: What the branch has now. One that read what was never built has no step, and is
            not there.

    Returns:
        Done and failed; together they are `some`.
    """
    good = bad = some - some
    for step in steps:
        parsed = PartitionSet.parse(step.partitions, some.definition, is_stored=True)
        if step.status in GOOD:
            good |= parsed
        else:
            bad |= parsed
    match launch.status:
        case "succeeded":
            done = (some & built) - bad
        case "held" | "failed":
            done = (good - bad) & some
        case _:
            # Cancelled or lost: nothing was published, though it may be linked next time.
            done = some - some
    return done, some - done
