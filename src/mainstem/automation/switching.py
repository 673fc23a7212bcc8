# SPDX-License-Identifier: Apache-2.0
"""Conditions that somebody turned off: what becomes true meanwhile launches nothing, then or later.

Like schedules: a switch holds whatever the file says, and what was missed is not made up for.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from mainstem.automation.record import (
    TickRecord,
    TriggerState,
    last_ticks,
    save_trigger,
    trigger_states,
)
from mainstem.database import Transaction
from mainstem.types import AssetKey, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionStatus:
    """The condition of an asset, and what is known of it."""

    asset: AssetKey
    text: str
    """As the owner wrote it."""
    is_on: bool
    since: datetime | None
    """On or off since; nothing while nobody has switched it."""
    last: TickRecord | None
    """When it became true last, and what came of it."""


def switch_condition(
    transaction: Transaction, asset: AssetKey, text: str, *, on: bool, now: datetime
) -> None:
    """Turn the condition of an asset on or off."""
    name = asset.folded
    before = next(iter(trigger_states(transaction, "condition", name=name)), None)
    if before is not None and before.is_on == on:
        return
    state = TriggerState(
        kind="condition",
        name=name,
        timing=text,
        is_on=on,
        is_enabled=True,
        is_declared=True,
        since=now,
        evaluated_until=now,
        next_at=None,
    )
    save_trigger(transaction, state)


def conditions_off(transaction: Transaction) -> frozenset[str]:
    """Give the assets (folded keys) whose condition is off."""
    states = trigger_states(transaction, "condition")
    return frozenset(state.name for state in states if state.is_on is False)


def condition_statuses(
    transaction: Transaction, written: Mapping[AssetKey, str]
) -> list[ConditionStatus]:
    """Tell of each condition whether it is on, and when it became true last.

    Args:
        transaction: To read from.
        written: What the owners wrote, by asset.
    """
    known = {state.name: state for state in trigger_states(transaction, "condition")}
    last = last_ticks(transaction, "condition", map(str, written))
    found = []
    for asset, text in written.items():
        state = known.get(asset.folded)
        found.append(
            ConditionStatus(
                asset=asset,
                text=text,
                is_on=state is None or state.is_on is not False,
                since=None if state is None else state.since,
                last=last.get(str(asset)),
            )
        )
    return found
