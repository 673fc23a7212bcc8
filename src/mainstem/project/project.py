# SPDX-License-Identifier: Apache-2.0
"""`Project`: one folder, one graph, one lake, wired together. What the CLI and programs call.

The composition root: nobody below knows all packages, and nothing here decides anything that a
package below could.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Self

from mainstem import lake, runs  # what carries out a run is imported by the first one
from mainstem.config import Settings, load_variables
from mainstem.errors import AssetNotFound, MainstemError, RefNotFound
from mainstem.graph import (
    Asset,
    Graph,
    Plan,
    select,
)
from mainstem.project.late import Late
from mainstem.project.loaded import LoadedProject, LoadRequest
from mainstem.project.location import branch_of, find_project
from mainstem.project.problems import raise_problems
from mainstem.project.running import (
    Kinds,
    lease_of_runs,
    noting,
    options_of_plan,
    options_of_run,
    pools_of,
    project_tables,
    run_options,
)
from mainstem.project.services import Services
from mainstem.project.sharing import Shared
from mainstem.project.snapshot import load_project
from mainstem.types import AssetKey, CheckResult, Clock, SystemClock

if TYPE_CHECKING:
    import pyarrow as pa

    from mainstem import state
    from mainstem.config import Setting
    from mainstem.database import Transaction
    from mainstem.lake import Commit, Lake, MergeResult
    from mainstem.project import describe, merging, partitions, planning, recording, run_log
    from mainstem.project.automating import Automation
    from mainstem.project.compare import Comparison
    from mainstem.project.describe import DescribedAsset, ListedAsset, RunDetail
    from mainstem.project.lineage import LineageNode
    from mainstem.project.partitions import PartitionsStatus
    from mainstem.project.planning import Planning
    from mainstem.project.recording import Recording
    from mainstem.project.run_log import LogEntry, RunLogReader
    from mainstem.project.work import Work
    from mainstem.runs import RunControl, RunEvent, RunFinished
    from mainstem.runs import Services as RunServices
    from mainstem.state import RunRecord
else:
    state = Late("mainstem.state")
    describe = Late("mainstem.project.describe")
    merging = Late("mainstem.project.merging")
    partitions = Late("mainstem.project.partitions")
    planning = Late("mainstem.project.planning")
    recording = Late("mainstem.project.recording")
    run_log = Late("mainstem.project.run_log")

Selection = Sequence[str]


def open_project(
    folder: str | Path = ".",
    *,
    environment: str | None = None,
    branch: str | None = None,
    vars: Mapping[str, Any] | None = None,  # noqa: A002  # the word of GRAMMAR and of `--vars`
    clock: Clock | None = None,
    shared: Shared | None = None,
) -> Project:
    """Open the project in a folder, or in the nearest one above it.

    Args:
        folder: Where to look for mainstem.yml.
        environment: One of mainstem.yml's; its default one without.
        branch: Of the lake; the environment's without.
        vars: Variables for models, over those of mainstem.yml.
        clock: Source of time; the machine's by default.
        shared: What other open projects of the folder hold; it stays open when this is closed.

    Raises:
        ConfigInvalid: There is no project, or its mainstem.yml is wrong.
    """
    return Project(
        find_project(Path(folder)),
        environment=environment,
        branch=branch,
        variables=vars or {},
        clock=clock or SystemClock(),
        shared=shared,
    )


class Project:
    """An open project; close it, or use it in a `with` block."""

    def __init__(
        self,
        folder: Path,
        *,
        environment: str | None,
        branch: str | None,
        variables: Mapping[str, Any],
        clock: Clock,
        shared: Shared | None = None,
    ) -> None:
        self.folder = folder
        self.clock = clock
        self._asked = variables
        self.control = runs.RunControl()
        process = dict(os.environ) if shared is None else shared.process
        self.services = Services(
            shared or Shared(folder, process=process, clock=clock), owns=shared is None
        )
        self.loaded: LoadedProject = load_project(
            LoadRequest(
                folder=folder,
                environment=environment,
                variables=variables,
                process=process,
                discover=self.services.discover,
            ),
            clock=clock,
        )
        chosen = self.loaded.environment
        self.variables = load_variables(folder, chosen.name, process=process)
        self.services.configure(self.loaded.settings, chosen, self.variables)
        self.environment = chosen.name
        self.branch = branch_of(chosen, asked=branch, process=process, folder=folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exit_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Release connections, memory and worker processes."""
        self.services.close()

    @property
    def name(self) -> str:
        """From mainstem.yml."""
        return self.settings.name

    @property
    def settings(self) -> Settings:
        """mainstem.yml, checked."""
        return self.loaded.settings

    @property
    def graph(self) -> Graph:
        """All assets of the project."""
        return self.loaded.graph

    @property
    def problems(self) -> tuple[MainstemError, ...]:
        """Everything wrong in the project's files."""
        return self.loaded.problems

    @property
    def lake(self) -> Lake:
        """Tables, branches, commits."""
        return self.services.lake

    @cached_property
    def work(self) -> Work:
        """What reads and writes data; imported when first needed."""
        return import_module("mainstem.project.work").Work(  # type: ignore[no-any-return]  # imported late, since it is heavy
            self.loaded, self.services, self.variables, folder=self.folder
        )

    @cached_property
    def recording(self) -> Recording:
        """Failures, alerts, and how long records are kept."""
        return recording.Recording(
            self.settings,
            self.graph,
            self.services,
            self.variables,
            environment=self.environment,
            work=lambda: self.work,
        )

    @cached_property
    def planning(self) -> Planning:
        """What makes its plans."""
        loaded, services, variables = self.loaded, self.services, self.variables
        return planning.Planning(
            loaded, services, variables, branch=self.branch, work=lambda: self.work
        )

    @cached_property
    def automation(self) -> Automation:
        """Schedules and whatever else launches runs."""
        again = partial(open_project, self.folder, clock=self.clock, shared=self.services.shared)
        made: type[Automation] = import_module("mainstem.project.automating").Automation
        return made(self, self._asked, again)

    @property
    def reading_ref(self) -> str:
        """The branch to read: that of the environment, or where it will be made from."""
        try:
            self.lake.ref(self.branch)
        except RefNotFound:
            lake.check_ref_name(self.branch)
            return self.loaded.environment.branch_from
        return self.branch

    def key(self, name: str, *, at: str | None = None) -> AssetKey:
        """Find an asset of the project, or a table of the lake, by its full or bare name."""
        found = self.graph.names.find(name)
        if found is not None:
            return found
        tables = {str(key).casefold(): key for key in self.lake.entries(at or self.reading_ref)}
        return tables.get(name.casefold()) or self.graph.resolve(name)

    def select(self, include: Selection = (), exclude: Selection = ()) -> list[Asset]:
        """Give the assets that a selection means, in building order."""
        return [self.graph[key] for key in self._keys(include, exclude)]

    def plan(
        self,
        select: Selection = (),
        exclude: Selection = (),
        **options: Any,
    ) -> Plan:
        """Say what a run would do, and why, without touching data.

        Args:
            select: Assets (dbt's grammar); all without.
            exclude: Assets to leave out.
            options: `full_refresh`, `rebuild`, `ingest`, `fresh`, `force`, `partitions`.

        Raises:
            ErrorGroup: The project's files are wrong.
            SqlInvalid: A model to be built reads a column that does not exist.
        """
        asked = self.planning.options(options)
        return self.planning.plan(self.reading_ref, asked, select, exclude)

    def run(
        self,
        select: Selection = (),
        exclude: Selection = (),
        *,
        threads: int | None = None,
        fail_fast: bool = False,
        wait: bool = True,
        on_event: Callable[[RunEvent], None] | None = None,
        on_begin: Callable[[Transaction, int], None] | None = None,
        control: RunControl | None = None,
        **options: Any,
    ) -> RunFinished:
        """Ingest, build, check and publish what is not up to date, in one commit.

        Args:
            select: Assets (dbt's grammar); all without.
            exclude: Assets to leave out.
            threads: Steps at once.
            fail_fast: Start nothing more after a failure.
            wait: Wait for a run that builds the same assets; otherwise raise `BranchBusy`.
            on_event: Told what happens, from several threads, one at a time.
            on_begin: Called with the run's id in the transaction that begins it.
            control: Stops this run; without one, `cancel` does.
            options: As for `plan`; `retries` and what else jobs say of attempts, for assets that
                say nothing of their own; `run_timeout`, `publish`.

        Raises:
            ErrorGroup: The project's files are wrong.
            ConflictError: The branch moved in a way that does not commute, three times.
        """
        raise_problems(self.problems)
        records = self.recording
        runs.recover(self.services.database, self.lake, self.clock, on_end=records.end_run)
        planned = self.planning.options(options_of_plan(options))
        asked = run_options(
            planned,
            options_of_run(options),
            threads=threads,
            fail_fast=fail_fast,
            wait=wait,
            branch_from=self.loaded.environment.branch_from,
        )
        plan = self.planning.plan(self.reading_ref, planned, select, exclude)
        with records.observing(on_event) as hear:
            finished = runs.execute(
                noting(plan, options, threads=threads, fail_fast=fail_fast, vars=self._asked),
                self._run_services(),
                options=replace(
                    asked,
                    on_begin=on_begin,
                    history_days=records.retention.steps.days,
                    **lease_of_runs(self.settings.serve),
                ),
                on_event=hear,
                control=control or self.control,
            )
        project_tables(self.lake, finished)
        records.prune_daily()
        return finished

    def _run_services(self) -> RunServices:
        kinds = Kinds(self.loaded, lambda: self.work)
        return runs.Services(
            graph=self.graph,
            lake=self.lake,
            database=self.services.database,
            engine=lambda: self.services.engine,
            step_of=kinds.step_of,
            gates_of=kinds.gates_of,
            clock=self.clock,
            random=random.random,
            pools=pools_of(self.settings),
            logs=self.services.logs,
            redactor=self.services.redactor,
            on_end=self.recording.end_run,
        )

    def cancel(self) -> None:
        """Stop the run that goes on: once cleanly, twice at once."""
        self.control.request_cancel()

    def check(
        self, select: Selection = (), exclude: Selection = (), *, at: str | None = None
    ) -> list[CheckResult]:
        """Evaluate checks on data as it is, publishing and changing nothing."""
        raise_problems(self.problems)
        return self.work.check(self._keys(select, exclude), at=at or self.reading_ref)

    def failing_rows(
        self, asset: str, check: str, *, limit: int | None = None, at: str | None = None
    ) -> pa.Table:
        """Give the rows that a check rejects."""
        ref = at or self.reading_ref
        return self.work.failing_rows(self.graph[self.key(asset)], check, at=ref, limit=limit)

    def sql(self, query: str, *, at: str | None = None, limit: int | None = None) -> pa.Table:
        """Run a query over the lake, at any branch, tag, commit or time."""
        return self.work.sql(query, at=at or self.reading_ref, limit=limit)

    def export(
        self,
        query: str,
        stream: BinaryIO,
        file_format: Literal["csv", "json", "parquet", "arrow"],
        *,
        at: str | None = None,
        limit: int | None = None,
    ) -> int:
        """Write a query's rows to a stream; gives their number."""
        return self.work.export(query, stream, file_format, at=at or self.reading_ref, limit=limit)

    def show(self, asset: str, *, limit: int = 10, at: str | None = None) -> pa.Table:
        """Give the first rows of a table or view."""
        ref = at or self.reading_ref
        return self.work.first_rows(self.key(asset, at=ref), at=ref, limit=limit)

    def preview(self, asset: str, *, limit: int = 10) -> pa.Table:
        """Run the code of a model as it is now, and write nothing."""
        raise_problems(self.problems)
        return self.work.preview(self.graph[self.key(asset)], at=self.reading_ref, limit=limit)

    def profile(self, asset: str, *, at: str | None = None) -> pa.Table:
        """Summarise the columns of a table: type, nulls, distinct values, range."""
        ref = at or self.reading_ref
        return self.work.profile(self.key(asset, at=ref), at=ref)

    def compiled(self, asset: str) -> str:
        """Give the SQL of a model as the engine gets it."""
        raise_problems(self.problems)
        return self.work.compiled(self.graph[self.key(asset)])

    def describe(self, asset: str, *, at: str | None = None) -> DescribedAsset:
        """Tell all that is known of an asset."""
        ref = at or self.reading_ref
        key = self.key(asset, at=ref)
        entry = self.lake.entry(key, ref)
        is_view = entry is not None and entry.kind == "view"
        columns = self.work.columns(key, at=ref) if is_view else None
        return describe.describe_asset(self.graph, self.lake, key, ref, columns=columns)

    def listing(self, include: Selection = (), exclude: Selection = ()) -> list[ListedAsset]:
        """List assets with the rows they have."""
        keys, at = self._keys(include, exclude), self.reading_ref
        return describe.list_assets(self.graph, self.lake, at, keys, stale=self.planning.stale(at))

    def partitions(self, asset: str) -> PartitionsStatus:
        """Tell how the partitions of an asset stand, without a look at sources."""
        return partitions.partitions_of(self, asset)

    def lineage(self, name: str, *, downstream: bool = False) -> LineageNode:
        """Give the tree above (or below) an asset, or a column: `namespace.name.column`."""
        return self.work.lineage(name, downstream=downstream, at=self.reading_ref)

    def diff(
        self,
        before: str,
        after: str,
        *,
        assets: Selection = (),
        rows: bool = True,
        limit: int = 5,
    ) -> Comparison:
        """Compare two refs: tables, schemas, and rows of what changed."""
        keys = [self.key(asset) for asset in assets] or None
        return self.work.diff(before, after, keys=keys, rows=rows, limit=limit)

    def merge(
        self,
        source: str,
        *,
        into: str | None = None,
        on_conflict: Literal["fail", "ours", "theirs"] = "fail",
        dry_run: bool = False,
        message: str = "",
    ) -> MergeResult:
        """Bring the changes of a branch into another, in one commit or not at all.

        The checks of tables that both branches changed run on the merged result first.
        """
        raise_problems(self.problems)
        target = into or self.branch
        ours, theirs = self.lake.entries(target), self.lake.entries(source)
        result = self.work.merge(
            source, into=target, on_conflict=on_conflict, dry_run=dry_run, message=message
        )
        if result.conflicts or not (result.merged or result.stale):
            return result
        at = result.commit.id if result.commit is not None else target
        entries = (
            self.lake.entries(at)
            if result.commit is not None
            else merging.merged_entries(result, ours, theirs)
        )
        plan = self.planning.of_commit(at, entries, branch=target)
        return merging.with_work_left(result, plan, self.planning.graph_at(entries), entries)

    def revert(self, commit: str, *, keep_cursors: bool = False, message: str = "") -> Commit:
        """Undo a commit by a new one; what it built is not built again until something changes."""
        return runs.revert_commit(
            self.lake,
            self.services.database,
            self.clock,
            self.graph,
            branch=self.branch,
            commit_id=self.lake.resolve(commit).id,
            keep_cursors=keep_cursors,
            message=message,
        ).commit

    def runs(self, *, limit: int = 20) -> list[RunRecord]:
        """List past runs, latest first."""
        with self.services.database.read() as transaction:
            return list(state.runs(transaction, limit=limit))

    def run_detail(self, run_id: int) -> RunDetail:
        """Tell all that is kept of a run.

        Raises:
            AssetNotFound: There is no such run.
        """
        found = describe.run_detail(self.services.database, run_id)
        if found is None:
            raise AssetNotFound(
                "A6001", f"There is no run {run_id}.", hint="See them all: mainstem runs list"
            )
        return found

    def run_log(self, run_id: int, asset: str = "") -> list[LogEntry]:
        """Give the lines that a run's steps wrote."""
        return self.follow_log(run_id, asset).read()

    def follow_log(self, run_id: int, asset: str = "") -> RunLogReader:
        """Give what reads a run's log, each line once, also while the run goes on."""
        return run_log.RunLogReader(self.services.database, self.services.logs, run_id, asset)

    def config_report(self) -> list[Setting]:
        """List the settings in force, and who set them; secrets are masked."""
        report = import_module("mainstem.config").report
        return list(report(self.settings, self.loaded.environment, self.variables))

    def _keys(self, include: Selection, exclude: Selection) -> tuple[AssetKey, ...]:
        return tuple(select(self.graph, include, exclude))
