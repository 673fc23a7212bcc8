# SPDX-License-Identifier: Apache-2.0
"""Drives backfills in the server: notes what came of launches, and asks for the next ones.

Each round of a backfill is one transaction of the leader. Whatever dies between two of them, the
next leader goes on from the sets that are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mainstem import state
from mainstem.database import Database, Transaction
from mainstem.errors import LeaseLost, MainstemError, RemoteError
from mainstem.graph import Graph
from mainstem.project import Project
from mainstem.service.backfill.machine import (
    AssetWork,
    Chunk,
    Pace,
    fly,
    is_over,
    next_chunks,
    settle,
)
from mainstem.service.backfill.outcome import outcome
from mainstem.service.backfill.work import (
    built_set,
    partitioned_graph,
    stored_asset,
    stored_set,
    works_of,
)
from mainstem.service.bus import EventBus
from mainstem.service.trigger import LeaderWrite
from mainstem.state import Backfill, BackfillLaunch, BackfillStatus, Launch, LaunchRequest
from mainstem.types import AssetKey

_LOOK = timedelta(seconds=5)
"""Other processes make and change backfills."""
_GOING_ON = frozenset({"queued", "running"})


class BackfillRounds:
    """A trigger: one round over all open backfills.

    Args:
        database: Where backfills and launches are.
        project_of: The project that a launch acts on.
        bus: Told when a backfill moved on.
    """

    name = "backfills"
    hears_runs = True

    def __init__(
        self,
        database: Database,
        project_of: Callable[[LaunchRequest], Project],
        bus: EventBus,
    ) -> None:
        self._database = database
        self._project_of = project_of
        self._bus = bus

    def turn(self, write: LeaderWrite, now: datetime) -> datetime | None:
        """Let every open backfill go a step further."""
        with self._database.read() as transaction:
            found = state.open_backfills(transaction)
        for backfill in found:
            try:
                changed = self._advance(backfill, write, now)
            except (LeaseLost, RemoteError):
                raise
            except MainstemError as error:
                changed = self._set_aside(backfill, error, write, now)
            if changed:
                self._bus.publish("backfill", "changed", facts={"backfill": backfill.id})
        return now + _LOOK

    def _advance(self, backfill: Backfill, write: LeaderWrite, now: datetime) -> bool:
        project = self._project_of(_request(backfill))
        graph = partitioned_graph(project)
        _ = project.lake  # opened before the transaction: opening it may write
        with write() as transaction:
            current = state.backfill_of(transaction, backfill.id)
            assert current is not None, "backfills are not deleted"
            flight = _Flight(
                backfill=current,
                graph=graph,
                transaction=transaction,
                works=works_of(
                    graph,
                    state.backfill_assets(transaction, backfill.id),
                    state.backfill_launches(transaction, backfill.id),
                    now=now,
                ),
            )
            ended = self._note_ends(flight, project)
            chunks = _start(flight, now) if current.status == "running" else []
            if ended or chunks:
                state.save_backfill_assets(
                    transaction,
                    backfill.id,
                    [stored_asset(work, at) for at, work in enumerate(flight.works.values())],
                )
            is_done = current.status == "running" and is_over(flight.works, flying=flight.flying)
            if is_done:
                whole = all(work.done == work.target for work in flight.works.values())
                end: BackfillStatus = "succeeded" if whole else "failed"
                state.move_backfill(transaction, backfill.id, end, now=now)
        return bool(ended or chunks or is_done)

    def _set_aside(
        self, backfill: Backfill, error: MainstemError, write: LeaderWrite, now: datetime
    ) -> bool:
        """Let one that the project does not fit any more wait until somebody looks."""
        if backfill.status == "paused":
            return False  # when its assets are back, it is told how its launches ended
        with write() as transaction:
            current = state.backfill_of(transaction, backfill.id)
            if current is not None and current.status == "running":
                note = f"{error.code}: {error}"
                state.move_backfill(transaction, backfill.id, "paused", now=now, note=note)
                return True
            # It is over: nobody asks any more what came of its launches.
            return _forget_ended(transaction, backfill.id)

    def _note_ends(self, flight: _Flight, project: Project) -> int:
        ended = 0
        for stored in state.backfill_launches(flight.transaction, flight.backfill.id):
            launch = state.launch_of(flight.transaction, stored.launch_id)
            if launch is not None and launch.status in _GOING_ON:
                flight.flying += 1
                continue
            self._note_end(flight, project, stored, launch)
            ended += 1
        return ended

    def _note_end(
        self,
        flight: _Flight,
        project: Project,
        stored: BackfillLaunch,
        launch: Launch | None,
    ) -> None:
        key = next(key for key in flight.works if key.folded == stored.asset)
        some = stored_set(flight.graph, key, stored.partitions)
        work = flight.works[key]
        if launch is None:
            # It was forgotten before its end was noted: the run tells again what is up to date.
            work = settle(work, some, done=some - some, failed=some - some)
        else:
            steps = self._steps(flight.transaction, project, launch, key)
            built = built_set(project, flight.graph, key)
            done, failed = outcome(launch, some, steps, built)
            took_s = _seconds(launch)
            work = settle(work, some, done=done, failed=failed, took_s=took_s)
        flight.works[key] = work
        state.forget_backfill_launch(flight.transaction, flight.backfill.id, stored.launch_id)

    def _steps(
        self, transaction: Transaction, project: Project, launch: Launch, key: AssetKey
    ) -> Sequence[state.PartitionStep]:
        if launch.run_id is None:
            return ()
        if project.services.database is self._database:
            return state.partition_steps(transaction, launch.run_id, key)
        with project.services.database.read() as own:
            return state.partition_steps(own, launch.run_id, key)


@dataclass(slots=True, kw_only=True)
class _Flight:
    """One backfill within one transaction."""

    backfill: Backfill
    graph: Graph
    transaction: Transaction
    works: dict[AssetKey, AssetWork]
    flying: int = 0
    """Launches that have not ended."""


def pace_of(backfill: Backfill) -> Pace:
    """Give how a backfill may go about its work."""
    return Pace(parallel=backfill.parallel, chunk=backfill.chunk, order=backfill.order)


def _start(flight: _Flight, now: datetime) -> list[Chunk]:
    chunks = next_chunks(flight.works, pace_of(flight.backfill), flying=flight.flying)
    for chunk in chunks:
        text = chunk.some.text(is_stored=True)
        launch_id = state.enqueue(
            flight.transaction, _request(flight.backfill, {str(chunk.key): text}), now=now
        )
        assert launch_id is not None, "launches of backfills have no run key"
        state.add_backfill_launch(
            flight.transaction,
            flight.backfill.id,
            BackfillLaunch(launch_id=launch_id, asset=chunk.key.folded, partitions=text),
        )
        flight.works[chunk.key] = fly(flight.works[chunk.key], chunk.some)
        flight.flying += 1
    return chunks


def _request(backfill: Backfill, partitions: Mapping[str, str] | None = None) -> LaunchRequest:
    options = dict(backfill.request.get("options") or {})
    return LaunchRequest(
        origin="backfill",
        source=str(backfill.id),
        environment=backfill.environment,
        branch=backfill.branch,
        select=tuple(partitions or ()),
        partitions=partitions or {},
        options={**options, "threads": max(1, backfill.parallel)},
        priority=backfill.priority,
        cause={"backfill": backfill.id},
    )


def _forget_ended(transaction: Transaction, backfill_id: int) -> bool:
    ended = [
        stored
        for stored in state.backfill_launches(transaction, backfill_id)
        if (launch := state.launch_of(transaction, stored.launch_id)) is None
        or launch.status not in _GOING_ON
    ]
    for stored in ended:
        state.forget_backfill_launch(transaction, backfill_id, stored.launch_id)
    return bool(ended)


def _seconds(launch: Launch) -> float:
    if launch.started_at is None or launch.finished_at is None:
        return 0.0
    return max(0.0, (launch.finished_at - launch.started_at).total_seconds())
