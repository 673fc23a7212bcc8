# SPDX-License-Identifier: Apache-2.0
"""What becomes of launches whose server went away: verdicts, and the leader's round of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Literal

from mainstem import state
from mainstem.config import ServeSettings
from mainstem.database import Transaction
from mainstem.errors import UserError
from mainstem.project import Project
from mainstem.runs import bury
from mainstem.service.trigger import LeaderWrite
from mainstem.state import Launch, LaunchRequest, ProcessIdentity
from mainstem.types import Clock, dataclass

Holder = Literal["alive", "dead", "silent"]
End = Literal["succeeded", "held", "failed", "cancelled", "lost"]
Verdict = Literal["keep", "requeue"] | End

_ENDED: dict[str, End] = {
    "succeeded": "succeeded",
    "nothing_to_do": "succeeded",
    "held": "held",
    "failed": "failed",
    "cancelled": "cancelled",
}


def judge_claim(launch: Launch, run: str, *, holder: Holder, settings: ServeSettings) -> Verdict:
    """Say what becomes of a launch that some server claimed.

    Args:
        launch: The launch.
        run: Status of the run that it became; empty if there is none.
        holder: What is known of the server.
        settings: Of the project.
    """
    if holder == "alive":
        return "keep"
    if run in _ENDED:
        # It died between the end of the run and that of the launch: nothing is left to do.
        return _ENDED[run]
    if launch.cancel_requested:
        return "cancelled"
    if not run:
        return "requeue" if launch.attempts < settings.attempts else "lost"
    again = settings.lost == "requeue" and launch.attempts < settings.attempts
    return "requeue" if again else "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A launch that was taken from a server that went away."""

    launch: Launch
    verdict: Verdict


class Claims:
    """Watches the claims of other servers for one that leads.

    Args:
        clock: Source of time.
        is_dead: Whether a process of this machine is known to be gone.
        project_of: Where a launch's run is recorded.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        is_dead: Callable[[ProcessIdentity], bool],
        project_of: Callable[[LaunchRequest], Project],
    ) -> None:
        self._clock = clock
        self._is_dead = is_dead
        self._project_of = project_of
        self._seen: dict[int, tuple[object, float]] = {}

    def settle(
        self,
        claimed: Collection[Launch],
        write: LeaderWrite,
        *,
        own: str,
        settings: ServeSettings,
    ) -> list[Settled]:
        """Free the launches of servers that are gone.

        Args:
            claimed: All launches that some server holds.
            write: The leader's transactions.
            own: Owner that this server claims with.
            settings: Of the project.
        """
        self._seen = {one.id: self._seen[one.id] for one in claimed if one.id in self._seen}
        found = []
        for launch in claimed:
            if launch.process is None or launch.process.owner == own:
                continue
            holder = self._holder(launch, settings.hold_s)
            if holder != "alive":
                verdict = self._settle(launch, holder, write, settings)
                if verdict != "keep":
                    found.append(Settled(launch=launch, verdict=verdict))
        return found

    def end_run(self, launch: Launch, why: str) -> str:
        """Make sure that the run of a launch is over, whatever its process still does.

        Returns:
            The run's status; empty if there is none.
        """
        if launch.run_id is None:
            return ""
        try:
            project = self._project_of(launch.request)
        except UserError:
            # Its environment is not in the project any more, so nobody can run there.
            return ""
        database, lake = project.services.database, project.lake
        with database.write() as transaction:
            run = state.run_of(transaction, launch.run_id)
            if run is not None and run.status == "running":
                on_end = project.recording.end_run
                bury(transaction, lake, run.id, clock=self._clock, why=why, on_end=on_end)
                return "crashed"
        return run.status if run is not None else ""

    def _holder(self, launch: Launch, silence_s: float) -> Holder:
        assert launch.process is not None, "a claimed launch has a holder"
        if self._is_dead(launch.process):
            return "dead"
        now_s, state_seen = self._clock.monotonic_s(), (launch.fence, launch.expires_at)
        before = self._seen.get(launch.id)
        if before is None or before[0] != state_seen:
            self._seen[launch.id] = (state_seen, now_s)
            return "alive"
        return "silent" if now_s - before[1] >= silence_s else "alive"

    def _settle(
        self, launch: Launch, holder: Holder, write: LeaderWrite, settings: ServeSettings
    ) -> Verdict:
        why = "its server died" if holder == "dead" else "its server fell silent"
        run = self.end_run(launch, why)
        verdict = judge_claim(launch, run, holder=holder, settings=settings)
        if verdict == "lost":
            # Before it is recorded: whoever follows a kill in between says the same again.
            self._tell_lost(launch)
        with write() as transaction:
            changed = self._record(transaction, launch, verdict)
        return verdict if changed else "keep"

    def _tell_lost(self, launch: Launch) -> None:
        with contextlib.suppress(UserError):  # its environment is not in the project any more
            project = self._project_of(launch.request)
            project.recording.tell_lost(launch, _lost(launch), branch=project.branch)

    def _record(self, transaction: Transaction, launch: Launch, verdict: Verdict) -> bool:
        now = self._clock.now()
        match verdict:
            case "keep":
                return False
            case "requeue":
                # At once the first time, later each time: what kills servers must not do so fast.
                wait = timedelta(seconds=10 * (launch.attempts - 1))
                return state.requeue_launch(transaction, launch, not_before=now + wait)
            case "lost":
                return state.finish_launch(
                    transaction, launch, status="lost", now=now, error=_lost(launch)
                )
            case ended:
                return state.finish_launch(transaction, launch, status=ended, now=now)


def _lost(launch: Launch) -> str:
    times = "once" if launch.attempts == 1 else f"{launch.attempts} times"
    return f"the server died {times} while it ran"
