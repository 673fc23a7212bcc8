# SPDX-License-Identifier: Apache-2.0
"""How a server stops: nothing new, then patience, then firmness. Pure."""

from __future__ import annotations

from typing import Literal

from mainstem.types import dataclass

Stage = Literal["waiting", "cancelling", "killing", "over"]

_CANCEL_S = 10.0
"""More than a step gets to stop when it is told to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A request to stop, and how far it has come."""

    since_s: float
    """When this stage began, on the monotonic clock."""
    grace_s: float
    """How long runs may go on."""
    stage: Stage = "waiting"


def next_stop(stop: Stop, *, now_s: float, running: int, is_urgent: bool) -> Stop:
    """Say how far a stop has come.

    Args:
        stop: As it was.
        now_s: Monotonic time.
        running: Launches that still run.
        is_urgent: It was asked for once more.
    """
    if not running:
        return _at(stop, "over", now_s)
    waited_s = now_s - stop.since_s
    match stop.stage:
        case "waiting" if is_urgent or waited_s >= stop.grace_s:
            return _at(stop, "cancelling", now_s)
        case "cancelling" if waited_s >= _CANCEL_S:
            return _at(stop, "killing", now_s)
        case "killing" if waited_s >= _CANCEL_S:
            return _at(stop, "over", now_s)
        case _:
            return stop


def _at(stop: Stop, stage: Stage, now_s: float) -> Stop:
    return Stop(since_s=now_s, grace_s=stop.grace_s, stage=stage)
