# SPDX-License-Identifier: Apache-2.0
"""Arrow IPC files: written for commands batch by batch, and read without being copied."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

_MAGIC = b"ARROW1"


def write_file(reader: pa.RecordBatchReader, path: Path) -> None:
    """Write all batches as an IPC file."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, reader.schema) as file:
        for batch in reader:
            file.write_batch(batch)


def read_file(path: Path) -> pa.Table:
    """Read an IPC file or an IPC stream.

    Raises:
        OSError: It is neither; `pyarrow` says so as one of its own errors.
    """
    source = pa.memory_map(str(path))
    with path.open("rb") as file:
        is_file = file.read(len(_MAGIC)) == _MAGIC
    try:
        reader = pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source)
        return reader.read_all()
    except pa.ArrowInvalid as error:
        raise OSError(str(error)) from error
