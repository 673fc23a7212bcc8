# SPDX-License-Identifier: Apache-2.0
"""Time and triggers: what should be launched now, and why; decisions are pure, records are SQL.

Nothing here runs anything or waits: the loop of `service` calls it with the time, and launches are
rows in `state`'s queue. Names are loaded when first used, since every command opens the database.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainstem.automation.declared import Triggers, triggers_of
    from mainstem.automation.evaluating import evaluate, sync
    from mainstem.automation.migrations import MIGRATIONS
    from mainstem.automation.record import (
        TickRecord,
        TriggerState,
        next_wake,
        prune_ticks,
        ticks,
        trigger_states,
    )
    from mainstem.automation.schedule import Schedule, Tick, due_ticks
    from mainstem.automation.target import Target
    from mainstem.automation.ticking import (
        ScheduleStatus,
        evaluate_schedules,
        find_schedule,
        next_ticks,
        schedule_statuses,
        switch_schedule,
        sync_schedules,
        tick_request,
    )

_PLACES = {
    "declared": "Triggers triggers_of",
    "evaluating": "evaluate sync",
    "migrations": "MIGRATIONS",
    "record": "TickRecord TriggerState next_wake prune_ticks ticks trigger_states",
    "schedule": "Schedule Tick due_ticks",
    "target": "Target",
    "ticking": "ScheduleStatus evaluate_schedules find_schedule next_ticks schedule_statuses "
    "switch_schedule sync_schedules tick_request",
}
_SUBMODULES = {name: module for module, names in _PLACES.items() for name in names.split()}

# fmt: off
__all__ = [
    "MIGRATIONS", "Schedule", "ScheduleStatus", "Target", "Tick", "TickRecord", "TriggerState",
    "Triggers", "due_ticks", "evaluate", "evaluate_schedules", "find_schedule", "next_ticks",
    "next_wake", "prune_ticks", "schedule_statuses", "switch_schedule", "sync", "sync_schedules",
    "tick_request", "ticks", "trigger_states", "triggers_of",
]
# fmt: on


def __getattr__(name: str) -> Any:
    if name not in _SUBMODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_SUBMODULES[name]}"), name)
