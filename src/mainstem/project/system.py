# SPDX-License-Identifier: Apache-2.0
"""`system.*`: runs, steps, results of checks, cursors, commits and logs as tables to query.

Read-only, and made when a query names them. The engine keeps the name `system` to itself, so the
tables live in a namespace of ours, and `reading` puts that where the query says `system`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from mainstem.database import Database
from mainstem.lake import Lake
from mainstem.state import SYSTEM_TABLES
from mainstem.types import AssetKey, Schema, ViewRef

if TYPE_CHECKING:
    import pyarrow as pa

SYSTEM = "system"
_HOME = "mainstem_system"
_ALL = 1_000_000
"""Commits: more than anybody has."""


class SystemTables:
    """What the database and one ref of the lake know, as Arrow.

    Args:
        database: With run state.
        lake: The lake.
        at: The ref whose cursors and history are meant.
        files: Queries over files of records, by table: the engine reads them itself.
    """

    def __init__(
        self,
        database: Database,
        lake: Lake,
        *,
        at: str,
        files: Mapping[str, Callable[[], str]] | None = None,
    ) -> None:
        self._database = database
        self._lake = lake
        self._at = at
        self._files = files or {}
        self._own: Mapping[str, Callable[[], pa.Table]] = {
            "cursors": self._cursors,
            "commits": self._commits,
        }

    @property
    def names(self) -> tuple[str, ...]:
        """What can be asked for."""
        return (*SYSTEM_TABLES, *self._own, *self._files)

    def key(self, name: str) -> AssetKey | None:
        """Give the key under which the engine gets a table; nothing if there is none."""
        folded = name.casefold()
        return AssetKey(_HOME, folded) if folded in self.names else None

    def view(self, key: AssetKey) -> ViewRef | None:
        """Give a table that is made of files as a view over them; nothing for the others."""
        query = self._files.get(key.name)
        return None if query is None else ViewRef(key=key, sql=query(), schema=Schema(fields=()))

    def table(self, key: AssetKey) -> pa.Table:
        """Read a table by the key that `key` gave."""
        own = self._own.get(key.name)
        if own is not None:
            return own()
        table = SYSTEM_TABLES[key.name]
        with self._database.read() as transaction:
            rows = table.rows(transaction)
        return _arrow([(column.name, column.kind) for column in table.columns], rows)

    def _cursors(self) -> pa.Table:
        cursors = self._lake.cursors(self._at)
        rows = [(str(key), _json(value)) for key, value in cursors.items()]
        return _arrow([("asset", "text"), ("cursor", "text")], sorted(rows))

    def _commits(self) -> pa.Table:
        columns = [
            ("commit_id", "text"),
            ("parents", "text"),
            ("generation", "integer"),
            ("created_at", "time"),
            ("author", "text"),
            ("message", "text"),
            ("run_id", "integer"),
            ("meta", "text"),
        ]
        rows = [
            (
                commit.id,
                _json(commit.parents),
                commit.generation,
                commit.created_at,
                commit.author or None,
                commit.message,
                commit.meta.get("run"),
                _json(commit.meta),
            )
            for commit in self._lake.log(self._at, limit=_ALL)
        ]
        return _arrow(columns, rows)


def _arrow(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]]) -> pa.Table:
    arrow = importlib.import_module("pyarrow")  # a run imports this module and has no tables
    types = {
        "text": arrow.string(),
        "integer": arrow.int64(),
        "number": arrow.float64(),
        "flag": arrow.bool_(),
        "time": arrow.timestamp("us", tz="UTC"),
    }
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [
        arrow.array(column, type=types[kind])
        for (_name, kind), column in zip(columns, values, strict=True)
    ]
    table: pa.Table = arrow.table(arrays, names=[name for name, _kind in columns])
    return table


def _json(value: object) -> str:
    return orjson.dumps(value, default=dict, option=orjson.OPT_SORT_KEYS).decode()
