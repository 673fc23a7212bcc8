# SPDX-License-Identifier: Apache-2.0
"""The engine port: what computes. Adapters live in `mainstem.engines`; DuckDB is the default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from mainstem.types.schema import Schema
from mainstem.types.table import DataFile, Relation, WriteTarget

if TYPE_CHECKING:
    import pyarrow as pa


class Session(Protocol):
    """One connection for one step: used by one thread, except `interrupt`."""

    def register(self, relation: Relation, *, name: str = "") -> None:
        """Make a table or view readable as `namespace.name` (or `name`), without reading data."""
        ...

    def register_arrow(self, name: str, data: pa.Table | pa.RecordBatchReader) -> None:
        """Make Arrow data readable as `name` until the session ends."""
        ...

    def describe(self, sql: str, *, like: str = "") -> Schema:
        """Tell the columns of a query without running it; types as the table would store them.

        Args:
            sql: The query.
            like: A query with the same columns of the same types, to look at instead.
        """
        ...

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and fetch Python rows; for small results."""
        ...

    def records(self, sql: str) -> list[dict[str, Any]]:
        """Run a query and fetch Python rows by column name; for small results."""
        ...

    def arrow(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """Run a query and fetch all of it as Arrow."""
        ...

    def reader(self, sql: str, parameters: Sequence[object] = ()) -> pa.RecordBatchReader:
        """Run a query and stream it as Arrow."""
        ...

    def write(self, sql: str, target: WriteTarget) -> tuple[DataFile, ...]:
        """Write a query's rows as data files: fsynced, with statistics, nothing committed.

        Columns are matched to `target.schema` by name. No row gives no file.
        """
        ...

    def interrupt(self) -> None:
        """Stop the running statement; may be called from any thread."""
        ...


class Engine(Protocol):
    """A factory of sessions with bounded memory and threads."""

    name: str
    dialect: str

    def session(
        self, *, settings: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Session]:
        """Open a session; nothing registered in it is seen by another."""
        ...

    def close(self) -> None:
        """Release memory and threads."""
        ...
