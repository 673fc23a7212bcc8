# SPDX-License-Identifier: Apache-2.0
"""A lake, an engine, and a runner of single steps without a run around them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mainstem.database import open_database
from mainstem.engines import open_engine
from mainstem.errors import AssetNotFound
from mainstem.graph import Names
from mainstem.lake import Lake
from mainstem.models import (
    SqlStep,
    Surroundings,
    compiled_sql,
    draft_sql_model,
    resolve_inputs,
    sql_asset,
    understand,
)
from mainstem.types import AssetKey, CursorWrite, SystemClock

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)


class NoCancel:
    is_cancelled = False

    def on_cancel(self, stop):
        return lambda: None


@dataclass
class Context:
    """Meets `StepContext` on the lake's branch main."""

    lake: Lake
    attempt: int
    logical_time: datetime = NOW
    full_refresh: bool = False
    run_id: int = 1
    environment: str = "local"
    branch: str = "main"
    cancel: Any = field(default_factory=NoCancel)
    partition: Any = None

    def relation(self, key):
        return self.lake.relation(key, "main")

    def current(self, key):
        try:
            return self.lake.relation(key, "main")
        except AssetNotFound:
            return None

    def cursor(self, key):
        return None

    def target(self, key, schema, *, partition_by=(), replaces=True):
        return self.lake.target(
            "main",
            key,
            schema,
            attempt=f"a{self.attempt}",
            partition_by=partition_by,
            replaces=replaces,
        )

    def progress(self, *, rows=None, note=""):
        pass

    def log(self, text, *, stream="log"):
        pass


@dataclass
class Shop:
    """A project without files: models by path, built on one branch of a lake."""

    lake: Lake
    engine: Any
    folder: Path
    models: dict = field(default_factory=dict)
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def write(self, path, text, **surroundings):
        draft = draft_sql_model(text, path, Surroundings(**surroundings))
        asset = sql_asset(understand(draft))
        self.models[asset.key] = asset
        return asset

    def table(self, key, sql):
        """Make a table from a query, as ingestion would."""
        return self.build(
            self.write(
                f"models/{key.replace('.', '/')}.sql", "/* ---\nmaterialized: table\n--- */\n" + sql
            ).key
        )

    def step(self, key, **options):
        key = AssetKey.parse(str(key))
        names = Names([*self.models, *self.lake.entries("main")])
        resolved = {}
        for asset in self.models.values():
            resolved[asset.key], problems = resolve_inputs(asset, names)
            for problem in problems if asset.key == key else ():
                raise problem
        asset = resolved[key]
        return SqlStep(asset, compiled_sql(asset, resolved), self.engine, **options)

    def build(self, key, *, full_refresh=False, when=NOW, **options):
        """Execute a step and commit what it produced."""
        return self.execute(self.step(key, **options), full_refresh=full_refresh, when=when)

    def execute(self, step, *, full_refresh=False, when=NOW, cancel=None):
        number = next(self.numbers)
        context = Context(self.lake, number, full_refresh=full_refresh, logical_time=when)
        context.cancel = cancel or context.cancel
        outcome = step.execute(context)
        changes = [
            change
            if isinstance(change, CursorWrite)
            else replace(
                change,
                provenance=replace(change.provenance, data_version=f"v{number}-{change.key}"),
            )
            for change in outcome.changes
        ]
        if changes:
            self.lake.commit("main", changes, message=f"build {number}", allow_protected=True)
        return outcome

    def rows(self, sql, *keys):
        """Query tables of the lake; rows in order."""
        with self.engine.session() as session:
            for key in keys:
                self._register(session, AssetKey.parse(key))
            return session.rows(sql)

    def all(self, key, columns="*"):
        return self.rows(f"select {columns} from {key} order by all", key)

    def _register(self, session, key):
        relation = self.lake.relation(key, "main")
        for name in getattr(relation, "inputs", ()):
            self._register(session, name)
        session.register(relation)


@pytest.fixture(scope="session")
def model_engine(tmp_path_factory):
    opened = open_engine("duckdb", temp_directory=str(tmp_path_factory.mktemp("spill")), threads=2)
    yield opened
    opened.close()


@pytest.fixture
def shop(tmp_path, model_engine):
    database = open_database(str(tmp_path / "lake.db"))
    lake = Lake.open(database, str(tmp_path / "warehouse"), clock=SystemClock())
    yield Shop(lake, model_engine, tmp_path)
    database.close()
