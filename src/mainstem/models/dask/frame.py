# SPDX-License-Identifier: Apache-2.0
"""Tables as Dask frames, and back: the adapter to `dask.dataframe`.

A frame has a partition for each row group of each data file; each is read by field id, as any other
reader of ours does, so that a table that has evolved reads right. In a step that an executor of
type `dask` carries out, its tasks run on that cluster; elsewhere in threads of the worker process.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import dask
import dask.dataframe as dd
import pyarrow as pa
from distributed import Client

from mainstem.lake import read_arrow, read_row_group, row_groups
from mainstem.types import DataFile, TableRef, dataclass

_AT_ONCE = max(2, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows of one file, read by one task."""

    file: DataFile
    group: int
    """Row group."""


def of_table(table: TableRef) -> dd.DataFrame:
    """Give a table as a Dask frame without reading a row."""
    _connect()
    bare = replace(table, files=())  # a task gets the file that it reads, not the list of all
    meta = read_arrow(bare).to_pandas()
    parts = [_Part(file, group) for file in table.files for group in range(row_groups(table, file))]
    if not parts:
        return dd.from_pandas(meta, npartitions=1)
    return dd.from_map(_read, parts, table=bare, meta=meta)


def of_arrow(table: pa.Table) -> dd.DataFrame:
    """Give rows that are in memory as a Dask frame."""
    _connect()
    return dd.from_pandas(table.to_pandas(), npartitions=_AT_ONCE)


def computed(frame: dd.DataFrame) -> Iterator[Any]:
    """Compute a frame, some partitions at a time, and give them in order as pandas frames."""
    client = _connect()
    parts = frame.to_delayed()
    if client is None:
        for first in range(0, len(parts), _AT_ONCE):
            yield from dask.compute(*parts[first : first + _AT_ONCE], scheduler="threads")
        return
    futures = client.compute(parts)
    for index, future in enumerate(futures):
        yield future.result()
        futures[index] = None  # the cluster may forget it


def _read(part: _Part, table: TableRef) -> Any:
    return read_row_group(table, part.file, part.group).to_pandas()


@functools.cache
def _connect() -> Client | None:
    """Connect to the cluster that this process works for, if it is one's."""
    address = os.environ.get("MAINSTEM_DASK", "")
    return Client(address, set_as_default=True) if address else None
