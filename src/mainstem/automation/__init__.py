# SPDX-License-Identifier: Apache-2.0
"""Time and triggers: what should be launched now, and why; decisions are pure, records are SQL.

Nothing here runs anything or waits: the loop of `service` calls it with the time, and launches are
rows in `state`'s queue. Names are loaded when first used, since every command opens the database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.types import lazily

if TYPE_CHECKING:
    from mainstem.automation.arrival import files_arrived, table_moved
    from mainstem.automation.declared import Triggers, triggers_of
    from mainstem.automation.evaluating import evaluate, sync
    from mainstem.automation.expression import Condition, Operand, condition_of
    from mainstem.automation.freshness import Freshness, Promise, freshness_of
    from mainstem.automation.hook import Hook
    from mainstem.automation.incremental import Change, Evaluator, Request
    from mainstem.automation.looking import (
        Look,
        SensorStatus,
        begin_look,
        find_sensor,
        finish_look,
        next_look,
        request_of,
        sensor_statuses,
        set_sensor_cursor,
        switch_sensor,
    )
    from mainstem.automation.migrations import MIGRATIONS
    from mainstem.automation.observed import WHOLE, Observed
    from mainstem.automation.promising import Standing, judge_promises, standings
    from mainstem.automation.reacting import Reactor
    from mainstem.automation.receiving import (
        Delivery,
        Receipt,
        deliveries,
        deliveries_of,
        delivery_request,
        find_hook,
        prune_deliveries,
        receive,
    )
    from mainstem.automation.record import (
        TickRecord,
        TriggerState,
        next_wake,
        prune_ticks,
        ticks,
        trigger_states,
    )
    from mainstem.automation.schedule import Schedule, Tick, due_ticks
    from mainstem.automation.sensor import Sensor
    from mainstem.automation.switching import (
        ConditionStatus,
        condition_statuses,
        conditions_off,
        switch_condition,
    )
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
    "arrival": "files_arrived table_moved",
    "expression": "Condition Operand condition_of",
    "freshness": "Freshness Promise freshness_of",
    "hook": "Hook",
    "incremental": "Change Evaluator Request",
    "looking": "Look SensorStatus begin_look find_sensor finish_look next_look request_of "
    "sensor_statuses set_sensor_cursor switch_sensor",
    "migrations": "MIGRATIONS",
    "promising": "Standing judge_promises standings",
    "observed": "WHOLE Observed",
    "reacting": "Reactor",
    "receiving": "Delivery Receipt deliveries deliveries_of delivery_request find_hook "
    "prune_deliveries receive",
    "sensor": "Sensor",
    "record": "TickRecord TriggerState next_wake prune_ticks ticks trigger_states",
    "schedule": "Schedule Tick due_ticks",
    "switching": "ConditionStatus condition_statuses conditions_off switch_condition",
    "target": "Target",
    "ticking": "ScheduleStatus evaluate_schedules find_schedule next_ticks schedule_statuses "
    "switch_schedule sync_schedules tick_request",
}
_SUBMODULES = {name: module for module, names in _PLACES.items() for name in names.split()}

# fmt: off
__all__ = [
    "MIGRATIONS", "WHOLE", "Change", "Condition", "ConditionStatus", "Delivery", "Evaluator",
    "Freshness", "Hook", "Look", "Observed", "Operand", "Promise", "Reactor", "Receipt", "Request",
    "Schedule", "ScheduleStatus", "Sensor", "SensorStatus", "Standing", "Target", "Tick",
    "TickRecord", "TriggerState", "Triggers", "begin_look", "condition_of", "condition_statuses",
    "conditions_off", "deliveries", "deliveries_of", "delivery_request", "due_ticks", "evaluate",
    "evaluate_schedules", "files_arrived", "find_hook", "find_schedule", "find_sensor",
    "finish_look", "freshness_of", "judge_promises", "next_look", "next_ticks", "next_wake",
    "prune_deliveries", "prune_ticks", "receive", "request_of", "schedule_statuses",
    "sensor_statuses", "set_sensor_cursor", "standings", "switch_condition", "switch_schedule",
    "switch_sensor", "sync", "sync_schedules", "table_moved", "tick_request", "ticks",
    "trigger_states", "triggers_of",
]
# fmt: on

__getattr__ = lazily(__name__, _SUBMODULES)
