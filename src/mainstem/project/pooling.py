# SPDX-License-Identifier: Apache-2.0
"""Pools of one open project: what they allow, who holds slots, and slots set while runs go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem import state
from mainstem.database import Transaction
from mainstem.errors import AssetNotFound, UserError
from mainstem.types import Pool, dataclass, did_you_mean, nearest

if TYPE_CHECKING:
    from mainstem.project.project import Project

MOST_SLOTS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """One pool as it is now."""

    name: str
    declared: Pool | None
    """As mainstem.yml says; nothing for the memory of a machine, and for what it says no more."""
    changed: state.SetSlots | None
    """Slots that were set at run time: they hold, whatever mainstem.yml says."""
    holders: tuple[state.Slot, ...]
    """Attempts that hold slots, oldest first."""

    @property
    def slots(self) -> int | None:
        """How many there are; nothing: only the rate is limited, or a machine knows it."""
        if self.changed is not None:
            return self.changed.slots
        return None if self.declared is None else self.declared.slots

    @property
    def taken(self) -> int:
        """Slots, or bytes of memory, that are held."""
        return sum(slot.amount for slot in self.holders)


def pool_states(project: Project, transaction: Transaction) -> list[PoolState]:
    """Tell of the declared pools, and of any that runs hold slots of, by name."""
    held = state.slots_of(transaction, now=project.clock.now())
    changed = state.slots_set(transaction)
    declared = project.settings.pools
    return [
        PoolState(
            name=name,
            declared=declared.get(name),
            changed=changed.get(name),
            holders=tuple(held.get(name, ())),
        )
        for name in sorted({*declared, *held})
    ]


def set_pool(project: Project, name: str, slots: int | None, *, by: str) -> PoolState:
    """Set the slots of a pool for the runs of all processes; who holds slots keeps them.

    Args:
        project: Declares the pool.
        name: Of the pool.
        slots: How many; 0 lets nobody start. `None`: as mainstem.yml says.
        by: Who sets them.

    Raises:
        AssetNotFound: There is no such pool.
        UserError: That many cannot be.
    """
    declared = project.settings.pools
    if name not in declared:
        raise AssetNotFound(
            "A6020",
            f"There is no pool `{name[:100]}` in mainstem.yml.",
            hint=did_you_mean(name, declared) or f"There is {', '.join(declared) or 'none'}.",
            known=nearest(name, declared) or tuple(declared),
        )
    if slots is not None and not 0 <= slots <= MOST_SLOTS:
        raise UserError(
            "A6021",
            f"A pool has from 0 to {MOST_SLOTS:,} slots, not {slots:,}.",
            hint="0 lets nobody start.",
        )
    with project.services.database.write(durable=True) as transaction:
        state.set_slots(transaction, name, slots, by=by, now=project.clock.now())
        return next(one for one in pool_states(project, transaction) if one.name == name)
