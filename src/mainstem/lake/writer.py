# SPDX-License-Identifier: Apache-2.0
"""Writing Arrow as the data files of a table: partitioned, of good size, durable, with statistics.

Nothing is committed here. Called by the lake's own conveniences and by worker processes, which
never see the database.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mainstem.errors import StorageFailed
from mainstem.lake import conform
from mainstem.lake.arrow_types import arrow_schema
from mainstem.lake.durable import fsync_folder
from mainstem.lake.partitioning import split
from mainstem.lake.stats import footer_statistics
from mainstem.types import DataFile, PartitionValue, Primitive, Schema, WriteTarget

FILE_BYTES = 128 << 20
"""A file is closed once it has this size: large enough to read fast, small enough to rewrite."""

_HELD_BYTES = 128 << 20
"""Rows that are gathered before they are divided by partition: bounds the memory of a stream."""

_OPEN_FILES = 64
"""Partitions written at a time; with more, the one written longest ago is closed."""

_ROW_GROUP_ROWS = 1 << 20
_ROW_GROUP_BYTES = 64 << 20
"""In memory; a file's size is looked at between row groups."""

_FLOATS = frozenset({Primitive("float"), Primitive("double")})


def write_arrow(
    data: pa.Table | pa.RecordBatchReader | Iterable[pa.RecordBatch],
    target: WriteTarget,
    *,
    file_bytes: int = FILE_BYTES,
) -> tuple[DataFile, ...]:
    """Write rows as data files.

    Columns are matched to `target.schema` by name without case, nested ones too; absent ones are
    null, further ones are ignored. Files and their folder are fsynced before this returns. A stream
    is written in bounded memory. No row gives no file.

    Args:
        data: The rows.
        target: Where to, with which ids.
        file_bytes: Size at which a file is closed.

    Raises:
        SchemaDrifted: A value does not fit its column.
        ContractBroken: A required column has nulls.
        StorageFailed: The disk is full, or cannot be written.
    """
    writing = _Writing(target, file_bytes)
    try:
        for rows in _portions(data):
            shaped = conform.by_name(rows, target.schema)
            for partition, part in split(shaped, target.spec, target.schema):
                writing.add(partition, part)
        return writing.finish()
    except OSError as error:
        writing.discard()
        raise _storage_failed(error, target) from error
    except BaseException:
        writing.discard()
        raise


class _Writing:
    """The files of one call, open and closed."""

    __slots__ = ("_all", "_closed", "_file_bytes", "_open", "_target")

    def __init__(self, target: WriteTarget, file_bytes: int) -> None:
        self._target = target
        self._file_bytes = file_bytes
        self._open: dict[tuple[PartitionValue, ...], _File] = {}
        self._closed: list[DataFile] = []
        self._all: list[_File] = []

    def add(self, partition: tuple[PartitionValue, ...], rows: pa.Table) -> None:
        """Write rows of one partition."""
        file = self._open.pop(partition, None)
        if file is None:
            if len(self._open) >= _OPEN_FILES:
                self._close(self._open.pop(next(iter(self._open))))
            file = self._new(partition)
        # Put behind the others: the first of the dict is the one written longest ago.
        self._open[partition] = file
        step = _rows_per_group(rows, self._file_bytes)
        for start in range(0, rows.num_rows, step):
            file.write(rows.slice(start, step))
            if file.size >= self._file_bytes and start + step < rows.num_rows:
                self._close(file)
                file = self._open[partition] = self._new(partition)
        if file.size >= self._file_bytes:
            self._close(self._open.pop(partition))

    def finish(self) -> tuple[DataFile, ...]:
        """Close all files and make them durable."""
        for partition in list(self._open):
            self._close(self._open.pop(partition))
        if self._closed:
            fsync_folder(str(Path(self._target.warehouse, self._target.directory)))
        return tuple(self._closed)

    def discard(self) -> None:
        """Remove what was written; what cannot be is found by its recorded prefix later."""
        for file in self._all:
            file.abandon()

    def _close(self, file: _File) -> None:
        self._closed.append(file.close())

    def _new(self, partition: tuple[PartitionValue, ...]) -> _File:
        # Several workers may share one target, so a counter alone would not do.
        number = len(self._all) + 1
        name = f"{self._target.prefix}{number:05d}-{uuid.uuid4().hex[:12]}.parquet"
        file = _File(self._target, partition, name)
        self._all.append(file)
        return file


class _File:
    """One Parquet file being written."""

    __slots__ = (
        "_nans",
        "_partition",
        "_path",
        "_relative",
        "_rows",
        "_sink",
        "_target",
        "_writer",
    )

    def __init__(
        self, target: WriteTarget, partition: tuple[PartitionValue, ...], name: str
    ) -> None:
        self._target = target
        self._partition = partition
        self._relative = f"{target.directory}/{name}"
        self._path = Path(target.warehouse, self._relative)
        self._rows = 0
        self._nans: dict[int, int] = {}
        self._sink = pa.OSFile(str(self._path), "wb")
        self._writer = pq.ParquetWriter(
            self._sink,
            arrow_schema(target.schema),
            compression="zstd",
            compression_level=1,
            store_schema=False,
            store_decimal_as_integer=True,
        )

    @property
    def size(self) -> int:
        """Bytes on disk so far."""
        return int(self._sink.tell())

    def write(self, rows: pa.Table) -> None:
        """Write one row group."""
        self._writer.write_table(rows, row_group_size=_ROW_GROUP_ROWS)
        self._rows += rows.num_rows
        for field in self._target.schema.fields:
            if field.type in _FLOATS:
                count = pc.sum(pc.is_nan(rows.column(field.name))).as_py() or 0
                self._nans[field.id] = self._nans.get(field.id, 0) + count

    def close(self) -> DataFile:
        """Finish and fsync the file; its folder's entry is made durable by the caller."""
        self._writer.close()
        footer = self._writer.writer.metadata
        self._sink.close()
        with self._path.open("rb") as written:
            os.fsync(written.fileno())
            size = os.fstat(written.fileno()).st_size
        schema: Schema = self._target.schema
        statistics = footer_statistics(footer, schema)
        return DataFile(
            path=self._relative,
            record_count=self._rows,
            size_bytes=size,
            schema_id=schema.schema_id,
            spec_id=self._target.spec.spec_id,
            partition=self._partition,
            lower_bounds=statistics.lower_bounds,
            upper_bounds=statistics.upper_bounds,
            null_counts=statistics.null_counts,
            value_counts=statistics.value_counts,
            nan_counts=self._nans,
            column_sizes=statistics.column_sizes,
        )

    def abandon(self) -> None:
        """Remove the file, whatever state it is in."""
        with suppress(OSError):
            self._sink.close()
        self._path.unlink(missing_ok=True)


def _rows_per_group(rows: pa.Table, file_bytes: int) -> int:
    bytes_per_row: int = rows.nbytes // max(1, rows.num_rows) + 1
    return max(1, min(_ROW_GROUP_ROWS, min(_ROW_GROUP_BYTES, file_bytes) // bytes_per_row))


def _portions(
    data: pa.Table | pa.RecordBatchReader | Iterable[pa.RecordBatch],
) -> Iterator[pa.Table]:
    if isinstance(data, pa.Table):
        yield data
        return
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in data:
        held.append(batch)
        size += batch.nbytes
        if size >= _HELD_BYTES:
            yield pa.Table.from_batches(held)
            held, size = [], 0
    if held:
        yield pa.Table.from_batches(held)


def _storage_failed(error: OSError, target: WriteTarget) -> StorageFailed:
    if error.errno in {errno.ENOSPC, errno.EDQUOT} or "No space left" in str(error):
        return StorageFailed(
            "A5550",
            f"the disk is full: rows of {target.key} could not be written to"
            f" {target.directory}. Nothing was committed.",
            hint="Free some space; `mainstem doctor` shows what unreferenced files would go.",
        )
    return StorageFailed(
        "A5551",
        f"rows of {target.key} could not be written to {target.directory}: {error}."
        " Nothing was committed.",
        hint="Check that the warehouse folder exists and is writable.",
    )
