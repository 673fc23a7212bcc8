# SPDX-License-Identifier: Apache-2.0
"""Choosing an engine by name, sized for the machine; DuckDB is imported at first use only."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from mainstem.errors import ConfigInvalid
from mainstem.types import Engine, Session, did_you_mean, machine_memory

if TYPE_CHECKING:
    from mainstem.engines.instance import Instance

_KNOWN = ("duckdb",)
_SHARE = 0.6
"""Of the machine's memory: workers and the file cache need some too."""


def open_engine(
    name: str = "duckdb",
    *,
    memory_limit: str | None = None,
    threads: int | None = None,
    temp_directory: str | Path,
) -> Engine:
    """Open an engine; costs nothing until its first session.

    Args:
        name: Only `duckdb` in this version.
        memory_limit: As DuckDB writes it, `4GB`; default 60 % of what this process may use.
        threads: Default: the processors that this process may use.
        temp_directory: Where queries that outgrow the memory spill to.

    Raises:
        ConfigInvalid: There is no engine of that name.
    """
    if name not in _KNOWN:
        raise ConfigInvalid(
            "A7531", f"there is no engine `{name}`.", hint=did_you_mean(name, _KNOWN), known=_KNOWN
        )
    return DuckDBEngine(
        memory_limit=memory_limit or f"{int(machine_memory() * _SHARE) // 2**20}MiB",
        threads=threads or usable_processors(),
        temp_directory=Path(temp_directory),
    )


class DuckDBEngine:
    """DuckDB in this process: one instance, so that memory and threads are bounded once for all.

    Each session is a connection of its own with an attached, empty database of its own: that costs
    0.5 ms where an instance costs 20, and what one session registers no other one sees.
    """

    name = "duckdb"
    dialect = "duckdb"

    def __init__(self, *, memory_limit: str, threads: int, temp_directory: Path) -> None:
        self.memory_limit = memory_limit
        self.threads = threads
        self.temp_directory = temp_directory
        self._lock = threading.Lock()
        self._instance: Instance | None = None

    def session(
        self, *, settings: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Session]:
        """Open a session; `settings` are DuckDB's, and hold for it alone."""
        return self._open().session(settings or {})

    def close(self) -> None:
        """Release memory and threads; a session opened later starts a new instance."""
        with self._lock:
            instance, self._instance = self._instance, None
        if instance is not None:
            instance.close()

    def _open(self) -> Instance:
        with self._lock:
            if self._instance is None or self._instance.is_broken:
                # Only here, because a run with nothing to do must not import DuckDB.
                module = importlib.import_module("mainstem.engines.instance")
                self._instance = module.Instance(
                    memory_limit=self.memory_limit,
                    threads=self.threads,
                    temp_directory=self.temp_directory,
                )
            return self._instance


def usable_processors() -> int:
    """Count the processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
