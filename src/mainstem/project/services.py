# SPDX-License-Identifier: Apache-2.0
"""The services of one open project: database, lake, engine, workers; made when first needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mainstem import lake, models, records  # each part is imported when somebody asks for it
from mainstem.config import (
    Environment,
    Executor,
    ServeSettings,
    Settings,
    Variables,
    secret_values,
)
from mainstem.errors import DatabaseUnavailable
from mainstem.project.sharing import Shared

if TYPE_CHECKING:
    from mainstem.database import Database
    from mainstem.lake import Lake
    from mainstem.models import Discovered, StepExecutor, WorkerPool
    from mainstem.records import History, Redactor, RunLogs
    from mainstem.types import Engine

STATE_FOLDER = ".mainstem"
"""Git-ignored: catalog, data files, logs, caches."""


class Services:
    """What a project works with; nothing is opened before somebody asks.

    Args:
        shared: What it may hold together with other projects of the folder.
        owns: Whether closing it closes that, too.
    """

    def __init__(self, shared: Shared, *, owns: bool = True) -> None:
        self.shared = shared
        self.folder = shared.folder
        self.clock = shared.clock
        self._owns = owns
        self._environment: Environment | None = None
        self._variables: Variables | None = None
        self.debugger: StepExecutor | None = None
        """Carries out all Python steps, in place of what they ask for."""
        self._executors: Mapping[str, Executor] = {}
        self._hold_s = ServeSettings().hold_s

    def configure(self, settings: Settings, environment: Environment, variables: Variables) -> None:
        """Say where catalog and data are; known only once mainstem.yml is read."""
        self._environment = environment
        self._variables = variables
        self._executors = settings.executors
        self._hold_s = settings.serve.hold_s
        self.shared.hide(partial(secret_values, settings, environment, variables))

    @property
    def redactor(self) -> Redactor:
        """Masks the project's secrets; knows none before mainstem.yml is read."""
        return self.shared.redactor()

    @cached_property
    def logs(self) -> RunLogs:
        """What the steps of runs print and log."""
        return records.RunLogs(self.state_folder / "logs", self.clock)

    @cached_property
    def history(self) -> History:
        """What happened in runs."""
        return records.History(self.state_folder / "history")

    @property
    def state_folder(self) -> Path:
        """Where everything that is not the user's lives."""
        return self.folder / STATE_FOLDER

    @cached_property
    def database(self) -> Database:
        """Catalog and run state, in one file."""
        self.state_folder.mkdir(exist_ok=True)
        url = self._setting("database") or str(self.state_folder / "mainstem.db")
        _refuse_lost_catalog(url, self._warehouse)
        database = self.shared.database(url)
        if "://" in url and _has_files(self._warehouse) and database.is_new():
            raise _lost_catalog(f"{database.url} is empty", self._warehouse)
        database.migrate(import_module("mainstem.project.migrations").MIGRATIONS)
        return database

    @cached_property
    def lake(self) -> Lake:
        """The lake; in a project `main` is protected (SEMANTICS, Branches and merges)."""
        opened = lake.Lake.open(self.database, str(self._warehouse), clock=self.clock)
        if not opened.ref("main").protected:
            opened.protect("main")
        return opened

    @property
    def _warehouse(self) -> Path:
        return self.folder / (self._setting("warehouse") or str(self.state_folder / "warehouse"))

    @cached_property
    def engine(self) -> Engine:
        """What computes."""
        return self.shared.engine(self.state_folder / "spill")

    @cached_property
    def workers(self) -> WorkerPool:
        """Processes that run the user's Python."""
        return self.shared.workers()

    def executor(self, name: str) -> StepExecutor:
        """Give what carries out Python steps: by a name under `executors:`, or worker processes."""
        if self.debugger is not None:
            return self.debugger
        if not name:
            return self.workers
        assert self._variables is not None, "opened before mainstem.yml was read"
        of = self._executors[name]
        if of.type == "remote":
            return models.RemoteExecutor(
                lambda: self.database, name, self.clock, hold_s=self._hold_s
            )
        address = self._variables.expand(of.address, of=f"`address` of executor `{name}`")
        return self.shared.executor(replace(of, address=address))

    def discover(self, files: tuple[str, ...]) -> tuple[Discovered, ...]:
        """Import Python files in a worker and tell what they define."""
        return models.discover(self.workers, files)

    def close(self) -> None:
        """Release what was opened, unless others share it."""
        if self._owns:
            self.shared.close()

    def _setting(self, name: Literal["database", "warehouse"]) -> str:
        assert self._environment is not None, "opened before mainstem.yml was read"
        assert self._variables is not None, "opened before mainstem.yml was read"
        places = self._environment.lake
        text = places.database if name == "database" else places.warehouse
        return self._variables.expand(text, of=f"the lake's `{name}`")


def _refuse_lost_catalog(url: str, warehouse: Path) -> None:
    """A catalog that is gone while its data files are there must not become a new, empty lake."""
    if "://" in url and not url.startswith("sqlite:///"):
        return
    database = Path(url.removeprefix("sqlite:///")).expanduser()
    files = (database, database.with_name(f"{database.name}-wal"))
    if any(file.exists() and file.stat().st_size for file in files):
        return
    if _has_files(warehouse):
        raise _lost_catalog(f"{database} is {'empty' if database.exists() else 'gone'}", warehouse)


def _has_files(warehouse: Path) -> bool:
    return warehouse.is_dir() and any(warehouse.iterdir())


def _lost_catalog(what: str, warehouse: Path) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        "A5024",
        f"The database {what}, but the data files it tells of are still in {warehouse}.",
        hint="Restore the database from a backup. To begin anew, and lose all versions of all "
        f"tables, remove {warehouse} too.",
    )
