# SPDX-License-Identifier: Apache-2.0
"""Tables in the form that a function asks for, and back: the adapter to frame libraries.

Vendors are imported where they are asked for; this module and `sink` are themselves imported only
by requests that move data.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa

from mainstem.engines import open_engine, quote_key
from mainstem.errors import ModelInvalid
from mainstem.lake import arrow_schema, read_arrow, read_batches
from mainstem.models.worker.message import Given
from mainstem.types import Relation, TableRef, ViewRef

ACCEPTED = (
    "pa.Table, pa.RecordBatch, pa.RecordBatchReader, pd.DataFrame, pl.DataFrame, pl.LazyFrame, "
    "dd.DataFrame, duckdb.DuckDBPyRelation, TableRef, a list of dicts, or a generator of those"
)


class NotRows(TypeError):  # says what it is
    """A value has no rows, whatever form is looked for."""


_EXTRA = {"pandas": "pandas", "polars": "polars", "dask": "dask"}
_DASK_FRAMES = "mainstem.models.dask.frame"


def give(given: Given, opened: ExitStack, root: Path) -> Any:
    """Give an input in its form.

    Args:
        given: Which data, in which form.
        opened: Closes what the data hangs on once the request is done.
        root: The project folder, for what queries spill.
    """
    relation = given.relations[-1]
    match given.form:
        case "reference":
            return relation
        case "reader":
            return _reader(given.relations, opened, root)
        case "lazy":
            return _lazy(relation, given, opened, root)
        case "dask" if isinstance(relation, TableRef):
            _vendor("dask", given)
            return importlib.import_module(_DASK_FRAMES).of_table(relation)
        case "duckdb":
            session = _session(given.relations, opened, root)
            return session.relation(f"from {quote_key(relation.key)}")
        case _:
            pass
    return convert(_table(given.relations, opened, root), given)


def convert(table: pa.Table, given: Given) -> Any:
    """Give an Arrow table in a form that holds all its rows."""
    match given.form:
        case "reader":
            return table.to_reader()
        case "pandas":
            _vendor("pandas", given)
            return table.to_pandas()
        case "polars":
            return _vendor("polars", given).from_arrow(table)
        case "lazy":
            return _vendor("polars", given).from_arrow(table).lazy()
        case "dask":
            _vendor("dask", given)
            return importlib.import_module(_DASK_FRAMES).of_arrow(table)
        case "duckdb":
            return importlib.import_module("duckdb").connect().from_arrow(table)
        case _:
            return table


def pieces(value: Any) -> Iterator[pa.Table]:
    """Give what a function returned or yielded as Arrow, in pieces that fit in memory.

    Raises:
        NotRows: It is nothing that has rows.
    """
    kind = _kind(value)
    match kind:
        case "pyarrow.Table":
            yield value
        case "pyarrow.RecordBatch":
            yield pa.Table.from_batches([value])
        case "pyarrow.RecordBatchReader":
            yield from _batches(value)
        case "pandas.DataFrame":
            yield _from_pandas(value)
        case "polars.DataFrame":
            yield _from_polars(value)
        case "polars.LazyFrame":
            yield from _from_lazy(value)
        case "dask.DataFrame":
            for frame in importlib.import_module(_DASK_FRAMES).computed(value):
                yield _from_pandas(frame)
        case "duckdb.DuckDBPyRelation":
            yield from _batches(value.to_arrow_reader(100_000))
        case "mainstem.TableRef":
            yield from _batches(read_batches(value))
        case _ if isinstance(value, Mapping):
            yield from_rows([value])
        case _ if isinstance(value, list | tuple) and all(
            isinstance(row, Mapping) for row in value
        ):
            yield from_rows(value)
        case _ if hasattr(value, "__arrow_c_stream__"):
            yield from _from_stream(value)
        case _:
            raise NotRows(kind)


def is_data(value: Any) -> bool:
    """Tell whether a value is rows by itself, rather than something that yields such."""
    return (
        _kind(value).rpartition(".")[2] in _CLASSES
        or isinstance(value, Mapping | list | tuple)
        or hasattr(value, "__arrow_c_stream__")
    )


def from_rows(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Make a table of dicts; a row may lack columns, which come in the order they are first seen.

    Raises:
        pyarrow.ArrowInvalid: The values of a column have no type in common.
    """
    names = list(dict.fromkeys(str(name) for row in rows for name in row))
    columns = {}
    for name in names:
        try:
            columns[name] = pa.array([row.get(name) for row in rows])
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise pa.ArrowInvalid(f"column `{name}`: {error}") from None
    return pa.table(columns)


_CLASSES = {
    "Table",
    "RecordBatch",
    "RecordBatchReader",
    "DataFrame",
    "LazyFrame",
    "DuckDBPyRelation",
    "TableRef",
}


def _kind(value: Any) -> str:
    of = type(value)
    return f"{of.__module__.partition('.')[0].lstrip('_')}.{of.__qualname__}"


def _batches(reader: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    # Also when there is no row: the columns are known.
    schema = getattr(reader, "schema", None)
    if schema is not None:
        yield pa.Table.from_batches([], schema=schema)
    for batch in reader:
        yield pa.Table.from_batches([batch])


def _from_pandas(frame: Any) -> pa.Table:
    """Take over a frame; index levels with a name are columns, the others are dropped."""
    named = [name for name in frame.index.names if name is not None]
    if named:
        frame = frame.reset_index(level=named)
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)


def _from_polars(frame: Any) -> pa.Table:
    for name, dtype in frame.schema.items():
        if str(dtype) == "Object":  # polars would hand over the addresses of the objects
            raise pa.ArrowTypeError(f"column `{name}` holds Python objects")
    return frame.to_arrow()


def _from_stream(value: Any) -> Iterator[pa.Table]:
    try:
        reader = pa.RecordBatchReader.from_stream(value)
    except (pa.ArrowException, TypeError, ValueError):
        raise NotRows(_kind(value)) from None  # one column without a name, such as a series
    yield from _batches(reader)


def _from_lazy(frame: Any) -> Iterator[pa.Table]:
    empty = True
    for batch in frame.collect_batches(maintain_order=True):
        empty = False
        yield _from_polars(batch)
    if empty:
        yield _from_polars(frame.head(0).collect())


def _table(relations: Sequence[Relation], opened: ExitStack, root: Path) -> pa.Table:
    relation = relations[-1]
    if isinstance(relation, TableRef):
        return read_arrow(relation)
    return _session(relations, opened, root).arrow(f"from {quote_key(relation.key)}")


def _reader(relations: Sequence[Relation], opened: ExitStack, root: Path) -> pa.RecordBatchReader:
    relation = relations[-1]
    if isinstance(relation, TableRef):
        return read_batches(relation)
    return _session(relations, opened, root).reader(f"from {quote_key(relation.key)}")


def _lazy(relation: Relation, given: Given, opened: ExitStack, root: Path) -> Any:
    """Scan the files where polars reads them right; it knows no field ids."""
    polars = _vendor("polars", given)
    if isinstance(relation, ViewRef):
        return polars.from_arrow(_table(given.relations, opened, root)).lazy()
    is_as_written = all(file.schema_id == relation.schema.schema_id for file in relation.files)
    if not relation.files or not is_as_written or "://" in relation.warehouse:
        return polars.from_arrow(read_arrow(relation)).lazy()
    paths = [f"{relation.warehouse}/{file.path}" for file in relation.files]
    scanned = polars.scan_parquet(paths, glob=False, hive_partitioning=False)
    return scanned.select(list(arrow_schema(relation.schema).names))


def _session(relations: Sequence[Relation], opened: ExitStack, root: Path) -> Any:
    """Open a session that sees a relation and what it reads; closed with the request."""
    session = opened.enter_context(engine_of(root).session())
    for relation in relations:
        session.register(relation)
    return session


@functools.cache
def engine_of(root: Path) -> Any:
    """Open the engine of this process once: an instance costs 20 ms."""
    return open_engine("duckdb", temp_directory=root / ".mainstem" / "tmp")


def _vendor(name: str, given: Given) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ModelInvalid(
            "A7116",
            f"Parameter `{given.parameter}` asks for a {name} frame, and {name} is not installed.",
            hint=f"pip install 'mainstem[{_EXTRA[name]}]', or annotate it pa.Table.",
        ) from error
