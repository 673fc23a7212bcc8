# SPDX-License-Identifier: Apache-2.0
"""A lake in a folder, assets whose steps are scripted, and runs of them on the real driver."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mainstem.database import open_database
from mainstem.graph import Asset, Graph, PlanOptions, PlanRequest, make_plan
from mainstem.lake import Lake
from mainstem.records import Redactor, RunLogs
from mainstem.runs import (
    RunControl,
    RunOptions,
    Services,
    StepOutcome,
    execute,
    gather_facts,
    revert_commit,
    with_known_texts,
)
from mainstem.types import (
    AssetKey,
    CheckResult,
    CursorWrite,
    DataFile,
    Execution,
    Field,
    Pool,
    Primitive,
    Provenance,
    Schema,
    SystemClock,
    TableWrite,
    ViewWrite,
)

SCHEMA = Schema(fields=(Field(name="id", type=Primitive("long")),))


class TickingClock:
    """Time that passes a millisecond per look, and at once when slept."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        self._lock = threading.Lock()
        self.slept: list[float] = []

    def now(self) -> datetime:
        with self._lock:
            self._now += timedelta(milliseconds=1)
            return self._now

    def monotonic_s(self) -> float:
        return (self.now() - datetime(2026, 1, 1, tzinfo=UTC)).total_seconds()

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._now += timedelta(seconds=seconds)
            self.slept.append(seconds)


@dataclass
class ScriptedStep:
    """Writes `rows` rows, or does what its script says."""

    asset: Asset
    planned: object
    world: World
    inputs: tuple[AssetKey, ...] = ()

    @property
    def outputs(self):
        if self.asset.group:
            return tuple(
                asset.key for asset in self.world.assets if asset.group == self.asset.group
            )
        return (self.asset.key,)

    def execute(self, context):
        key = self.asset.key
        self.world.executed.append(str(key))
        script = self.world.scripts.get(str(key))
        if script is not None:
            outcome = script(self, context)
            if outcome is not None:
                return outcome
        if self.asset.materialized == "none":
            return StepOutcome()
        if self.asset.materialized == "view":
            return self.view()
        if self.asset.kind == "file":
            return self.read(context)
        operation = "overwrite"
        if self.asset.materialized == "incremental" and not self.planned.is_full_rebuild:
            operation = "append"
        return self.write(context, operation=operation)

    def write(self, context, *, operation="overwrite", rows=None, key=None, provenance=None):
        outputs = self.outputs if key is None else (key,)
        rows = self.world.rows if rows is None else rows
        changes = []
        for output in outputs:
            target = context.target(output, SCHEMA, replaces=operation == "overwrite")
            path = f"{target.directory}/{target.prefix}0.parquet"
            full = Path(target.warehouse) / path
            full.write_bytes(b"x" * 100)
            changes.append(
                TableWrite(
                    key=output,
                    operation=operation,
                    provenance=provenance or Provenance(origin="derived", data_version=""),
                    schema=target.schema,
                    table_id=target.table_id,
                    added=(DataFile(path=path, record_count=rows, size_bytes=100, schema_id=0),)
                    if rows
                    else (),
                )
            )
        return StepOutcome(changes=tuple(changes), rows=dict.fromkeys(outputs, rows))

    def view(self):
        write = ViewWrite(
            key=self.asset.key,
            sql=f"select 1 -- {self.asset.code_version}",
            schema=SCHEMA,
            inputs=self.asset.inputs,
            provenance=Provenance(origin="derived", data_version=""),
        )
        return StepOutcome(changes=(write,))

    def read(self, context):
        content = self.world.sources.get(str(self.asset.key), "")
        if (context.cursor(self.asset.key) or {}).get("content") == content:
            return StepOutcome(unchanged=(self.asset.key,))
        provenance = Provenance(
            origin="ingested", data_version=f"read:{content}", cursor_interval=content
        )
        outcome = self.write(context, operation="append", provenance=provenance)
        cursor = CursorWrite(key=self.asset.key, value={"content": content})
        return replace(outcome, changes=(*outcome.changes, cursor))


@dataclass
class ScriptedGate:
    """Passes unless the world says that it fails."""

    check_id: str
    asset: AssetKey
    reads: tuple[AssetKey, ...]
    world: World
    quarantines: bool = False
    severity: str = "error"

    def evaluate(self, relation, cancel):
        self.world.evaluated.append(self.check_id)
        seen = {str(key): relation(key) for key in (self.asset, *self.reads)}
        self.world.seen[self.check_id] = seen
        answer = self.world.verdicts.get(self.check_id, True)
        passed = answer(seen) if callable(answer) else answer
        return CheckResult(
            check_id=self.check_id,
            asset=self.asset,
            verdict="passed" if passed else "failed",
            severity=self.severity,
            message=self.world.messages.get(self.check_id, ""),
        )


@dataclass(frozen=True)
class Observation:
    is_fresh: bool
    summary: str


@dataclass
class World:
    """A project without files: assets, scripts, a real lake."""

    folder: Path
    clock: object = field(default_factory=TickingClock)
    assets: list[Asset] = field(default_factory=list)
    scripts: dict[str, Callable] = field(default_factory=dict)
    gates: dict[str, list[tuple[str, tuple[str, ...]]]] = field(default_factory=dict)
    verdicts: dict[str, object] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    executed: list[str] = field(default_factory=list)
    evaluated: list[str] = field(default_factory=list)
    seen: dict[str, dict] = field(default_factory=dict)
    events: list[object] = field(default_factory=list)
    endings: list[object] = field(default_factory=list)
    step_options: dict[str, Execution] = field(default_factory=dict)
    pools: dict[str, Pool] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    rows: int = 10
    url: str = ""

    def __post_init__(self) -> None:
        self.database = open_database(self.url or str(self.folder / "lake.db"))
        self.lake = Lake.open(self.database, str(self.folder / "data"), clock=self.clock)

    def add(self, name, *inputs, kind="sql", materialized="table", code="1", **more):
        asset = Asset(
            key=AssetKey.parse(name),
            kind=kind,
            materialized=materialized,
            inputs=tuple(AssetKey.parse(item) for item in inputs),
            code_version=f"{name}:{code}",
            file=f"models/{name.replace('.', '/')}.sql",
            **more,
        )
        self.assets = [item for item in self.assets if item.key != asset.key]
        self.assets.append(asset)
        return asset

    def source(self, name, content="one"):
        self.sources[name] = content
        return self.add(name, kind="file")

    def gate(self, asset, check="check", *reads):
        self.gates.setdefault(asset, []).append((f"{asset}/{check}", (asset, *reads)))
        return f"{asset}/{check}"

    @property
    def graph(self) -> Graph:
        return Graph.build(
            replace(asset, execution=self.step_options.get(str(asset.key), asset.execution))
            for asset in self.assets
        )

    def services(self) -> Services:
        return Services(
            graph=self.graph,
            lake=self.lake,
            database=self.database,
            step_of=self._step_of,
            gates_of=self._gates_of,
            clock=self.clock,
            random=lambda: 0.5,
            pools=self.pools,
            logs=self.logs,
            redactor=Redactor(self.secrets),
            on_end=lambda _transaction, ending: self.endings.append(ending),
        )

    @property
    def logs(self):
        return RunLogs(self.folder / "logs", self.clock)

    def _step_of(self, asset, planned):
        return ScriptedStep(asset=asset, planned=planned, world=self)

    def _gates_of(self, asset):
        return [
            ScriptedGate(
                check_id=check_id,
                asset=asset.key,
                reads=tuple(AssetKey.parse(read) for read in reads),
                world=self,
            )
            for check_id, reads in self.gates.get(str(asset.key), [])
        ]

    def _observe(self, asset):
        cursor = self.lake.cursor(asset.key) or {}
        is_fresh = cursor.get("content") == self.sources[str(asset.key)]
        return Observation(is_fresh, "nothing new" if is_fresh else "1 new file")

    def plan(self, *include, branch="main", **options):
        facts = gather_facts(
            self.database,
            entries=self.lake.entries(branch),
            branch=branch,
            clock=self.clock,
            observe=self._observe,
        )
        request = PlanRequest(
            project="test", branch=branch, include=include, options=PlanOptions(**options)
        )
        graph = with_known_texts(self.graph, self.database, facts.entries)
        return make_plan(graph, request, facts)

    def run(
        self,
        *include,
        branch="main",
        control: RunControl | None = None,
        run=None,
        on_event=None,
        **options,
    ):
        plan = self.plan(*include, branch=branch, **options)
        self.executed.clear()
        self.evaluated.clear()
        self.events.clear()
        return execute(
            plan,
            self.services(),
            options=RunOptions(plan=PlanOptions(**options), **{"threads": 2, **(run or {})}),
            on_event=on_event or self.events.append,
            control=control,
        )

    def actions(self, *include, **options):
        return {
            str(item.key): (item.action, item.reason)
            for item in self.plan(*include, **options).assets
        }

    def revert(self, commit_id, branch="main", **more):
        return revert_commit(
            self.lake,
            self.database,
            self.clock,
            self.graph,
            branch=branch,
            commit_id=commit_id,
            **more,
        )

    def version(self, name, at="main"):
        entry = self.lake.entry(AssetKey.parse(name), at)
        return entry.provenance.data_version if entry is not None else None


@pytest.fixture
def world(tmp_path, database_url) -> World:
    world = World(tmp_path, url=database_url)
    yield world
    world.database.close()


@pytest.fixture
def real(tmp_path, database_url) -> World:
    """The same on the machine's clock."""
    world = World(tmp_path / "real", clock=SystemClock(), url=database_url)
    yield world
    world.database.close()


def statuses(finished) -> dict[str, str]:
    return {str(step.key): step.status for step in finished.steps}
