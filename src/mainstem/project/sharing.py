# SPDX-License-Identifier: Apache-2.0
"""What several open projects of one folder hold together: databases, engine, workers.

A command opens one project and owns all of it. A server has one for each environment and branch,
and a new one whenever files change, while runs go on with the old: they share what is dear.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from mainstem import database, engines, models, records  # imported when they are asked for
from mainstem.config import Executor
from mainstem.types import Clock

if TYPE_CHECKING:
    from mainstem.database import Database
    from mainstem.models import StepExecutor, WorkerPool
    from mainstem.records import Redactor
    from mainstem.types import Engine


class Shared:
    """Opened when first asked for, from any thread; closed once, by whoever made this.

    Args:
        folder: The project.
        process: Environment variables of worker processes.
        clock: Source of time.
    """

    def __init__(self, folder: Path, *, process: Mapping[str, str], clock: Clock) -> None:
        self.folder = folder
        self.process = process
        self.clock = clock
        self._lock = threading.Lock()
        self._databases: dict[str, Database] = {}
        self._engine: Engine | None = None
        self._workers: WorkerPool | None = None
        self._executors: dict[tuple[str, str], StepExecutor] = {}
        self._closers: list[Callable[[], None]] = []
        self._secrets: list[Callable[[], frozenset[str]]] = []
        self._hidden = frozenset[str]()
        self._redactor: Redactor | None = None

    def hide(self, secrets: Callable[[], frozenset[str]]) -> None:
        """Add secrets to those that are masked; looked up when something is to be masked."""
        with self._lock:
            self._secrets.append(secrets)

    def redactor(self) -> Redactor:
        """Give what masks the secrets of all environments: they share workers, hence output."""
        with self._lock:
            # Secrets of a state of the files before stay: runs that began with them go on.
            found = self._hidden.union(*(secrets() for secrets in self._secrets))
            self._secrets.clear()
            if self._redactor is None or found != self._hidden:
                self._hidden, self._redactor = found, records.Redactor(found)
            return self._redactor

    def database(self, url: str) -> Database:
        """Give the database at a place."""
        with self._lock:
            if url not in self._databases:
                self._databases[url] = database.open_database(url)
                self._closers.append(self._databases[url].close)
            return self._databases[url]

    def engine(self, spill: Path) -> Engine:
        """Give what computes."""
        with self._lock:
            if self._engine is None:
                self._engine = engines.open_engine("duckdb", temp_directory=str(spill))
                self._closers.append(self._engine.close)
            return self._engine

    def workers(self) -> WorkerPool:
        """Give the processes that run the user's Python."""
        with self._lock:
            if self._workers is None:
                self._workers = models.WorkerPool(
                    self.folder,
                    environment=self.process,
                    clock=self.clock,
                    redactor=self.redactor,
                )
                self._closers.append(self._workers.close)
            return self._workers

    def executor(self, of: Executor) -> StepExecutor:
        """Give what carries out Python steps elsewhere."""
        with self._lock:
            known = (of.name, of.address)
            if known not in self._executors:
                opened = models.open_dask(self.folder, of)
                self._executors[known] = opened
                self._closers.append(opened.close)
            return self._executors[known]

    def close(self) -> None:
        """Release what was opened, last first; one that fails keeps none of the others."""
        with ExitStack() as stack:
            for closer in self._closers:
                stack.callback(closer)
            self._closers.clear()
