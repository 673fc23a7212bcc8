# SPDX-License-Identifier: Apache-2.0
"""A session: one DuckDB connection for one step."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from mainstem.engines import faults, writing
from mainstem.engines.names import escape_glob, in_brackets, quote, quote_key, type_sql
from mainstem.engines.registration import file_path, table_select
from mainstem.engines.storage_types import hugeint_of, storage_type
from mainstem.engines.tokens import without_semicolon
from mainstem.errors import SqlInvalid, Where
from mainstem.types import (
    AssetKey,
    DataFile,
    Field,
    Relation,
    Schema,
    TableRef,
    ViewRef,
    WriteTarget,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb.sqltypes import DuckDBPyType

_ZONED = "TIME ZONE"
"""In the name of types whose values DuckDB makes with pytz, which nobody has."""
_MOMENT = "TIMESTAMP WITH TIME ZONE"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RESERVED = {"information_schema", "pg_catalog", "system", "temp"}
"""Names that DuckDB keeps to itself."""
_BATCH_ROWS = 122_880
_INTERRUPT_EVERY_S = 0.02
_INTERRUPT_TRIES = 100

T = TypeVar("T")


class DuckDBSession:
    """Implements `mainstem.types.Session`; used by one thread, except `interrupt`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, database: str) -> None:
        self._connection = connection
        self._database = database
        self._names = (f"mainstem_arrow_{number}" for number in itertools.count())
        self._schemas: set[str] = {"main"}
        self._files: dict[str, str] = {}
        self._views: dict[str, str] = {}
        """What was registered, by place: gates of one asset register it again and again."""
        self._is_interrupted = False
        self._idle = threading.Event()
        self._idle.set()
        self._last_described: tuple[str, Schema, list[DuckDBPyType]] | None = None
        self.saw_fatal_error = False

    def register(self, relation: Relation, *, name: str = "") -> None:
        """Make a table or view readable as `namespace.name` (or `name`).

        The inputs of a view must be registered before it: `register_all` does.

        Raises:
            StorageFailed: A data file is missing, or not as long as it was.
            SqlInvalid: A view no longer fits what it reads, or the namespace is DuckDB's own.
        """
        match relation:
            case TableRef():
                self._look_at_files(relation)
                sql = table_select(relation)
            case ViewRef():
                sql = self._view_select(relation)
        self._create_view(name, relation.key, sql)

    def register_arrow(self, name: str, data: pa.Table | pa.RecordBatchReader) -> None:
        """Make Arrow data readable as `name`, which may have a namespace."""
        self._check()
        self._last_described = None
        if "." not in name:
            self._connection.register(name, data)
            return
        hidden = next(self._names)
        self._connection.register(hidden, data)
        self._create_view(name, AssetKey.parse(name), f"select * from temp.{quote(hidden)}")

    def describe(self, sql: str, *, like: str = "") -> Schema:
        """Tell the columns of a query without running it; types as the table would store them.

        Long queries are parsed and bound for milliseconds: `like` is one with the same columns of
        the same types, which is looked at instead, for `write` of that query too.
        """
        schema, _ = self._describe(sql, like=like)
        return schema

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and fetch Python rows; for small results."""
        self._last_described = None
        return self._run(sql, lambda: self._fetch(sql, parameters))

    def records(self, sql: str) -> list[dict[str, Any]]:
        """Run a query and fetch Python rows by column name; for small results."""
        return self._run(sql, lambda: _records(self._query(sql, ())))

    def arrow(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """Run a query and fetch all of it as Arrow."""
        return self._run(sql, lambda: self._query(sql, parameters).to_arrow_table())

    def reader(self, sql: str, parameters: Sequence[object] = ()) -> pa.RecordBatchReader:
        """Run a query and stream it as Arrow; read it to the end before the next statement."""
        found = self._run(sql, lambda: self._query(sql, parameters).to_arrow_reader(_BATCH_ROWS))
        # Its own class makes the new one, so that PyArrow is imported only by whoever streams.
        return type(found).from_batches(found.schema, self._batches(sql, found))

    def relation(self, sql: str) -> duckdb.DuckDBPyRelation:
        """Give a query as DuckDB's own relation, for Python models; dies with the session."""
        return self._run(sql, lambda: self._query(sql, ()))

    def write(self, sql: str, target: WriteTarget) -> tuple[DataFile, ...]:
        """Run a query and write its rows as data files: fsynced, with statistics, uncommitted.

        Columns are matched to `target.schema` by name and cast to its types; one that the query
        lacks is null. Rows keep the query's order, unless the target is partitioned. No row gives
        no file.

        Raises:
            StepFailed: The query failed on some row, or an integer is too large for its column.
            StorageFailed: The disk is full, or a data file of an input is damaged.
            Cancelled: `interrupt` was called.
        """
        sql = without_semicolon(sql)
        given, types = self._describe(sql)
        plan = writing.plan_copy(sql, given, target, given_types=[str(of) for of in types])
        try:
            written = self._run(
                sql, lambda: self._connection.execute(plan.statement).fetchall(), prefix=plan.before
            )
            return writing.finish(written, plan, target, self.rows)
        except BaseException:
            writing.discard(plan)
            raise

    def interrupt(self) -> None:
        """Stop the running statement, and refuse further ones; may be called from any thread."""
        self._is_interrupted = True
        # DuckDB forgets an interrupt that comes just before a statement starts: say it again.
        for _ in range(_INTERRUPT_TRIES):
            if self._idle.is_set():
                return
            self._connection.interrupt()
            self._idle.wait(_INTERRUPT_EVERY_S)

    def close(self) -> None:
        """Let go of what was registered."""
        self._files.clear()

    def _describe(self, sql: str, *, like: str = "") -> tuple[Schema, list[DuckDBPyType]]:
        # A step describes a query and then writes it: bound once, unless names came in between.
        if self._last_described is not None and self._last_described[0] == sql:
            return self._last_described[1:]
        relation = self._run(like or sql, lambda: self._bound(like or sql))
        names, types = relation.columns, relation.types
        hugeint = hugeint_of(sql)
        seen: dict[str, str] = {}
        fields = []
        for name, of in zip(names, types, strict=True):
            if (folded := name.casefold()) in seen:
                raise _repeated(name, seen[folded])
            seen[folded] = name
            fields.append(Field(name=name, type=storage_type(of, column=name, hugeint=hugeint)))
        schema = Schema(fields=tuple(fields))
        self._last_described = (sql, schema, types)
        return schema, types

    def _bound(self, sql: str) -> duckdb.DuckDBPyRelation:
        statements = self._connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise SqlInvalid(
                "A7504",
                f"one SELECT is needed here, not {len(statements)} statements."
                if len(statements) != 1
                else "a SELECT is needed here; this statement is none.",
                hint="A model is one query; its result is what is stored.",
            )
        return self._connection.sql(statements[0])  # parsed once

    def _batches(self, sql: str, found: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        """Pass batches on; a fault in the middle is an error of the interface too."""
        while True:
            batch = self._run(sql, lambda: next(found, None))
            if batch is None:
                return
            yield batch

    def _fetch(self, sql: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        result = self._connection.execute(sql, list(parameters) or None)
        if not any(_ZONED in str(of) for _, of, *_ in result.description or ()):
            return result.fetchall()
        # DuckDB needs pytz to make such values, Arrow does not; it takes them from a relation only.
        result.abort()
        found = self._query(sql, parameters).to_arrow_table()
        columns = [column.to_pylist() for column in found.columns]
        return list(zip(*columns, strict=True))

    def _query(self, sql: str, parameters: Sequence[object]) -> duckdb.DuckDBPyRelation:
        # Not through `execute`: DuckDB would copy its rows once more on the way to Arrow.
        if parameters:
            return self._connection.sql(sql, params=list(parameters))
        return self._connection.sql(sql)

    def _run(self, sql: str, act: Callable[[], T], *, prefix: str = "") -> T:
        """Do something with the connection; what goes wrong becomes an error of the interface."""
        self._idle.clear()
        try:
            self._check()
            return act()
        except duckdb.Error as error:
            self.saw_fatal_error = self.saw_fatal_error or faults.is_fatal(error)
            cause, before = (error, prefix) if faults.has_fields(error) else self._again(error, sql)
            raise faults.translate(cause, sql=sql, prefix=before, files=self._files) from error
        except OSError as error:  # Arrow's, while it streams
            raise faults.translate(error, sql=sql, prefix=prefix, files=self._files) from error
        finally:
            self._idle.set()

    def _again(self, error: duckdb.Error, sql: str) -> tuple[duckdb.Error, str]:
        """Get the position of a fault: DuckDB tells it for statements, not for relations."""
        prefix = "describe "
        if isinstance(error, faults.UNBOUND):
            try:
                self._connection.execute(prefix + sql)
            except faults.UNBOUND as told:
                return told, prefix
        return error, ""

    def _check(self) -> None:
        if self._is_interrupted:
            raise faults.cancelled()

    def _create_view(self, name: str, key: AssetKey, sql: str) -> None:
        if name and "." not in name:
            place = f"{quote(self._database)}.main.{quote(name)}"
        else:
            key = AssetKey.parse(name) if name else key
            self._create_schema(key)
            place = f"{quote(self._database)}.{quote_key(key)}"
        if self._views.get(place) == sql:
            return
        self._last_described = None
        prefix = f"create or replace view {place} as "
        self._run(sql, lambda: self._connection.execute(prefix + sql), prefix=prefix)
        if place in self._views:
            self._views.clear()  # views remember the columns of what they read
        self._views[place] = sql

    def _create_schema(self, key: AssetKey) -> None:
        folded = key.namespace.casefold()
        if folded in self._schemas:
            return
        if folded in _RESERVED:
            raise SqlInvalid(
                "A7507",
                f"{key} cannot be read with SQL: DuckDB keeps `{key.namespace}` to itself.",
                hint="Choose another namespace.",
                where=Where(asset=str(key)),
            )
        statement = f"create schema if not exists {quote(self._database)}.{quote(key.namespace)}"
        self._run(statement, lambda: self._connection.execute(statement))
        self._schemas.add(folded)

    def _view_select(self, view: ViewRef) -> str:
        """Give the view's query with each column in the type that a table would store.

        What a view has is decided by what it reads now: a `select *` gains and loses the columns
        of its input, and follows their types, though nobody defined it anew.
        """
        sql = without_semicolon(view.sql)
        try:
            given, types = self._describe(sql)
        except SqlInvalid as error:
            raise SqlInvalid(
                "A7503",
                f"view {view.key} no longer fits what it reads: {error.summary}",
                hint=error.hint,
                where=Where(asset=str(view.key)),
                known=error.known,
            ) from error
        columns = []
        for field, natural in zip(given, types, strict=True):
            wanted, name = type_sql(field.type), quote(field.name)
            columns.append(
                name if wanted == str(natural) else f"cast({name} as {wanted}) as {name}"
            )
        if columns == [quote(name) for name in given.names]:
            return sql
        return f"select {', '.join(columns)} from {in_brackets(sql)} as query"

    def _look_at_files(self, table: TableRef) -> None:
        for file in table.files:
            path = file_path(table, file)
            try:
                size = os.stat(path).st_size  # noqa: PTH116  # 2 us a file rather than 6
            except OSError as error:
                raise faults.broken_file(path, str(table.key)) from error
            if size != file.size_bytes:
                raise faults.truncated_file(
                    path, str(table.key), size=size, expected=file.size_bytes
                )
            # DuckDB speaks of the path as it was given, or as it was found.
            self._files[path] = self._files[escape_glob(path)] = str(table.key)


def _records(relation: duckdb.DuckDBPyRelation) -> list[dict[str, Any]]:
    names, types = relation.columns, [str(of) for of in relation.types]
    zoned = [index for index, of in enumerate(types) if _ZONED in of]
    if any(types[index] != _MOMENT for index in zoned):
        # DuckDB needs pytz to make such values, Arrow does not.
        rows: list[dict[str, Any]] = relation.to_arrow_table().to_pylist()
        return rows
    if zoned:
        relation = relation.project(
            ", ".join(
                f"epoch_us(#{number})" if number - 1 in zoned else f"#{number}"
                for number in range(1, len(names) + 1)
            )
        )
    found = []
    for values in relation.fetchall():
        row = dict(zip(names, values, strict=True))
        for index in zoned:
            micros = values[index]
            row[names[index]] = None if micros is None else _EPOCH + timedelta(microseconds=micros)
        found.append(row)
    return found


def _repeated(name: str, first: str) -> SqlInvalid:
    how = "twice" if name == first else f"as `{first}` too, and names are compared without case"
    return SqlInvalid(
        "A7505",
        f"the query gives column `{name}` {how}.",
        hint="Give one of them another name with `as`.",
    )
