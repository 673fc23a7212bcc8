# SPDX-License-Identifier: Apache-2.0
"""Slots of pools, memory and rates for the attempts of one run: taken, renewed, given back.

Called by the driver's thread; the heartbeat renews from its own. What is decided here is only how
soon to ask again.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from mainstem import state
from mainstem.database import Transaction
from mainstem.errors import ConflictError, MainstemError
from mainstem.runs.moves import Claimed
from mainstem.runs.recovery import recover
from mainstem.runs.scope import Scope
from mainstem.types import Asks, Pool

MEMORY = "memory"
"""What the machine calls the pool that every machine has of its own."""
_POLL_S = 0.5
_FIRST_POLL_S = 0.1
_LEAST_WAIT_S = 0.001


class Slots:
    """The slots of one run."""

    def __init__(self, scope: Scope, on_lost: Callable[[str], None]) -> None:
        self._scope = scope
        self._on_lost = on_lost
        self._lock = threading.Lock()
        self._held: dict[str, frozenset[str]] = {}
        """By name of the step, the pools of which it holds slots."""
        self._wait_s: dict[tuple[str, ...], float] = {}
        self._refusals: dict[tuple[str, ...], int] = {}
        self._looked_s = float("-inf")

    def claim(self, index: int, attempt: int) -> Claimed:
        """Ask for all slots that an attempt needs."""
        scope = self._scope
        unit, pools = scope.wiring.units[index], scope.wiring.shape.nodes[index].pools
        asks = [_ask(name, unit.asks, scope.services.pools) for name in pools]
        name = unit.name
        holder = state.Holder(
            run_id=scope.run.id, asset=name, attempt=attempt, owner=scope.run.process.owner
        )
        refusal = self._take(asks, holder)
        if refusal is not None and refusal.wait_s is None and self._bury_the_dead():
            refusal = self._take(asks, holder)
        if refusal is None:
            with self._lock:
                self._held[name] = frozenset(ask.pool for ask in asks)
            self._refusals.pop(pools, None)
            return Claimed(index, is_granted=True)
        count = self._refusals[pools] = self._refusals.get(pools, 0) + 1
        patience = min(_FIRST_POLL_S * 2 ** min(count - 1, 8), _POLL_S)
        self._wait_s[pools] = patience if refusal.wait_s is None else refusal.wait_s
        return Claimed(index, is_granted=False)

    def wait_s(self, pools: tuple[str, ...]) -> float:
        """Tell how long to wait before asking again."""
        return max(self._wait_s.get(pools, _POLL_S), _LEAST_WAIT_S)

    def release(self, index: int) -> None:
        """Give back what a step holds; the next claim may have it in the same turn."""
        if not self._held:
            return
        name = self._scope.wiring.units[index].name
        with self._lock:
            held = self._held.pop(name, None)
        if held:
            with self._scope.services.database.write() as transaction:
                state.free_slots(transaction, self._scope.run.id, name)

    def renew(self, transaction: Transaction, expires_at: datetime) -> None:
        """Say that this run lives; with the leases of its assets, in the same transaction."""
        with self._lock:
            held = {(pool, name) for name, pools in self._held.items() for pool in pools}
        if not held:
            return
        run = self._scope.run
        kept = state.renew_slots(transaction, run.id, run.process.owner, expires_at=expires_at)
        for _pool, name in held - kept:
            with self._lock:
                is_lost = self._held.pop(name, None) is not None
            if is_lost:
                self._on_lost(name)

    def _take(self, asks: list[state.Ask], holder: state.Holder) -> state.Refusal | None:
        services = self._scope.services
        now = services.clock.now()
        with services.database.read() as transaction:
            refusal = state.room_in(transaction, asks, holder, now=now)
        if refusal is not None:
            return refusal
        expires_at = now + timedelta(seconds=self._scope.options.lease_s)
        try:
            with services.database.write() as transaction:
                return state.take_slots(transaction, asks, holder, now=now, expires_at=expires_at)
        except ConflictError:
            # Two claims met where transactions are checked at their end: ask again soon.
            return state.Refusal(pool=asks[0].pool)

    def _bury_the_dead(self) -> bool:
        """Free what dead runs hold; looked for at most once in half a second."""
        services = self._scope.services
        now = services.clock.monotonic_s()
        if now - self._looked_s < _POLL_S:
            return False
        self._looked_s = now
        try:
            return bool(
                recover(services.database, services.lake, services.clock, on_end=services.on_end)
            )
        except MainstemError:
            # Somebody else clears up, or cannot either: their slots expire.
            return False


def _ask(name: str, asks: Asks, pools: Mapping[str, Pool]) -> state.Ask:
    pool = pools.get(name) or Pool(name=name)
    if name == MEMORY:
        # Memory is the machine's, whoever runs on it.
        return state.Ask(
            pool=f"{MEMORY}:{socket.gethostname()}",
            amount=asks.memory_bytes or 0,
            limit=pool.slots,
        )
    return state.Ask(pool=name, limit=pool.slots, rate_per_s=pool.rate_per_s, burst=pool.burst)
