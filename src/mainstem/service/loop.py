# SPDX-License-Identifier: Apache-2.0
"""The loop of a server: short turns in one thread; whatever may take long happens elsewhere.

A turn records what has ended, keeps (or takes) the lead, asks what is due, and starts what waits.
It is woken by launches of this process, ends of runs, deadlines, and commits of other processes,
who may have asked for a launch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from mainstem import state
from mainstem.config import ServeSettings
from mainstem.database import Database
from mainstem.errors import LeaseLost, MainstemError, RemoteError
from mainstem.service.bell import Bell
from mainstem.service.bus import EventBus
from mainstem.service.claims import Claims, Settled
from mainstem.service.files import Files
from mainstem.service.launcher import Ended, Launcher
from mainstem.service.leadership import Leadership
from mainstem.service.stopping import Stop, next_stop
from mainstem.service.triggers import Triggers
from mainstem.state import LaunchStatus, ProcessIdentity, Weights
from mainstem.types import Clock, dataclass

_POLL_S = 1.0
"""Between two turns when nothing rings."""
_STOPPING_S = 0.2
_BEAT_S = 2.0
"""Between two renewals of what this server holds; also how soon a cancel by others is seen."""
_ROUND_S = 5.0
"""Between two looks for launches of servers that are gone; more often where leases are short."""

_WHOLE: Mapping[str, LaunchStatus] = {"succeeded": "succeeded", "held": "held"}
"""Runs after which nothing is left to do, whatever was raised behind them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the loop turns."""

    database: Database
    clock: Clock
    process: ProcessIdentity
    bus: EventBus
    leadership: Leadership
    launcher: Launcher
    claims: Claims
    triggers: Triggers
    files: Files
    settings: Callable[[], ServeSettings]
    upkeep: Callable[[], None]
    """Forgets what is old; called about once an hour while the server leads."""
    on_lead: Callable[[], None]
    """Called whenever the server begins to lead."""


class Loop:
    """Turns until it is stopped; `turn` is one step, for tests that own the clock."""

    def __init__(self, parts: Parts, bell: Bell) -> None:
        self._parts = parts
        self._bell = bell
        self._noticed: int | None = -1
        """Fence of the lead that was told of last; nothing on standby."""
        self._beat_s = self._round_s = float("-inf")
        self._asked_to_stop = 0
        self._stops_for_good = False
        self._stop: Stop | None = None
        self.trouble: MainstemError | None = None
        """Why the last turn failed; nothing when it did not."""

    @property
    def is_stopping(self) -> bool:
        """Whether nothing new is started any more."""
        return self._asked_to_stop > 0

    def stop(self, *, for_good: bool) -> None:
        """Ask to stop; asked twice, what runs is cancelled at once.

        Args:
            for_good: Launches that run are cancelled at once. Otherwise they have time to end by
                themselves, and those that do not go back into the queue, for the next server.
        """
        self._stops_for_good = for_good
        self._asked_to_stop += 1
        self._bell.ring()

    def run(self) -> None:
        """Turn until stopped."""
        self._bell.listen(self._parts.database.watch())
        try:
            while self._stop is None or self._stop.stage != "over":
                self._bell.wait(self.turn())
        finally:
            self._bell.listen(None)

    def turn(self) -> float:
        """Do what is due now; gives the seconds until the next turn, unless something wakes it."""
        try:
            wait_s = self._turn()
        except LeaseLost:
            self._notice_lead()
            return 0.0
        except RemoteError as error:
            # The database is locked, gone or full: runs have their own guard, the server waits.
            if self.trouble is None or self.trouble.code != error.code:
                self._parts.bus.publish("server", "troubled", facts=dict(error.to_json()))
            self.trouble = error
            return 1.0
        self.trouble = None
        return wait_s

    def _turn(self) -> float:
        parts = self._parts
        if self.is_stopping:
            return self._wind_down()
        self._record_ends()
        self._beat()
        parts.leadership.keep()
        self._notice_lead()
        waits = [_POLL_S, parts.files.turn()]
        if parts.leadership.leads:
            self._settle()
            waits.append(self._until(parts.triggers.turn()))
            waits.append(self._claim())
        return min(wait for wait in waits if wait is not None)

    def _until(self, when: datetime | None) -> float | None:
        if when is None:
            return None
        return max(0.0, (when - self._parts.clock.now()).total_seconds())

    def _notice_lead(self) -> None:
        parts = self._parts
        fence = parts.leadership.fence
        if fence == self._noticed:
            return
        # Another fence is another lead: somebody else may have led in between.
        self._noticed, leads = fence, fence is not None
        parts.bus.publish("server", "leading" if leads else "standby")
        if leads:
            self._round_s = float("-inf")
            parts.on_lead()

    def _record_ends(self) -> None:
        parts = self._parts
        ended = parts.launcher.ended()
        if not ended:
            return
        now = parts.clock.now()
        try:
            ended = [self._judged(one) for one in ended]
            with parts.database.write() as transaction:
                recorded = [
                    state.requeue_launch(transaction, _with_run(one), not_before=now)
                    if one.is_again
                    else state.finish_launch(
                        transaction, one.launch, status=one.status, now=now, error=one.error
                    )
                    for one in ended
                ]
        except BaseException:
            parts.launcher.put_back(ended)
            raise
        for one, is_ours in zip(ended, recorded, strict=True):
            self._tell_end(one, is_ours=is_ours)
        parts.triggers.call(of_runs=True)

    def _judged(self, ended: Ended) -> Ended:
        """Say what becomes of a launch that raised: its run may tell otherwise, or nothing yet."""
        if not ended.error:
            return ended
        # A run that broke off may not have been able to write so: nobody else would, for its
        # process lives.
        run = self._parts.claims.end_run(_with_run(ended), ended.error)
        if run in _WHOLE:
            return replace(ended, status=_WHOLE[run], error="", is_again=False)
        settings = self._parts.settings()
        may_again = settings.lost == "requeue" and ended.launch.attempts < settings.attempts
        return replace(ended, is_again=True) if ended.is_cut_off and may_again else ended

    def _tell_end(self, ended: Ended, *, is_ours: bool) -> None:
        name = "requeued" if ended.is_again else "finished"
        self._parts.bus.publish(
            "launch",
            name if is_ours else "lost",
            launch_id=ended.launch.id,
            run_id=ended.run_id,
            facts={"status": ended.status, "error": ended.error} if is_ours else {},
        )

    def _beat(self) -> None:
        """Renew the claims of what runs here, and hear what others ask of it."""
        parts = self._parts
        now_s, hold_s = parts.clock.monotonic_s(), parts.settings().hold_s
        if now_s - self._beat_s < min(_BEAT_S, hold_s / 6) or not parts.launcher.running:
            return
        self._beat_s = now_s
        expires_at = parts.clock.now() + timedelta(seconds=hold_s)
        with parts.database.write() as transaction:
            held = state.renew_claims(transaction, parts.process, expires_at=expires_at)
        told = {one.launch.id for one in parts.launcher.running if one.stops}
        for launch in held:
            if launch.cancel_requested and launch.id not in told:
                parts.launcher.cancel(launch.id)

    def _settle(self) -> None:
        parts = self._parts
        now_s, settings = parts.clock.monotonic_s(), parts.settings()
        if now_s - self._round_s < min(_ROUND_S, settings.lease_s):
            return
        self._round_s = now_s
        with parts.database.read() as transaction:
            claimed = state.claimed_launches(transaction)
        settled = parts.claims.settle(
            claimed,
            parts.leadership.write,
            own=parts.process.owner,
            settings=settings,
        )
        for one in settled:
            self._tell_settled(one)
        parts.upkeep()

    def _tell_settled(self, settled: Settled) -> None:
        is_again = settled.verdict == "requeue"
        self._parts.bus.publish(
            "launch",
            "requeued" if is_again else "finished",
            launch_id=settled.launch.id,
            run_id=settled.launch.run_id,
            facts={} if is_again else {"status": settled.verdict},
        )

    def _claim(self) -> float | None:
        """Start what waits while slots are free; gives the seconds until a launch is due."""
        parts = self._parts
        settings = parts.settings()
        if len(parts.launcher.running) >= settings.max_runs:
            return None
        now = parts.clock.now()
        with parts.database.read() as transaction:
            if not state.has_claimable(transaction, now=now):
                due = state.next_not_before(transaction, now=now)
                return self._until(due)
        weights = Weights(fresh=settings.fresh_share, backfill=settings.backfill_share)
        claimed = []
        with parts.leadership.write() as transaction:
            while launch := state.claim_launch(
                transaction,
                process=parts.process,
                slots=settings.max_runs,
                now=now,
                expires_at=now + timedelta(seconds=settings.hold_s),
                weights=weights,
            ):
                claimed.append(launch)
        for launch in claimed:
            parts.bus.publish("launch", "claimed", launch_id=launch.id)
            parts.launcher.start(launch)
        return None

    def _wind_down(self) -> float:
        # A server whose database is gone must stop, too: whoever leads next settles what it held.
        with suppress(RemoteError):
            self._record_ends()
            self._beat()
        parts = self._parts
        now_s = parts.clock.monotonic_s()
        if self._stop is None:
            grace_s = 0.0 if self._stops_for_good else parts.settings().grace_s
            self._stop = Stop(since_s=now_s, grace_s=grace_s)
            parts.bus.publish("server", "stopping")
            with suppress(RemoteError):
                # Whoever stands by leads at once: what still runs here needs no lead to end.
                parts.leadership.give_up()
        before = self._stop
        self._stop = next_stop(
            before,
            now_s=now_s,
            running=len(parts.launcher.running),
            is_urgent=self._asked_to_stop > 1,
        )
        if self._stop.stage != before.stage and self._stop.stage in {"cancelling", "killing"}:
            for one in parts.launcher.running:
                parts.launcher.cancel(one.launch.id, for_good=self._stops_for_good)
        if self._stop.stage == "over":
            self._record_ends()
            return 0.0
        return _STOPPING_S


def _with_run(ended: Ended) -> state.Launch:
    """Give the launch as it is now in the database: with the run that it became."""
    return replace(ended.launch, run_id=ended.run_id)
