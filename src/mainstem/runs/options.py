# SPDX-License-Identifier: Apache-2.0
"""How a run is to be executed, and how it is told to stop."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING

from mainstem.graph import PlanOptions
from mainstem.types import Retry, dataclass

if TYPE_CHECKING:
    from mainstem.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the command asked for, beside the plan."""

    plan: PlanOptions = field(default_factory=PlanOptions)
    """As the plan was made with: the run decides again by the same."""
    threads: int | None = None
    """Steps at once; by default as many as processors, four at most."""
    fail_fast: bool = False
    all_or_nothing: bool = False
    """Publish only if every step passed."""
    wait: bool = True
    """Wait for a run that holds what this one needs; otherwise `BranchBusy`."""
    branch_from: str = ""
    """Make the target branch from this one if it is not there yet."""
    author: str = ""
    retry: Retry = field(default_factory=Retry)
    """For assets that say nothing of their own about it."""
    timeout_s: float | None = None
    """For one attempt of assets that say nothing of it."""
    run_timeout_s: float | None = None
    """How long the run may take; what passed by then is published."""
    grace_s: float = 5.0
    """After Ctrl-C or a timeout: how long a step may take to stop."""
    lease_s: float = 30.0
    heartbeat_s: float = 5.0
    kept_days: int = 14
    """A run branch lives so long after success,"""
    kept_days_after_failure: int = 30
    """and so long after anything else."""
    logical_time: datetime | None = None
    """`now()` of the run; when it begins, if it is not given."""
    history_days: int = 180
    """What steps did and printed, and what checks found, is remembered so long."""
    on_begin: Callable[[Transaction, int], None] | None = None
    """Called with the run's id in the transaction that begins it; if it raises, there is no run."""

    @property
    def slots(self) -> int:
        """Steps at once."""
        return max(1, self.threads or min(4, os.cpu_count() or 1))


class RunControl:
    """Stops a run from outside: from a signal handler, another thread, an API."""

    __slots__ = ("_count", "_listener")

    def __init__(self) -> None:
        self._count = 0
        self._listener: Callable[[], None] | None = None

    @property
    def is_requested(self) -> bool:
        """Whether somebody asked to stop."""
        return self._count > 0

    def request_cancel(self) -> None:
        """Once: stop scheduling, stop what runs, 5 seconds. Twice: at once."""
        self._count += 1
        if self._listener is not None:
            self._listener()

    def listen(self, listener: Callable[[], None]) -> None:
        """Connect a run; requests made before are handed over."""
        self._listener = listener
        for _ in range(self._count):
            listener()
