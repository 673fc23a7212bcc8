# SPDX-License-Identifier: Apache-2.0
"""One turn over all triggers of a project; what the loop of the server calls, and simulations."""

from __future__ import annotations

from datetime import datetime

from mainstem.automation.declared import Triggers
from mainstem.automation.looking import sync_sensors
from mainstem.automation.record import TickRecord
from mainstem.automation.ticking import evaluate_schedules, sync_schedules
from mainstem.database import Transaction


def sync(transaction: Transaction, triggers: Triggers, *, now: datetime) -> None:
    """Take note of what a project declares, whenever it was loaded."""
    sync_schedules(transaction, triggers.schedules.values(), now=now)
    sync_sensors(transaction, triggers.sensors.values(), now=now)


def evaluate(transaction: Transaction, triggers: Triggers, *, now: datetime) -> list[TickRecord]:
    """Write all ticks of schedules that are due, and their launches, in the caller's transaction.

    Sensors run code and hooks are called by others: each has functions of its own.
    """
    return evaluate_schedules(transaction, triggers.schedules, now=now)
