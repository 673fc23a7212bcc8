# SPDX-License-Identifier: Apache-2.0
"""The run's side: leaves a ticket in the database, answers, and passes on what is lost."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

from mainstem import state
from mainstem.database import Database
from mainstem.errors import Cancelled, StepFailed, Where
from mainstem.models.remote.parcel import (
    ANSWER,
    HELD_S,
    LINES,
    RENEWALS,
    REPLY,
    Parcel,
    pack,
    unpack,
)
from mainstem.models.worker.alike import own_versions
from mainstem.models.worker.exchange import Cancel
from mainstem.models.worker.message import Answer, Noted
from mainstem.models.worker.output import Log
from mainstem.state import TicketRecord
from mainstem.types import Clock

_LOOK_S = 1.0
_PATIENCE_S = 10.0
_TRIES = 3


class RemoteExecutor:
    """Meets `StepExecutor`.

    Args:
        database: Where the run's records are, and the tickets.
        name: Under `executors:`; workers are started with it.
        clock: Source of time.
        hold_s: How long this run may be silent before its tickets are dropped.
        cancel_grace_s: How long a cancelled step may take to stop before it is left alone.
    """

    def __init__(
        self,
        database: Callable[[], Database],
        name: str,
        clock: Clock,
        *,
        hold_s: float = HELD_S,
        cancel_grace_s: float = 15.0,
    ) -> None:
        self.database = database
        self.name = name
        self.clock = clock
        self.hold_s = hold_s
        self.cancel_grace_s = cancel_grace_s

    def run(
        self,
        request: object,
        *,
        asset: str,
        answer: Callable[[Any], object | None],
        log: Log,
        cancel: Cancel | None = None,
        timeout_s: float | None = None,
    ) -> Answer:
        """Carry out a request on some worker of this executor.

        Raises:
            StepFailed: It took too long, its process died, or worker after worker was lost with it.
            Cancelled: It was cancelled.
            DatabaseUnavailable: The database is gone.
        """
        parcel = Parcel(request=request, timeout_s=timeout_s, versions=own_versions())
        errand = _Errand(self, asset, pack(parcel), answer, log)
        return errand.see_through(cancel)

    def close(self) -> None:
        """Nothing is held between requests."""


class _Errand:
    """One ticket, from the counter to its last word."""

    def __init__(
        self,
        executor: RemoteExecutor,
        asset: str,
        body: bytes,
        answer: Callable[[Any], object | None],
        log: Log,
    ) -> None:
        self.executor = executor
        self.database = executor.database()
        self.clock = executor.clock
        self.asset = asset
        self.body = body
        self.answer = answer
        self.log = log
        self.id = uuid.uuid4().hex
        self.began_s = self.clock.monotonic_s()
        self.renewed_s = self.began_s
        self.fence = 0
        """Of the hold that was heard last."""
        self.heard = 0
        self.holds = 0
        self.has_complained = False
        self.stopped_s: float | None = None
        """When the worker was asked to stop."""

    def see_through(self, cancel: Cancel | None) -> Answer:
        now = self.clock.now()
        with closing(self.database.watch()) as watch:
            with self.database.write() as transaction:
                state.drop_unwanted_tickets(transaction, now=now)
                state.put_ticket(
                    transaction,
                    self.id,
                    executor=self.executor.name,
                    asset=self.asset,
                    body=self.body,
                    now=now,
                    wanted_until=now + timedelta(seconds=self.executor.hold_s),
                )
            forget = cancel.on_cancel(watch.wake) if cancel is not None else None
            try:
                while True:
                    if cancel is not None and cancel.is_cancelled:
                        self._stop()
                    last = self._look()
                    if last is not None:
                        return last
                    watch.wait(_LOOK_S)
            finally:
                if forget is not None:
                    forget()
                with self.database.write() as transaction:
                    state.drop_ticket(transaction, self.id)

    def _look(self) -> Answer | None:
        """See how the ticket stands, and do what that asks for; gives the last word if it came."""
        with self.database.read() as transaction:
            ticket = state.ticket_of(transaction, self.id)
            if ticket is None:
                raise self._lost("was removed from the database")
            if ticket.fence != self.fence and ticket.owner:
                self._taken(ticket)
            said = state.said(transaction, ticket, "up", after=self.heard)
        for message in said:
            self.heard = message.number
            if message.kind == ANSWER:
                last: Answer = unpack(message.body)
                return last
            if message.kind == LINES:
                for text, stream in unpack(message.body):
                    self.log(text, stream)
            else:
                self._reply(ticket, unpack(message.body))
        self._keep(ticket)
        return None

    def _taken(self, ticket: TicketRecord) -> None:
        self.fence, self.heard = ticket.fence, 0
        self.holds += 1
        if self.holds > 1:
            self.log(f"a worker was lost; started again on {ticket.worker}", "stderr")

    def _reply(self, ticket: TicketRecord, message: Any) -> None:
        reply = self.answer(message)
        if reply is not None:
            with self.database.write() as transaction:
                state.say(transaction, ticket, "down", [(REPLY, pack(reply))])

    def _keep(self, ticket: TicketRecord) -> None:
        """Renew what is due, and pass the ticket on if its worker is gone."""
        now, mono = self.clock.now(), self.clock.monotonic_s()
        if mono - self.renewed_s >= self.executor.hold_s / RENEWALS:
            self.renewed_s = mono
            with self.database.write() as transaction:
                until = now + timedelta(seconds=self.executor.hold_s)
                state.want_ticket(transaction, self.id, until=until)
        if ticket.status == "taken" and ticket.held_until <= now:
            if self.holds >= _TRIES:
                raise self._lost(f"was given to {self.holds} workers, and each of them was lost")
            with self.database.write() as transaction:
                state.pass_ticket_on(transaction, ticket, now=now)
        is_late = mono - self.began_s >= _PATIENCE_S
        if ticket.status == "waiting" and not self.holds and is_late and not self.has_complained:
            self.has_complained = True
            waits = f"waits for a worker; start one: mainstem worker {self.executor.name}"
            self.log(waits, "stderr")
            self.answer(Noted(text=waits, is_progress=True))

    def _stop(self) -> None:
        """Ask the worker to stop; give up on one that does not."""
        mono = self.clock.monotonic_s()
        is_held = True
        if self.stopped_s is None:
            self.stopped_s = mono
            with self.database.write() as transaction:
                is_held = state.cancel_ticket(transaction, self.id)
        if not is_held or mono - self.stopped_s > self.executor.cancel_grace_s:
            where = Where(asset=self.asset)
            raise Cancelled("A7109", f"{self.asset} was cancelled.", where=where)

    def _lost(self, how: str) -> StepFailed:
        return StepFailed(
            "A7112",
            f"{self.asset} {how}.",
            hint="See what ended the workers; often memory runs out. Then run again.",
            where=Where(asset=self.asset),
        )
