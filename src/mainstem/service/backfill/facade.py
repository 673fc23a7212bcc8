# SPDX-License-Identifier: Apache-2.0
"""`Backfills`: made, listed, shown, steered. What the CLI and the API call.

Works on what is stored, with or without a server; only a server carries them out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from mainstem import state
from mainstem.database import Transaction
from mainstem.errors import AssetNotFound, MainstemError, SelectionInvalid, UserError
from mainstem.graph import Graph
from mainstem.project import Project, permit
from mainstem.service.backfill.driver import pace_of
from mainstem.service.backfill.machine import AssetWork, retried, seconds_left, stuck
from mainstem.service.backfill.work import partitioned_graph, stored_asset, targets_of, works_of
from mainstem.state import Backfill
from mainstem.types import AssetKey

_OVER = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfilledAsset:
    """One asset of a backfill: how many partitions, and which failed."""

    key: AssetKey
    target: int
    done: int
    failed: int
    flying: int
    """In launches that wait or run."""
    stuck: int
    """Not begun because something that they read failed."""
    partitions: str
    """The target as text."""
    failed_partitions: str
    flying_partitions: str
    seconds_each: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillReport:
    """A backfill as it is now."""

    backfill: Backfill
    assets: tuple[BackfilledAsset, ...]
    launches: tuple[int, ...]
    """That have not ended."""
    seconds_left: float | None
    """Estimated from what its partitions took so far; nothing before the first is done."""

    @property
    def target(self) -> int:
        """Partitions of all assets."""
        return sum(asset.target for asset in self.assets)

    @property
    def done(self) -> int:
        """Those that came through."""
        return sum(asset.done for asset in self.assets)

    @property
    def failed(self) -> int:
        """Those that did not."""
        return sum(asset.failed for asset in self.assets)


class Backfills:
    """The backfills of a project.

    Args:
        project: Where; its environment and branch are those of new backfills.
        wake: Called when there may be something to do; a server passes its bell.
    """

    def __init__(self, project: Project, *, wake: Callable[[], None] | None = None) -> None:
        self._project = project
        self._database = project.services.database
        self._wake = wake

    def create(
        self,
        select: Sequence[str],
        exclude: Sequence[str] = (),
        *,
        partitions: str = "",
        only: Sequence[Literal["missing", "failed"]] = (),
        pace: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        asked_by: str = "",
        dry_run: bool = False,
    ) -> BackfillReport:
        """Store a backfill; a server begins it within seconds.

        Args:
            select: Assets (dbt's grammar).
            exclude: Assets to leave out.
            partitions: Range of the assets on top; those below follow from it. Empty: all.
            only: `missing`, `failed`, or both: either of them.
            pace: `parallel`, `chunk`, `order`, `priority`.
            options: Of its runs: `rebuild`, `full_refresh`, `force`, `publish`, `retries`, `vars`;
                `yes` if a protected environment is meant.
            asked_by: Who.
            dry_run: Say what it would be, and store nothing.

        Raises:
            SelectionInvalid: There is nothing to fill, or the range cannot be read.
            UserError: The environment is protected, and it was not meant or the git tree is dirty.
        """
        project, now = self._project, self._project.clock.now()
        if not dry_run:
            # Said now, to whoever asks, rather than by each of its launches.
            permit(project, is_meant=bool((options or {}).get("yes")))
        keys = [asset.key for asset in project.select(select, exclude)]
        assets = self._wanted(keys, partitions, only, now)
        backfill = Backfill(
            id=0,
            status="running",
            created_at=now,
            environment=project.environment,
            branch=project.branch,
            request={
                "select": list(select),
                "exclude": list(exclude),
                "partitions": partitions,
                "only": list(only),
                "options": dict(options or {}),
            },
            asked_by=asked_by,
            **_checked(pace or {}),
        )
        if dry_run:
            return self._report_of(backfill, assets, (), now)
        with self._database.write() as transaction:
            stored = state.add_backfill(transaction, backfill, assets)
        report = self._report_of(stored, assets, (), now)
        self._ring()
        return report

    def list(self, *, limit: int = 20) -> list[BackfillReport]:
        """List backfills, newest first."""
        now = self._project.clock.now()
        with self._database.read() as transaction:
            found = state.backfills(transaction, limit=limit)
            ids = [backfill.id for backfill in found]
            assets = state.assets_of_backfills(transaction, ids)
            launches = state.launches_of_backfills(transaction, ids)
        graph = partitioned_graph(self._project)
        return [
            self._report_of(
                backfill, assets.get(backfill.id, ()), launches.get(backfill.id, ()), now, graph
            )
            for backfill in found
        ]

    def show(self, backfill_id: int) -> BackfillReport:
        """Tell how far a backfill is.

        Raises:
            AssetNotFound: There is none of that number.
        """
        with self._database.read() as transaction:
            return self._report(
                transaction, _found(transaction, backfill_id), self._project.clock.now()
            )

    def pause(self, backfill_id: int) -> BackfillReport:
        """Start nothing new; what flies may land."""
        with self._changing(backfill_id) as (transaction, backfill):
            _require(backfill, {"running"}, "paused")
            state.move_backfill(transaction, backfill_id, "paused", now=self._project.clock.now())
        return self.show(backfill_id)

    def resume(self, backfill_id: int) -> BackfillReport:
        """Go on."""
        with self._changing(backfill_id) as (transaction, backfill):
            _require(backfill, {"paused"}, "resumed")
            state.move_backfill(transaction, backfill_id, "running", now=self._project.clock.now())
        return self.show(backfill_id)

    def cancel(self, backfill_id: int) -> BackfillReport:
        """Start nothing new for good, and stop what flies."""
        now = self._project.clock.now()
        with self._changing(backfill_id) as (transaction, backfill):
            _require(backfill, {"running", "paused"}, "cancelled")
            for stored in state.backfill_launches(transaction, backfill_id):
                state.cancel_launch(transaction, stored.launch_id, now=now)
            state.move_backfill(transaction, backfill_id, "cancelled", now=now)
        return self.show(backfill_id)

    def retry(self, backfill_id: int) -> BackfillReport:
        """Do again what failed, and what was stuck behind it; one that was cancelled goes on."""
        now = self._project.clock.now()
        with self._changing(backfill_id) as (transaction, backfill):
            _require(backfill, {"running", "paused", "failed", "cancelled"}, "retried")
            works = self._works(transaction, backfill_id, now)
            state.save_backfill_assets(
                transaction,
                backfill_id,
                [stored_asset(retried(work), at) for at, work in enumerate(works.values())],
            )
            state.move_backfill(transaction, backfill_id, "running", now=now)
        return self.show(backfill_id)

    def edit(self, backfill_id: int, **pace: Any) -> BackfillReport:
        """Change `parallel`, `chunk`, `order` or `priority` while it goes on."""
        checked = _checked(pace)
        with self._changing(backfill_id) as (transaction, backfill):
            _require(backfill, {"running", "paused"}, "changed")
            state.change_backfill(transaction, backfill_id, **checked)
        return self.show(backfill_id)

    def _wanted(
        self, keys: Sequence[AssetKey], partitions: str, only: Sequence[str], now: datetime
    ) -> Sequence[state.BackfillAsset]:
        with self._database.read() as transaction:
            targets = targets_of(
                self._project,
                transaction,
                keys,
                partitions=partitions,
                missing="missing" in only,
                failed="failed" in only,
                now=now,
            )
        wanted = {key: some for key, some in targets.items() if some}
        if not wanted:
            raise SelectionInvalid(
                "A6412",
                "No partition is left to fill: all that were selected are there.",
                hint="To build them anew all the same, leave --missing and --failed out.",
            )
        return [
            state.BackfillAsset(key=key, position=at, target=some.text(is_stored=True))
            for at, (key, some) in enumerate(wanted.items())
        ]

    @contextmanager
    def _changing(self, backfill_id: int) -> Iterator[tuple[Transaction, Backfill]]:
        with self._database.write() as transaction:
            yield transaction, _found(transaction, backfill_id)
        self._ring()

    def _ring(self) -> None:
        if self._wake is not None:
            self._wake()

    def _works(
        self, transaction: Transaction, backfill_id: int, now: datetime
    ) -> dict[AssetKey, AssetWork]:
        return works_of(
            partitioned_graph(self._project),
            state.backfill_assets(transaction, backfill_id),
            state.backfill_launches(transaction, backfill_id),
            now=now,
        )

    def _report(
        self, transaction: Transaction, backfill: Backfill, now: datetime
    ) -> BackfillReport:
        return self._report_of(
            backfill,
            state.backfill_assets(transaction, backfill.id),
            state.backfill_launches(transaction, backfill.id),
            now,
        )

    def _report_of(
        self,
        backfill: Backfill,
        assets: Sequence[state.BackfillAsset],
        launches: Sequence[state.BackfillLaunch],
        now: datetime,
        graph: Graph | None = None,
    ) -> BackfillReport:
        try:
            graph = graph or partitioned_graph(self._project)
            works = works_of(graph, assets, launches, now=now)
        except MainstemError:
            # Its assets are not what they were: it is listed all the same, and says why it waits.
            works = {}
        held = stuck(works)
        is_over = backfill.status in _OVER
        return BackfillReport(
            backfill=backfill,
            assets=tuple(_asset(work, held[key].count) for key, work in works.items()),
            launches=tuple(launch.launch_id for launch in launches),
            seconds_left=None if is_over else seconds_left(works, pace_of(backfill)),
        )


def _asset(work: AssetWork, stuck_count: int) -> BackfilledAsset:
    return BackfilledAsset(
        key=work.key,
        target=work.target.count,
        done=work.done.count,
        failed=work.failed.count,
        flying=work.flying.count,
        stuck=stuck_count,
        partitions=work.target.text(),
        failed_partitions=work.failed.text(),
        flying_partitions=work.flying.text(),
        seconds_each=work.seconds_each,
    )


def _found(transaction: Transaction, backfill_id: int) -> Backfill:
    found = state.backfill_of(transaction, backfill_id)
    if found is None:
        raise AssetNotFound(
            "A6413",
            f"There is no backfill {backfill_id}.",
            hint="See them all: mainstem backfill list",
        )
    return found


def _require(backfill: Backfill, allowed: set[str], what: str) -> None:
    if backfill.status not in allowed:
        raise UserError(
            "A6414",
            f"Backfill {backfill.id} is {backfill.status}, so it cannot be {what}.",
            hint=f"See how far it is: mainstem backfill show {backfill.id}",
        )


def _checked(pace: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in pace.items() if value is not None}
    for name in ("parallel", "chunk"):
        if given.get(name, 1) < 0:
            raise UserError("A6415", f"`{name}` of a backfill is {given[name]}; allowed is 0 on.")
    if given.get("order", "oldest") not in {"oldest", "newest"}:
        raise UserError("A6415", f"`order` is `{given['order']}`; allowed is oldest or newest.")
    return given
