# SPDX-License-Identifier: Apache-2.0
"""What may be asked of runs that go on, and the pools that their steps share."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated

import strawberry
from strawberry import ID, argument, field

from mainstem.api.graphql.arguments import Name, RunNumber
from mainstem.api.graphql.context import Info
from mainstem.api.graphql.identity import Node
from mainstem.api.graphql.scalars import Long, long
from mainstem.project import Controlling, PoolState, pool_states, set_pool
from mainstem.state import RequestKind


@strawberry.enum(description="What was asked of a run.")
class ControlKind(Enum):
    """Of requests."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


@strawberry.type(description="The last that was asked of a run; it hears of it within a second.")
class RunControl:
    """A request to a run."""

    run: int = field(description="Number of the run.")
    kind: ControlKind = field(description="What is asked of it now; a cancel stays one.")
    count: int = field(description="How often; a second cancel waits for no step.")
    asked_at: datetime = field(description="When.")
    asked_by: str = field(description="By whom.")


@strawberry.type(description="A slot of a pool that an attempt holds.")
class PoolSlot:
    """A slot."""

    run: int = field(description="Number of the run.")
    asset: str = field(description="Key of the asset whose step holds it.")
    attempt: int = field(description="Which attempt.")
    amount: Long = field(description="Slots, or bytes of memory.")
    taken_at: datetime = field(description="Since when.")


@strawberry.type(description="Something that only so many attempts may use at once.")
class Pool(Node):
    """A pool."""

    name: str = field(description="Under `pools:` in mainstem.yml; `memory` is the machine's.")
    slots: Long | None = field(description="Attempts at once, or bytes; null: only a rate.")
    declared_slots: Long | None = field(description="As mainstem.yml says.")
    changed_at: datetime | None = field(
        description="When slots were set that hold whatever mainstem.yml says; null: they were not."
    )
    changed_by: str = field(description="By whom.")
    rate_per_second: float = field(description="Attempts that may start in a second; 0: any.")
    taken: Long = field(description="Slots, or bytes, that are held now.")
    holders: list[PoolSlot] = field(description="Who holds them; a slot lives with its attempt.")


def pause_run(info: Info, run: RunNumber) -> RunControl:
    """Have a run start no further step."""
    return _ask(info, run, "pause")


def resume_run(info: Info, run: RunNumber) -> RunControl:
    """Have a paused run go on."""
    return _ask(info, run, "resume")


def cancel_run(info: Info, run: RunNumber) -> RunControl:
    """Stop a run, of whatever process."""
    return _ask(info, run, "cancel")


def pools(info: Info) -> list[Pool]:
    """Give the declared pools, and any that runs hold slots of."""
    context = info.context
    return [_pool(each) for each in pool_states(context.project, context.transaction)]


def set_slots(
    info: Info,
    name: Name,
    slots: Annotated[
        int | None,
        argument(description="0 lets nobody start; without: as mainstem.yml says."),
    ] = None,
) -> Pool:
    """Set the slots of a pool for the runs of all processes."""
    context = info.context
    return _pool(set_pool(context.project, name, slots, by=context.principal.name))


def _ask(info: Info, run: int, kind: RequestKind) -> RunControl:
    context = info.context
    found = Controlling(context.project).ask(run, kind, by=context.principal.name)
    return RunControl(
        run=found.run_id,
        kind=ControlKind(found.kind),
        count=found.count,
        asked_at=found.asked_at,
        asked_by=found.asked_by,
    )


def _pool(found: PoolState) -> Pool:
    declared, changed = found.declared, found.changed
    return Pool(
        id=ID(f"pool:{found.name}"),
        name=found.name,
        slots=long(found.slots),
        declared_slots=None if declared is None else long(declared.slots),
        changed_at=None if changed is None else changed.at,
        changed_by="" if changed is None else changed.by,
        rate_per_second=0.0 if declared is None else declared.rate_per_s,
        taken=Long(found.taken),
        holders=[
            PoolSlot(
                run=slot.holder.run_id,
                asset=slot.holder.asset,
                attempt=slot.holder.attempt,
                amount=Long(slot.amount),
                taken_at=slot.taken_at,
            )
            for slot in found.holders
        ],
    )
