# SPDX-License-Identifier: Apache-2.0
"""What a project does with data: engines, steps, checks and comparisons. Imported when needed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from mainstem import models
from mainstem.checks import CheckGate, failing_rows
from mainstem.config import Variables
from mainstem.errors import GateFailed, SelectionInvalid
from mainstem.graph import Asset, PlannedAsset
from mainstem.lake import MergeResult
from mainstem.project.analysis import Analysis
from mainstem.project.compare import Comparison, compare
from mainstem.project.lineage import LineageNode, asset_lineage, column_lineage
from mainstem.project.loaded import LoadedProject
from mainstem.project.reading import ReadingSession
from mainstem.project.services import Services
from mainstem.project.steps import Steps
from mainstem.project.system import SystemTables
from mainstem.records import events_query, logs_query
from mainstem.runs import Gate, Step
from mainstem.types import AssetKey, CheckResult, Relation, Schema, nearest

if TYPE_CHECKING:
    import pyarrow as pa


class Work:
    """The part of a project that needs an engine."""

    def __init__(
        self, loaded: LoadedProject, services: Services, variables: Variables, *, folder: Path
    ) -> None:
        self._loaded = loaded
        self._services = services
        self._steps = Steps(loaded, services, variables, folder=folder)

    def step_of(self, asset: Asset, planned: PlannedAsset) -> Step:
        """Make the step that does what the plan says."""
        return self._steps.step_of(asset, planned)

    def gates_of(self, asset: Asset) -> Sequence[Gate]:
        """Make the gates of an asset."""
        return self._steps.gates_of(asset)

    def analysis(self, at: str, *, coming: frozenset[AssetKey] = frozenset()) -> Analysis:
        """Columns, types and lineage, with the lake's tables at a ref as the ground."""
        lake, commit = self._services.lake, self._services.lake.resolve(at).id
        return Analysis(
            self._loaded.graph,
            lake,
            at=commit,
            coming=coming,
            columns_of=partial(self.columns, at=commit),
        )

    def columns(self, key: AssetKey, *, at: str) -> Schema:
        """Give the columns of a table or view as reading it would."""
        with self._reading(at) as session:
            return session.columns(key)

    def check(self, keys: Collection[AssetKey], *, at: str) -> list[CheckResult]:
        """Evaluate the checks of assets on data as it is at a ref."""
        lake, graph = self._services.lake, self._loaded.graph
        commit = lake.resolve(at).id
        entries = lake.entries(commit)
        views = self._steps.ephemeral
        relation = views.seen(partial(lake.relation, at=commit))
        token = _Never()
        return [
            gate.evaluate(relation, token)
            for key in keys
            if all(read in entries for read in views.behind(key))
            for gate in self._steps.own_gates_of(graph[key])
        ]

    def failing_rows(self, asset: Asset, check: str, *, at: str, limit: int | None) -> pa.Table:
        """Give the rows that a check rejects.

        Raises:
            SelectionInvalid: The asset has no such check, or it judges no rows.
        """
        lake = self._services.lake
        commit = lake.resolve(at).id
        views = self._steps.ephemeral
        models = [asset, *views.read_by(asset)]
        gates = [gate for model in models for gate in self._steps.own_gates_of(model)]
        gate = _gate_named(asset, check, gates)
        relation = views.seen(partial(lake.relation, at=commit))
        with self._services.engine.session() as session:
            return failing_rows(gate, relation, session, limit=limit)

    def sql(self, query: str, *, at: str, limit: int | None) -> pa.Table:
        """Run a query over the lake."""
        with self._reading(at) as session:
            if limit is None:
                return session.arrow(query)
            return _take(session.reader(query), limit).read_all()

    def export(
        self,
        query: str,
        stream: BinaryIO,
        file_format: Literal["csv", "json", "parquet", "arrow"],
        *,
        at: str,
        limit: int | None,
    ) -> int:
        """Write a query's rows to a stream; gives their number."""
        with self._reading(at) as session:
            reader = session.reader(query)
            if limit is not None:
                reader = _take(reader, limit)
            # Arrow is not needed to build, so what writes its formats is imported when asked for.
            rows: int = import_module("mainstem.project.export").export(reader, stream, file_format)
            return rows

    def first_rows(self, key: AssetKey, *, at: str, limit: int) -> pa.Table:
        """Give the first rows of a table or view."""
        return self.sql(f"from {_quoted(key)}", at=at, limit=limit)

    def profile(self, key: AssetKey, *, at: str) -> pa.Table:
        """Summarise the columns of a table."""
        with self._reading(at) as session:
            session.register(key)
            return session.session.arrow(
                "select column_name, column_type, null_percentage, approx_unique, min, max "
                f"from (summarize {_quoted(key)})"
            )

    def preview(self, asset: Asset, *, at: str, limit: int) -> pa.Table:
        """Run a SQL model's code as it is now, over tables as they are, and write nothing.

        Raises:
            SelectionInvalid: It is no SQL model.
        """
        if asset.kind != "sql":
            raise SelectionInvalid(
                "A1040",
                f"{asset.key} is of kind {asset.kind}; only SQL models can be previewed.",
                hint=f"See what is built: mainstem show {asset.key}",
            )
        compiled = models.compiled_sql(asset, self._loaded.graph.assets)
        with self._reading(at) as session:
            for key in compiled.reads:
                session.register(key)
            return session.session.arrow(
                f"select * from (\n{self._complete(compiled.sql)}\n) limit {int(limit)}"
            )

    def compiled(self, asset: Asset) -> str:
        """Give the SQL of a model with full names and ephemeral models inlined.

        Raises:
            SelectionInvalid: It is no SQL model.
        """
        if asset.kind != "sql":
            raise SelectionInvalid(
                "A1041",
                f"{asset.key} is of kind {asset.kind} and has no SQL.",
                hint="List the SQL models: mainstem list --select kind:sql",
            )
        return self._complete(models.compiled_sql(asset, self._loaded.graph.assets).sql)

    def lineage(self, name: str, *, downstream: bool, at: str) -> LineageNode:
        """Give the tree above (or below) an asset, or a column of one."""
        graph = self._loaded.graph
        found = graph.names.find(name)
        head, _dot, column = name.rpartition(".")
        if found is None and head and graph.names.find(head) is not None:
            analysis = self.analysis(at)
            return column_lineage(
                graph,
                graph.resolve(head),
                column,
                analysis.lineage_of,
                downstream=downstream,
            )
        return asset_lineage(graph, graph.resolve(name), downstream=downstream)

    def diff(
        self,
        before: str,
        after: str,
        *,
        keys: Collection[AssetKey] | None,
        rows: bool,
        limit: int,
    ) -> Comparison:
        """Compare two refs."""
        services = self._services
        engine = services.engine if rows else None
        return compare(
            services.lake, self._loaded.graph, engine, before, after, keys=keys, limit=limit
        )

    def merge(
        self,
        source: str,
        *,
        into: str,
        on_conflict: Literal["fail", "ours", "theirs"],
        dry_run: bool,
        message: str,
    ) -> MergeResult:
        """Merge, with checks as gates: those that look at a table that the merge changes."""
        lake = self._services.lake

        def judge(result: MergeResult) -> None:
            if result.commit is not None:
                self._require_gates(result.commit.id, frozenset(result.merged))

        return lake.merge(
            source, into, message=message, on_conflict=on_conflict, dry_run=dry_run, gates=judge
        )

    def _require_gates(self, commit: str, changed: frozenset[AssetKey]) -> None:
        """Evaluate the gates that read changed tables, as they are in a commit.

        Raises:
            GateFailed: A check of severity `error` does not hold.
        """
        lake, graph = self._services.lake, self._loaded.graph
        entries = lake.entries(commit)
        relation: Callable[[AssetKey], Relation] = partial(lake.relation, at=commit)
        token = _Never()
        results = [
            gate.evaluate(relation, token)
            for key in graph.order
            if key in entries
            for gate in self.gates_of(graph[key])
            if not changed.isdisjoint(gate.reads) or key in changed
        ]
        failed = [result for result in results if result.holds_publishing]
        if failed:
            first = failed[0]
            raise GateFailed(
                "A4040",
                f"The merged data fails {len(failed)} check{'s' if len(failed) > 1 else ''}: "
                f"{first.asset}: {first.message or first.check_id}.",
                hint="Nothing was merged. Mend the data or the check on the branch, then merge.",
                details="\n".join(f"{one.check_id}: {one.message}" for one in failed[1:]),
            )

    def _reading(self, at: str) -> ReadingSession:
        services = self._services
        files = {
            "events": partial(events_query, services.history.folder),
            "logs": partial(logs_query, services.logs.folder),
        }
        system = SystemTables(services.database, services.lake, at=at, files=files)
        return ReadingSession(services.engine, services.lake, at=at, system=system)

    def _complete(self, sql: str) -> str:
        """Fill in what only a run knows, as a first build now would."""
        whole: str = _sql().expand(sql, when=self._services.clock.now())
        return whole


class _Never:
    """A cancel token for work that only the process's end stops."""

    is_cancelled = False

    def on_cancel(self, stop: Callable[[], None]) -> Callable[[], None]:
        del stop
        return _nothing


def _take(reader: pa.RecordBatchReader, limit: int) -> pa.RecordBatchReader:
    """Give the first rows: the query is not wrapped, so that errors show what was written."""
    taken: pa.RecordBatchReader = import_module("mainstem.project.export").take(reader, limit)
    return taken


def _nothing() -> None:
    pass


def _gate_named(asset: Asset, check: str, gates: Sequence[Gate]) -> CheckGate:
    known = {gate.spec.title: gate for gate in gates if isinstance(gate, CheckGate)}
    wanted = check.rpartition("/")[2].replace(" ", "").casefold()
    for title, gate in known.items():
        if title.replace(" ", "").casefold() == wanted:
            return gate
    close = nearest(check, known)
    raise SelectionInvalid(
        "A1042",
        f"{asset.key} has no check `{check}`.",
        hint=f"Did you mean `{close[0]}`?" if close else f"It has {', '.join(known) or 'none'}.",
        known=tuple(known),
    )


def _quoted(key: AssetKey) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in (key.namespace, key.name))


def _sql() -> Any:
    """Import what parses SQL, for SQL only: sqlglot is a tenth of loading a CSV file."""
    return import_module("mainstem.sql")
