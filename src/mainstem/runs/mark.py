# SPDX-License-Identifier: Apache-2.0
"""How far one step of a run is, as the machine knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from mainstem.runs.event import StepStatus
from mainstem.types import NO_RETRY, Retry

Moment = Literal[
    "waiting",  # for its parents
    "ready",  # for a turn
    "deciding",
    "claiming",  # asks for slots of pools, and is answered at once
    "pooled",  # waits for slots of pools
    "running",
    "retrying",  # waits for its delay
    "staged",  # waits for tables that its early gates read
    "judging",
    "late",  # waits for the end, where its late gates are evaluated
    "judging_late",
]
ENDED: frozenset[str] = frozenset(get_args(StepStatus))
UNSTARTED: frozenset[str] = frozenset({"waiting", "ready", "pooled", "retrying"})
"""Nothing of the step goes on: it can be left out at once."""


@dataclass(slots=True)
class Mark:
    """How far one step is.

    A turn of the machine changes copies of its own, eight times for each step, and nobody changes
    a mark that is part of a state.
    """

    moment: Moment | StepStatus = "waiting"
    missing: int = 0
    """Parents that have not come through yet."""
    gate_missing: int = 0
    """Tables that its early gates read and that are not staged yet."""
    attempt: int = 0
    is_decided: bool = False
    """An attempt is to be made."""
    claims: bool = False
    """Each attempt needs slots of the step's pools."""
    is_called: bool = False
    """It is next in the queue of its pools: it may ask for slots."""
    retry: Retry = NO_RETRY
    has_changes: bool = False
    is_settled: bool = False
    """Its table is what it will be in this run."""
    reason: str = ""

    def copy(self) -> Mark:
        """Give a copy, by hand: `replace` and a named tuple's take three times as long."""
        return Mark(
            self.moment,
            self.missing,
            self.gate_missing,
            self.attempt,
            self.is_decided,
            self.claims,
            self.is_called,
            self.retry,
            self.has_changes,
            self.is_settled,
            self.reason,
        )
