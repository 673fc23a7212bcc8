# SPDX-License-Identifier: Apache-2.0
"""SQL over the lake at one ref: finds which tables a query names and registers just those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

from mainstem.engines import quote_key
from mainstem.errors import AssetNotFound, MainstemError, SqlInvalid
from mainstem.project.system import SYSTEM, SystemTables
from mainstem.types import AssetKey, ViewRef, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

    from mainstem.lake import Lake
    from mainstem.sql import Query
    from mainstem.types import Engine, Schema, Session


class ReadingSession(AbstractContextManager["ReadingSession"]):
    """An engine session over the tables and views of one commit."""

    def __init__(
        self,
        engine: Engine,
        lake: Lake,
        *,
        at: str,
        extra: Mapping[AssetKey, Any] | None = None,
        system: SystemTables | None = None,
    ) -> None:
        self._engine = engine
        self._lake = lake
        self._commit = lake.resolve(at).id
        self._extra = extra or {}
        self._system = system
        self._registered: set[AssetKey] = set()
        self._stack = ExitStack()
        self._session: Session | None = None

    def __enter__(self) -> Self:
        self._session = self._stack.enter_context(self._engine.session())
        return self

    def __exit__(self, *exit_info: object) -> None:
        self._stack.close()

    @property
    def session(self) -> Session:
        """The engine's session; only inside the `with` block."""
        assert self._session is not None, "used outside its `with` block"
        return self._session

    def arrow(self, query: str) -> pa.Table:
        """Run a query whose tables are named `namespace.name`, or by a name that is unique."""
        return self.session.arrow(self.prepare(query))

    def reader(self, query: str) -> pa.RecordBatchReader:
        """Like `arrow`, as a stream that must be read inside the `with` block."""
        return self.session.reader(self.prepare(query))

    def prepare(self, query: str) -> str:
        """Register what the query reads, and give it with full names."""
        parsed = _parsed(query)
        names: dict[str, AssetKey] = {}
        for table in parsed.tables:
            if table.parts and table.parts[0].casefold() in {"information_schema", "pg_catalog"}:
                continue
            if self._system is not None and _is_system(table.parts):
                names[table.name.casefold()] = self._register_system(self._system, table.parts)
                continue
            key = self._key_of(table.parts)
            if key is not None:
                names[table.name.casefold()] = key
                self.register(key)
        named: str = _sql().qualify(parsed, names)
        return named

    def register(self, key: AssetKey) -> None:
        """Make one table or view readable, and what views are made of."""
        if key in self._registered:
            return
        self._registered.add(key)
        relation = self._extra.get(key) or self._lake.relation(key, self._commit)
        if isinstance(relation, ViewRef):
            for name in relation.inputs:
                self.register(name)
        self.session.register(relation)

    def columns(self, key: AssetKey) -> Schema:
        """Give the columns of a table or view; a view has those that what it reads gives it now."""
        relation = self._extra.get(key) or self._lake.relation(key, self._commit)
        if not isinstance(relation, ViewRef):
            schema: Schema = relation.schema
            return schema
        try:
            self.register(key)
            return self.session.describe(f"from {quote_key(key)}")
        except MainstemError:
            return relation.schema  # what it reads does not fit it any more, or cannot be read

    def _register_system(self, system: SystemTables, parts: Sequence[str]) -> AssetKey:
        key = system.key(parts[1])
        if key is None:
            known = [f"{SYSTEM}.{name}" for name in system.names]
            raise AssetNotFound(
                "A2042",
                f"There is no table `{'.'.join(parts)}` here.",
                hint=did_you_mean(".".join(parts), known) or f"There are {', '.join(known)}.",
                known=known,
            )
        if key not in self._registered:
            self._registered.add(key)
            view = system.view(key)
            if view is not None:
                self.session.register(view)
            else:
                self.session.register_arrow(str(key), system.table(key))
        return key

    def _key_of(self, parts: Sequence[str]) -> AssetKey | None:
        known = [*self._extra, *self._lake.entries(self._commit)]
        if len(parts) > 1:
            wanted = AssetKey(".".join(parts[:-1]), parts[-1])
            if wanted in self._extra or wanted in self._lake.entries(self._commit):
                return wanted
            candidates = []
        else:
            folded = parts[0].casefold()
            candidates = [key for key in known if key.name.casefold() == folded]
            if len(candidates) == 1:
                return candidates[0]
        name = ".".join(parts)
        raise AssetNotFound(
            "A2042",
            f"`{name}` is several tables: {', '.join(sorted(map(str, candidates)))}."
            if candidates
            else f"There is no table `{name}` here.",
            hint="Write namespace.name."
            if candidates
            else did_you_mean(name, map(str, known)) or "See them all: mainstem list",
            known=sorted(map(str, known)),
        )


def _is_system(parts: Sequence[str]) -> bool:
    return len(parts) == 2 and parts[0].casefold() == SYSTEM


def _parsed(query: str) -> Query:
    try:
        parsed: Query = _sql().parse(query, file="query")
    except SqlInvalid as error:
        if error.code != "A2011":
            raise
        # The parser speaks of models; who asks a question is told what a question is.
        raise SqlInvalid(
            error.code,
            error.summary,
            hint="A query is one SELECT statement. A table's columns: mainstem show namespace.name",
            where=error.where,
        ) from None
    return parsed


def _sql() -> Any:
    """Import what parses SQL, for SQL only: sqlglot is a tenth of loading a CSV file."""
    return import_module("mainstem.sql")
