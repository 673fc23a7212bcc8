# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is, when fresh work and backfills wait for the same slots: pure, no clock, no I/O.

Stride scheduling: each share has a pass that grows by the inverse of its weight when it is served,
and the lowest goes next. It needs one number a share to be remembered, holds with a single slot,
and bounds the wait of both: never a flood of one, never a starved other (airflow#58554).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from mainstem.types import dataclass

Share = Literal["fresh", "backfill"]
SHARES: tuple[Share, ...] = ("fresh", "backfill")

_STRIDE = 5040
"""Divisible by all small weights, so that passes stay whole numbers without drift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """How slots are divided while both wait; whoever is alone gets all but what is kept free."""

    fresh: int = 3
    backfill: int = 1
    least: int = 1
    """Slots that each side can count on, if there are enough for both."""

    def of(self, share: Share) -> int:
        """Give the weight of one share."""
        return max(1, self.fresh if share == "fresh" else self.backfill)


def next_share(
    *,
    waiting: Mapping[Share, int],
    running: Mapping[Share, int],
    passes: Mapping[Share, int],
    slots: int,
    weights: Weights,
) -> tuple[Share | None, dict[Share, int]]:
    """Choose who starts next.

    Args:
        waiting: Launches that could start now.
        running: Launches that hold a slot.
        passes: As this function gave them last time; nothing for a share that never ran.
        slots: All slots, taken ones included.
        weights: How they are divided.

    Returns:
        The share to serve, if any may start, and the passes to remember.
    """
    kept = {share: passes.get(share, 0) for share in SHARES}
    ready = [share for share in SHARES if waiting.get(share, 0) > 0]
    if ready:
        # Whoever had nothing to do starts level with the others: idle time is no credit.
        floor = min(kept[share] for share in ready)
        kept = {s: p if s in ready else max(p, floor) for s, p in kept.items()}
    may = [s for s in ready if _may_start(s, waiting, running, slots, weights.least)]
    if not may:
        return None, kept
    chosen = min(may, key=lambda share: (kept[share], SHARES.index(share)))
    kept[chosen] += _STRIDE // weights.of(chosen)
    return chosen, kept


def _may_start(
    share: Share,
    waiting: Mapping[Share, int],
    running: Mapping[Share, int],
    slots: int,
    least: int,
) -> bool:
    taken = sum(running.get(each, 0) for each in SHARES)
    if taken >= slots:
        return False
    other: Share = "backfill" if share == "fresh" else "fresh"
    # A fresh launch comes unannounced, so its slots are kept even while none waits; a backfill
    # waits in the queue for as long as it has work.
    is_owed = other == "fresh" or waiting.get(other, 0) > 0
    owed = min(least, slots - 1) - running.get(other, 0) if is_owed else 0
    return slots - taken > max(0, owed)
