# SPDX-License-Identifier: Apache-2.0
"""How a run ended, for those that write more in the transaction that ends it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from mainstem.database import Transaction
from mainstem.runs.event import StepFinished
from mainstem.state import RunRecord
from mainstem.types import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnding:
    """One run at its end."""

    run: RunRecord
    """As it began."""
    status: str
    """As `RunStatus`, or `crashed`."""
    at: datetime
    steps: tuple[StepFinished, ...] = ()
    error: str = ""
    """Of the run as a whole."""


OnEnd = Callable[[Transaction, RunEnding], None]
"""Called in the transaction that ends a run; what it writes is kept with that, or not at all."""
