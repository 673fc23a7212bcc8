# SPDX-License-Identifier: Apache-2.0
"""Being the leader: taking the lead, keeping it, losing it; and the one door for leader's writes.

Whether another leader is gone is judged by watching it, not by comparing clocks: a row that does
not change for the length of a lease, on our own monotonic clock. So neither a clock that jumps nor
two machines that disagree about the time can make two leaders; the fence would stop the second one
in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from mainstem import state
from mainstem.database import Database, Transaction
from mainstem.errors import LeaseLost
from mainstem.state import Leader, ProcessIdentity
from mainstem.types import Clock, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A leader, as it was when we first saw it in this state."""

    fence: int
    beats: int
    since_s: float
    """On our monotonic clock."""


def is_gone(
    seen: Leader | None, watched: Watched | None, *, now_s: float, lease_s: float, is_dead: bool
) -> bool:
    """Tell whether somebody else may lead.

    Args:
        seen: The row as it is.
        watched: The row as we watch it; nothing if it was never looked at.
        now_s: Our monotonic clock.
        lease_s: How long a leader may be silent.
        is_dead: The leader's process is known not to live any more.
    """
    if seen is None or seen.process is None or is_dead:
        return True
    if watched is None or (watched.fence, watched.beats) != (seen.fence, seen.beats):
        return False
    return now_s - watched.since_s >= lease_s


class Leadership:
    """The lead of one server over one database.

    Args:
        database: The one whose launches it leads.
        process: This server.
        clock: Source of time.
        lease_s: How long a leader may be silent; it renews three times as often.
        is_dead: Whether a process of this machine is known to be gone.
    """

    def __init__(
        self,
        database: Database,
        process: ProcessIdentity,
        *,
        clock: Clock,
        lease_s: float,
        is_dead: Callable[[ProcessIdentity], bool],
    ) -> None:
        self._database = database
        self._process = process
        self._clock = clock
        self._lease_s = lease_s
        self._is_dead = is_dead
        self._watched: Watched | None = None
        self._renewed_s = 0.0
        self.fence: int | None = None
        """While it leads."""
        self.since: datetime | None = None
        self.leader: Leader | None = None
        """Who leads, as last seen."""
        self.address = ""
        """Where this server answers HTTP."""

    @property
    def leads(self) -> bool:
        """Whether it leads, as far as it knows; writes make sure."""
        return self.fence is not None

    @property
    def renew_every_s(self) -> float:
        """Time between two renewals."""
        return self._lease_s / 3

    def keep(self) -> bool:
        """Renew the lead if it is time to, or take it if nobody has it; tells whether we lead."""
        if self.fence is not None:
            if self._clock.monotonic_s() - self._renewed_s >= self.renew_every_s:
                self._renew(self.fence)
            return self.leads
        with self._database.read() as transaction:
            self.leader = state.leader(transaction)
        if self._is_vacant(self.leader):
            self._take(self.leader)
        return self.leads

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Open a write transaction in which this server leads.

        Raises:
            LeaseLost: It does not lead any more; nothing is written.
        """
        fence = self.fence
        with self._database.write() as transaction:
            try:
                state.compare_lead(transaction, self._process, fence or 0)
            except LeaseLost:
                self._lose()
                raise
            yield transaction

    def give_up(self) -> None:
        """Step down, so that another server leads at once."""
        if self.fence is not None:
            with self._database.write() as transaction:
                state.give_up_lead(transaction, self._process, self.fence)
            self._lose()

    def _is_vacant(self, seen: Leader | None) -> bool:
        now_s = self._clock.monotonic_s()
        is_dead = seen is not None and seen.process is not None and self._is_dead(seen.process)
        if is_gone(seen, self._watched, now_s=now_s, lease_s=self._lease_s, is_dead=is_dead):
            return True
        assert seen is not None, "nobody is never not gone"
        watched = self._watched
        if watched is None or (watched.fence, watched.beats) != (seen.fence, seen.beats):
            self._watched = Watched(fence=seen.fence, beats=seen.beats, since_s=now_s)
        return False

    def _take(self, after: Leader | None) -> None:
        now = self._clock.now()
        with self._database.write() as transaction:
            fence = state.take_lead(
                transaction,
                self._process,
                after=after,
                address=self.address,
                now=now,
                expires_at=now + timedelta(seconds=self._lease_s),
            )
            self.leader = state.leader(transaction)
        if fence is not None:
            self.fence, self.since = fence, now
            self._renewed_s = self._clock.monotonic_s()
            self._watched = None

    def _renew(self, fence: int) -> None:
        now = self._clock.now()
        try:
            with self._database.write() as transaction:
                state.renew_lead(
                    transaction,
                    self._process,
                    fence,
                    address=self.address,
                    now=now,
                    expires_at=now + timedelta(seconds=self._lease_s),
                )
        except LeaseLost:
            self._lose()
            return
        self._renewed_s = self._clock.monotonic_s()

    def _lose(self) -> None:
        self.fence = None
        self.since = None
        self._watched = None
