# SPDX-License-Identifier: Apache-2.0
"""Results of the items of a step that fans out: files of the run, and rows that tell of them.

A result survives the death of the worker and of the attempt, not power loss; when the run is over
nothing is left of it. Called from threads of steps.
"""

from __future__ import annotations

import shutil
import threading
from hashlib import blake2b
from pathlib import Path

from mainstem import state
from mainstem.database import Database
from mainstem.types import Clock

_AT_ONCE = 50
_WAIT_S = 0.25


class ItemFolder:
    """The place for results of one run; made when the first comes."""

    def __init__(self, folder: Path, run_id: int, database: Database, clock: Clock) -> None:
        self._folder = folder / f"run-{run_id}" / "items"
        self._run_id = run_id
        self._database = database
        self._clock = clock

    def journal(self, asset: str, code: str) -> ItemJournal:
        """Give what notes the items of one loop in one version of a step's code."""
        name = blake2b(f"{asset}/{code}".encode(), digest_size=12).hexdigest()
        folder = self._folder / name
        return ItemJournal(folder, (self._run_id, asset, code), self._database, self._clock)

    def remove(self) -> None:
        """Remove all results."""
        shutil.rmtree(self._folder, ignore_errors=True)


class ItemJournal:
    """Which items are done; what is added is written in groups."""

    def __init__(
        self,
        folder: Path,
        of: tuple[int, str, str],
        database: Database,
        clock: Clock,
    ) -> None:
        self.folder = folder
        self._of = of
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._pending: list[tuple[str, str, int]] = []
        self._since_s = clock.monotonic_s()

    def done(self) -> dict[str, Path]:
        """Give the results that are there, by item, and make room for others."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._database.read() as transaction:
            found = state.items_done(transaction, *self._of)
        paths = {key: self.folder / file for key, file in found.items()}
        return {key: path for key, path in paths.items() if path.exists()}

    def add(self, key: str, path: Path, size: int) -> None:
        """Note a result whose file is whole."""
        with self._lock:
            self._pending.append((key, path.name, size))
            waited_s = self._clock.monotonic_s() - self._since_s
            is_due = len(self._pending) >= _AT_ONCE or waited_s > _WAIT_S
        if is_due:
            self.flush()

    def flush(self) -> None:
        """Write what was added."""
        with self._lock:
            pending, self._pending = self._pending, []
            self._since_s = self._clock.monotonic_s()
        if pending:
            with self._database.write() as transaction:
                state.add_items(transaction, *self._of, pending)
