# SPDX-License-Identifier: Apache-2.0
"""Reading a table version as Arrow, right by field id whatever schema each file was written with.

For Python users, checks of small tables, upserts and tests; models read through the engine.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mainstem.errors import AssetNotFound, StorageFailed
from mainstem.lake import conform
from mainstem.lake.arrow_types import arrow_schema, field_id, no_rows
from mainstem.types import DataFile, Schema, TableRef, did_you_mean

_BATCH_ROWS = 1 << 16


def read_arrow(ref: TableRef, columns: Sequence[str] | None = None) -> pa.Table:
    """Read all rows, oldest files first.

    Args:
        ref: The version.
        columns: Columns to read, in the order wanted; without case.

    Raises:
        AssetNotFound: There is no such column.
        StorageFailed: A file is missing, truncated or damaged.
    """
    schema = _selected(ref, columns)
    tables = [read_file(ref, file, schema) for file in ref.files]
    return pa.concat_tables([no_rows(schema), *tables])


def read_batches(ref: TableRef, columns: Sequence[str] | None = None) -> pa.RecordBatchReader:
    """Stream all rows, one file open at a time; errors are raised while reading."""
    schema = _selected(ref, columns)
    return pa.RecordBatchReader.from_batches(arrow_schema(schema), _batches(ref, schema))


def read_file(ref: TableRef, file: DataFile, schema: Schema) -> pa.Table:
    """Read one file with the columns of a schema of its table."""
    opened = _open(ref, file)
    try:
        names = _names_inside(opened, schema)
        if names == []:
            return _only_nulls(file, schema)
        found = opened.read(columns=names, use_threads=file.record_count > _BATCH_ROWS)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(ref, file, str(error)) from error
    finally:
        opened.close()
    return _shaped(found, file, schema, ref)


def row_groups(ref: TableRef, file: DataFile) -> int:
    """Tell how many row groups a file has: the least that can be read by itself."""
    opened = _open(ref, file)
    try:
        return int(opened.num_row_groups)
    finally:
        opened.close()


def read_row_group(ref: TableRef, file: DataFile, number: int) -> pa.Table:
    """Read one row group of a file with the columns of its table."""
    opened = _open(ref, file)
    try:
        names = _names_inside(opened, ref.schema)
        found = opened.read_row_group(number, columns=names or None)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(ref, file, str(error)) from error
    finally:
        opened.close()
    return _shaped(found, file, ref.schema, ref)


def _batches(ref: TableRef, schema: Schema) -> Iterator[pa.RecordBatch]:
    for file in ref.files:
        opened = _open(ref, file)
        try:
            names = _names_inside(opened, schema)
            if names == []:
                yield from _only_nulls(file, schema).to_batches()
                continue
            for batch in opened.iter_batches(batch_size=_BATCH_ROWS, columns=names):
                yield from _shaped(pa.Table.from_batches([batch]), file, schema, ref).to_batches()
        except (pa.ArrowException, OSError) as error:
            raise _damaged(ref, file, str(error)) from error
        finally:
            opened.close()


def _open(ref: TableRef, file: DataFile) -> pq.ParquetFile:
    path = Path(ref.warehouse, file.path)
    try:
        size = path.stat().st_size
        if size != file.size_bytes:
            raise _damaged(ref, file, f"it has {size:,} bytes, written were {file.size_bytes:,}")
        return pq.ParquetFile(path, arrow_extensions_enabled=True)
    except FileNotFoundError as error:
        raise StorageFailed(
            "A5552",
            f"a data file of {ref.key} is missing: {file.path}"
            f" ({file.record_count:,} rows of {ref.row_count:,}).",
            hint="Restore it from a backup, or rebuild the table with --rebuild.",
        ) from error
    except (pa.ArrowException, OSError) as error:
        raise _damaged(ref, file, str(error)) from error


def _names_inside(opened: pq.ParquetFile, schema: Schema) -> list[str] | None:
    # Only what is wanted is read; a file without ids inside is matched by name after reading.
    own = opened.schema_arrow
    if not all(field_id(field) for field in own):
        return None
    wanted = {field.id for field in schema.fields}
    names = [field.name for field in own if field_id(field) in wanted]
    return None if len(names) == len(own) else names


def _only_nulls(file: DataFile, schema: Schema) -> pa.Table:
    # No wanted column is inside the file; its rows count all the same.
    wanted = arrow_schema(schema)
    return pa.table([pa.nulls(file.record_count, own.type) for own in wanted], schema=wanted)


def _shaped(found: pa.Table, file: DataFile, schema: Schema, ref: TableRef) -> pa.Table:
    return conform.by_id(found, schema, ref.schemas.get(file.schema_id))


def _selected(ref: TableRef, columns: Sequence[str] | None) -> Schema:
    if columns is None:
        return ref.schema
    fields = []
    for name in columns:
        field = ref.schema.field(name)
        if field is None:
            raise AssetNotFound(
                "A5507",
                f"{ref.key} has no column `{name}`.",
                hint=did_you_mean(name, ref.schema.names),
                known=ref.schema.names,
            )
        fields.append(field)
    return dataclasses.replace(ref.schema, fields=tuple(fields))


def _damaged(ref: TableRef, file: DataFile, why: str) -> StorageFailed:
    return StorageFailed(
        "A5553",
        f"a data file of {ref.key} is truncated or damaged: {file.path} ({why}).",
        hint="Restore it from a backup, or rebuild the table with --rebuild.",
    )
