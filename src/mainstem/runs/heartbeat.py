# SPDX-License-Identifier: Apache-2.0
"""What keeps a run alive for others, and hears what they ask of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from mainstem import state
from mainstem.database import Transaction
from mainstem.errors import MainstemError
from mainstem.runs.driver import Driver
from mainstem.runs.scope import Scope

_LOOK_S = 1.0


class Heartbeat:
    """Renews leases and slots of a run: a busy step cannot keep it from doing so.

    Args:
        scope: The run.
        driver: Told of requests, and that the leases are gone.
    """

    def __init__(self, scope: Scope, driver: Driver) -> None:
        self._scope = scope
        self._driver = driver
        self._every_s = scope.options.heartbeat_s
        self._waited_s = 0.0
        self._seen: state.ControlRequest | None = None
        self._end: Callable[[], None] | None = None

    def __enter__(self) -> None:
        self._end = self._driver.crew.repeat(self._beat, min(self._every_s, _LOOK_S))

    def __exit__(self, *exit_info: object) -> None:
        assert self._end is not None, "what ends has begun"
        self._end()

    def _beat(self, passed_s: float) -> bool:
        self._waited_s += passed_s
        if not self._carry_on(self._look):
            return False
        if self._waited_s < self._every_s:
            return True
        self._waited_s = 0.0
        return self._carry_on(self._renew)

    def _carry_on(self, act: Callable[[], None]) -> bool:
        """Do something; a database that is busy is asked again next time."""
        try:
            act()
        except MainstemError as error:
            if not error.is_retryable or error.code == "A6011":
                self._driver.lose(error)
                return False
        return True

    def _look(self) -> None:
        with self._scope.services.database.read() as transaction:
            request = state.request_of(transaction, self._scope.run.id)
        if request is None or request == self._seen:
            return
        known, self._seen = self._seen, request
        if request.kind != "cancel":
            self._driver.ask(request)
            return
        before = known.count if known is not None and known.kind == "cancel" else 0
        for _ in range(request.count - before):
            self._driver.ask(request)

    def _renew(self) -> None:
        with self._scope.services.database.write() as transaction:
            self._renew_in(transaction)

    def _renew_in(self, transaction: Transaction) -> None:
        lease = timedelta(seconds=self._scope.options.lease_s)
        expires_at = self._scope.services.clock.now() + lease
        state.renew(transaction, self._scope.held, expires_at=expires_at)
        self._driver.slots.renew(transaction, expires_at)
