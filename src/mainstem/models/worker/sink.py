# SPDX-License-Identifier: Apache-2.0
"""In the worker: write what a function gave, piece by piece, with bounded memory.

The columns of the first pieces decide the table's; the supervisor is asked where to write, and what
is written waits, uncommitted, under the attempt's prefix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from mainstem.errors import MainstemError, SchemaDrifted, StepFailed, Where
from mainstem.lake import replace_rows, schema_of_arrow, upsert_rows, write_arrow
from mainstem.models.worker.frames import ACCEPTED, NotRows, from_rows, is_data, pieces
from mainstem.models.worker.message import Build, Expected, Judge, Told, Written
from mainstem.models.worker.parting import Rules, part
from mainstem.types import AssetKey, DataFile, Schema, TableRef, WriteTarget, did_you_mean

Ask = Callable[[AssetKey, Schema], Told]
Part = Callable[[pa.Table, Rules], tuple[pa.Table, pa.Table]]
_FLUSH_BYTES = 128 << 20
_ROWS_AT_ONCE = 20_000


class Sink:
    """Takes the pieces of one output and writes them."""

    def __init__(
        self,
        expected: Expected,
        ask: Ask,
        *,
        file: str = "",
        part: Part | None = None,
        flush_bytes: int = _FLUSH_BYTES,
    ) -> None:
        self.expected = expected
        self._flush_bytes = flush_bytes
        self._ask = ask
        self._where = Where(file=file, asset=str(expected.key))
        self._pieces: list[pa.Table] = []
        self._rows: list[Mapping[str, Any]] = []
        self._held_bytes = 0
        self._schema: pa.Schema | None = None
        self._told: Told | None = None
        self._part = part
        self._rejects: Sink | None = None
        self._added: list[DataFile] = []
        self._row_count = 0
        self._is_merged = expected.mode in {"upsert", "replace_partitions"}
        self.is_touched = False
        """Whether anything was given, if only columns without a row."""

    def add(self, value: Any) -> None:
        """Take a piece of data."""
        self.is_touched = True
        if isinstance(value, Mapping):  # yielded row by row
            self._rows.append(value)
            if len(self._rows) >= _ROWS_AT_ONCE:
                self._take_rows()
            return
        self._take_rows()
        try:
            for piece in pieces(value):
                self._take(piece)
        except NotRows:
            raise _not_rows(value, str(self.expected.key), self._where) from None
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise SchemaDrifted(
                "A7114",
                f"What {self.expected.key} gave is no table: {_first_line(error)}.",
                hint="Give each column values of one type.",
                where=self._where,
            ) from None

    def close(self) -> tuple[Written, ...]:
        """Write what is left; rows set aside by checks are an output of their own.

        Raises:
            StepFailed: There was no piece at all, so the columns are unknown.
        """
        self._take_rows()
        if self._schema is None and not self._pieces:
            if self.expected.current is not None and self.expected.mode != "overwrite":
                return (Written(key=self.expected.key, rows=0),)
            raise StepFailed(
                "A7114",
                f"{self.expected.key} got no data at all, so its columns are unknown.",
                hint="Give an empty table that has columns: schema.empty_table().",
                where=self._where,
            )
        if self._is_merged and isinstance(self.expected.current, TableRef):
            written = self._merge(self.expected.current)
        else:
            self._flush()
            written = Written(key=self.expected.key, rows=self._row_count, added=tuple(self._added))
        return (written, *(self._rejects.close() if self._rejects is not None else ()))

    def _take_rows(self) -> None:
        rows, self._rows = self._rows, []
        if rows:
            self._take(_of_rows(rows, self._where))

    def _take(self, piece: pa.Table) -> None:
        self._pieces.append(piece)
        self._held_bytes += piece.nbytes
        if self._held_bytes >= self._flush_bytes and not self._is_merged:
            self._flush()

    def _flush(self) -> None:
        table, target = self._placed(self._united())
        if table.num_rows:
            self._added += write_arrow(table, target)
        self._row_count += table.num_rows

    def _placed(self, table: pa.Table) -> tuple[pa.Table, WriteTarget]:
        """Learn where to write, at first, and set aside the rows that checks reject."""
        if self._told is None:
            self._told = self._ask(self.expected.key, _schema(table.schema, self._where))
        told = self._told
        assert told.target is not None, "a place or an error"
        if told.rules and told.rejects is not None and self._part is not None:
            table, bad = self._part(table, told.rules)
            if self._rejects is None and (bad.num_rows or told.clears_rejects):
                rejects = Expected(key=told.rejects, mode="overwrite")
                self._rejects = Sink(rejects, self._ask, file=self._where.file)
            if self._rejects is not None:
                self._rejects.add(bad)
        return table, told.target

    def _united(self) -> pa.Table:
        """Join the pieces held; later ones must fit the columns that were written first."""
        held, self._pieces, self._held_bytes = self._pieces, [], 0
        first = self._schema
        if first is not None:
            held = [first.empty_table(), *held]
        table = _joined(held, self._where)
        if first is not None and not table.schema.equals(first):
            table = _fitted(table, first, self._where)
        self._schema = table.schema
        return table

    def _merge(self, current: TableRef) -> Written:
        """Meet rows that are there: what to rewrite is known once all new rows are."""
        table, target = self._placed(self._united())
        if self.expected.mode == "upsert":
            change = upsert_rows(current, table, on=self.expected.row_key, target=target)
        else:
            change = replace_rows(current, table, target=target)
        return Written(
            key=self.expected.key,
            rows=table.num_rows,
            added=change.added,
            removed=change.removed,
            partitions=change.partitions,
        )


def write_all(request: Build, result: Any, ask: Ask, root: Path) -> tuple[Written, ...]:
    """Write what a model's function returned or yields; user code runs on while a generator does.

    Raises:
        StepFailed: It is of a type that has no rows, or for an output that was not announced.
        SchemaDrifted: Its pieces have different columns.
    """

    def parted(table: pa.Table, rules: Rules) -> tuple[pa.Table, pa.Table]:
        return part(table, rules, run_id=request.facts.run_id, root=root)

    sinks = {each.key: Sink(each, ask, file=request.file, part=parted) for each in request.outputs}
    where = Where(file=request.file, asset=str(request.outputs[0].key))
    if request.is_multi:
        for pair in _iterated(result, where):
            key, data = _pair(pair, where)
            sinks[_found(key, sinks, where)].add(data)
        _refuse_missing(sinks, where)
    else:
        sink = sinks[request.outputs[0].key]
        if is_data(result):
            _add_whole(sink, result)
        else:
            for piece in _iterated(result, where):
                sink.add(piece)
    return tuple(written for sink in sinks.values() for written in sink.close())


def failing_rows(result: Any, request: Judge) -> tuple[int, tuple[Mapping[str, Any], ...]]:
    """Count the rows that a check's function returned, and keep a sample of them."""
    where = Where(file=request.file, asset=request.check)
    if result is None or not (is_data(result) or hasattr(result, "__next__")):
        raise StepFailed(
            "A7130",
            f"The check {request.check} returned `{type(result).__qualname__}`; "
            f"allowed are True or False, or failing rows: {ACCEPTED}.",
            where=where,
        )
    count = 0
    sample: list[dict[str, Any]] = []
    for value in [result] if is_data(result) else result:
        for piece in pieces(value):
            count += piece.num_rows
            missing = request.sample - len(sample)
            if missing > 0:
                sample += piece.slice(0, missing).to_pylist()
    return count, tuple({name: _plain(value) for name, value in row.items()} for row in sample)


def _add_whole(sink: Sink, result: Any) -> None:
    if isinstance(result, list | tuple) and not all(isinstance(row, Mapping) for row in result):
        for piece in result:  # a list of frames
            sink.add(piece)
    elif isinstance(result, list | tuple):
        for row in result:
            sink.add(row)
    else:
        sink.add(result)


def _iterated(result: Any, where: Where) -> Iterator[Any]:
    if hasattr(result, "__next__"):
        return iter(result)
    if isinstance(result, list | tuple | Mapping):
        return iter(result.items() if isinstance(result, Mapping) else result)
    raise _not_rows(result, where.asset, where)


def _pair(pair: Any, where: Where) -> tuple[Any, Any]:
    if isinstance(pair, tuple) and len(pair) == 2:
        return pair
    raise StepFailed(
        "A7115",
        f"{where.file}: a multi_asset yielded `{type(pair).__qualname__}`; "
        "allowed is a pair (key, data).",
        hint='yield "namespace.name", table',
        where=where,
    )


def _found(key: Any, sinks: Mapping[AssetKey, Sink], where: Where) -> AssetKey:
    written = str(key).casefold()
    for known in sinks:
        if written in {known.folded, known.name.casefold()}:
            return known
    names = [str(each) for each in sinks]
    raise StepFailed(
        "A7115",
        f"{where.file}: a multi_asset yielded data for `{key}`, which is not one of its outputs.",
        hint=did_you_mean(str(key), names) or f"Its outputs are {', '.join(names)}.",
        where=where,
        known=names,
    )


def _refuse_missing(sinks: Mapping[AssetKey, Sink], where: Where) -> None:
    missing = [str(key) for key, sink in sinks.items() if not sink.is_touched]
    if missing:
        raise StepFailed(
            "A7115",
            f"{where.file}: a multi_asset yielded nothing for {', '.join(missing)}.",
            hint="Yield an empty table with columns if there are no rows.",
            where=where,
        )


def _not_rows(value: object, asset: str, where: Where) -> StepFailed:
    kind = "None" if value is None else f"`{type(value).__module__}.{type(value).__qualname__}`"
    return StepFailed(
        "A7113",
        f"{asset} gave {kind.replace('`builtins.', '`')}; allowed are {ACCEPTED}.",
        hint="Annotate it `-> None` if it is to write nothing." if value is None else "",
        where=where,
    )


def _of_rows(rows: Sequence[Mapping[str, Any]], where: Where) -> pa.Table:
    try:
        return from_rows(rows)
    except pa.ArrowInvalid as error:
        raise SchemaDrifted(
            "A7114",
            f"{where.asset}: rows do not agree: {_first_line(error)}.",
            hint="Give a column values of one type in all rows.",
            where=where,
        ) from None


def _joined(held: Sequence[pa.Table], where: Where) -> pa.Table:
    if len(held) == 1:
        return held[0]
    try:
        return pa.concat_tables(held, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SchemaDrifted(
            "A7114",
            f"The pieces of {where.asset} have different columns: {_first_line(error)}.",
            hint="Cast them alike before they are yielded.",
            where=where,
        ) from None


def _fitted(table: pa.Table, first: pa.Schema, where: Where) -> pa.Table:
    why = ""
    extra = [name for name in table.schema.names if name not in first.names]
    if extra:
        why = f"column `{extra[0]}` was not in them"
    else:
        try:
            return table.select(first.names).cast(first)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            why = _first_line(error)
    raise SchemaDrifted(
        "A7114",
        f"Pieces of {where.asset} do not fit those written before: {why}.",
        hint="Give the first piece all columns, with types that hold all values.",
        where=where,
    )


def _first_line(error: Exception) -> str:
    return "; ".join(str(each).splitlines()[0] for each in error.args if str(each))[:500]


def _schema(schema: pa.Schema, where: Where) -> Schema:
    if not schema.names:
        raise StepFailed("A7114", f"{where.asset} has no columns.", where=where)
    try:
        stored: Schema = schema_of_arrow(schema)
    except MainstemError as error:
        error.where = error.where or where
        raise
    return stored


def _plain(value: Any) -> Any:
    """Make a sampled value plain data, as results are kept as JSON."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
