# SPDX-License-Identifier: Apache-2.0
"""One DuckDB instance and the sessions on it; imports DuckDB, so nobody imports this eagerly."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb

from mainstem.engines.faults import from_os, is_fatal
from mainstem.engines.names import literal, quote
from mainstem.engines.session import DuckDBSession
from mainstem.errors import ConfigInvalid, EngineUnavailable

_SETTINGS = {
    # Nothing is fetched from the network behind the owner's back.
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    # A Python variable is never a table by accident of its name.
    "python_enable_replacements": "false",
    "TimeZone": "'UTC'",
    "errors_as_json": "true",
    # Data files never change, so their footers are read once for a build and all its checks.
    "parquet_metadata_cache": "true",
    # Rows keep their order: `limit` without `order by`, and the files of a build, come out the same
    # each time. Measured on 10M rows: no slower, because COPY of Parquet orders whole row groups.
    "preserve_insertion_order": "true",
}


class Instance:
    """A DuckDB instance; becomes broken for good when DuckDB reports a fatal error."""

    def __init__(self, *, memory_limit: str, threads: int, temp_directory: Path) -> None:
        try:
            temp_directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise from_os(error, str(temp_directory)) from error
        self.is_broken = False
        self._names = (f"mainstem_{number}" for number in itertools.count(1))
        self._lock = threading.Lock()
        try:
            self._root = duckdb.connect(":memory:")
            settings = {
                **_SETTINGS,
                "memory_limit": literal(memory_limit),
                "threads": literal(threads),
                "temp_directory": literal(temp_directory),
            }
            self._root.execute("".join(f"set global {k} = {v};" for k, v in settings.items()))
            # Without its own database, a namespace may be called `memory`.
            self._root.execute("attach ':memory:' as mainstem_0; use mainstem_0; detach memory")
        except duckdb.Error as error:
            raise EngineUnavailable("A7530", f"DuckDB did not start: {error}") from error

    @contextlib.contextmanager
    def session(self, settings: Mapping[str, str]) -> Iterator[DuckDBSession]:
        """Open a session with an empty database of its own."""
        with self._lock:
            name = next(self._names)
            connection = self._root.cursor()
        session = DuckDBSession(connection, database=name)
        try:
            connection.execute(f"attach ':memory:' as {name}; use {name}")
            _apply(connection, settings)
            yield session
        except duckdb.Error as error:
            self.is_broken = self.is_broken or is_fatal(error)
            raise
        finally:
            self.is_broken = self.is_broken or session.saw_fatal_error
            session.close()
            connection.close()
            # After a fatal error nothing can be detached, and nothing needs to be.
            with contextlib.suppress(duckdb.Error), self._lock:
                self._root.execute(f"detach {name}")

    def close(self) -> None:
        """Release memory and threads."""
        self.is_broken = True
        # Another thread may be leaving its session, or be in a query that does not stop at once:
        # it closes its connection when it does, and the instance dies with the last of them.
        with self._lock, contextlib.suppress(duckdb.Error):
            self._root.close()


def _apply(connection: duckdb.DuckDBPyConnection, settings: Mapping[str, str]) -> None:
    for name, value in settings.items():
        try:
            connection.execute(f"set session {quote(name)} = {literal(value)}")
        except duckdb.Error as error:
            raise ConfigInvalid(
                "A7533",
                f"DuckDB has no session setting `{name}` that takes {value!r}.",
                details=str(error),
            ) from error
