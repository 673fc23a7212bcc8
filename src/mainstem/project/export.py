# SPDX-License-Identifier: Apache-2.0
"""Results of queries in the formats other programs read; streamed, never all in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, BinaryIO, Literal

import orjson
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

Format = Literal["csv", "json", "parquet", "arrow"]


def export(reader: pa.RecordBatchReader, stream: BinaryIO, file_format: Format) -> int:
    """Write all rows of a reader and give their number.

    Args:
        reader: Is read to its end.
        stream: Binary; is not closed.
        file_format: `csv` with a header, `json` as one array of objects, `parquet`, or `arrow` as
            an IPC stream.
    """
    match file_format:
        case "csv":
            with pa_csv.CSVWriter(stream, _flat_schema(reader.schema)) as writer:
                return _each(reader, lambda batch: writer.write(_flat(batch)))
        case "parquet":
            with pq.ParquetWriter(stream, reader.schema, compression="zstd") as parquet:
                return _each(reader, parquet.write_batch)
        case "arrow":
            with pa.ipc.new_stream(stream, reader.schema) as ipc:
                return _each(reader, ipc.write_batch)
        case "json":
            return _json(reader, stream)


def take(reader: pa.RecordBatchReader, limit: int) -> pa.RecordBatchReader:
    """Give the first rows of a reader, and read no more of it than needed."""

    def batches() -> Iterator[pa.RecordBatch]:
        left = limit
        while left > 0:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
            yield batch.slice(0, left)
            left -= batch.num_rows

    return pa.RecordBatchReader.from_batches(reader.schema, batches())


def distinct_names(names: Iterable[str]) -> list[str]:
    """Number the names that come again, as DuckDB does: `a`, `a_1`."""
    given: list[str] = []
    for name in names:
        number, unique = 0, name
        while unique in given:
            number += 1
            unique = f"{name}_{number}"
        given.append(unique)
    return given


def _each(reader: pa.RecordBatchReader, write: Callable[[Any], None]) -> int:
    total = 0
    for batch in reader:
        write(batch)
        total += batch.num_rows
    return total


def _json(reader: pa.RecordBatchReader, stream: BinaryIO) -> int:
    total = 0
    stream.write(b"[")
    names = distinct_names(reader.schema.names)
    for batch in reader:
        for row in batch.rename_columns(names).to_pylist():
            stream.write(b",\n " if total else b"\n ")
            stream.write(orjson.dumps(row, default=_plain, option=orjson.OPT_NON_STR_KEYS))
            total += 1
    stream.write(b"\n]\n")
    return total


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    # `sum()` of integers gives whole decimals: JSON has integers for those that fit.
    if isinstance(value, Decimal) and value == value.to_integral_value() and abs(value) < 2**63:
        exponent = value.as_tuple().exponent
        return int(value) if exponent == 0 else str(value)
    return str(value)


def _flat_schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema(
        [pa.field(field.name, pa.string() if _is_nested(field) else field.type) for field in schema]
    )


def _flat(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Write lists, structs and maps as JSON: CSV has nothing for them."""
    columns = [
        pa.array(
            [
                None if value is None else orjson.dumps(value, default=_plain).decode()
                for value in column.to_pylist()
            ],
            pa.string(),
        )
        if _is_nested(field)
        else column
        for field, column in zip(batch.schema, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=_flat_schema(batch.schema))


def _is_nested(field: pa.Field) -> bool:
    return bool(pa.types.is_nested(field.type) or pa.types.is_binary(field.type))
