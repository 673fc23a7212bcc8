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
            not there; nor is one whose step went well if its run could not publish.

    Returns:
        Done and failed; together they are `some`.
    """
    bad = some - some
    for step in steps:
        if step.status not in GOOD:
            bad |= PartitionSet.parse(step.partitions, some.definition, is_stored=True)
    is_whole = launch.status in {"succeeded", "held", "failed"} and not launch.error
    # One that broke off, was cancelled or lost published nothing, though its work may be linked
    # next time.
    done = (some & built) - bad if is_whole else some - some
    return done, some - done
