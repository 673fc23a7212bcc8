# SPDX-License-Identifier: Apache-2.0
"""Arrow IPC and Feather files, and small tables for the engine; imported only when there are some.

PyArrow brings NumPy along, which together cost more than the load of a small CSV file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from mainstem.errors import ContractBroken
from mainstem.ingest.unpacking import Part, opened


def arrow_table(part: Part) -> pa.Table:
    """Read a file; a plain one is mapped, not copied.

    Raises:
        ContractBroken: It is no Arrow file.
    """
    try:
        if part.is_plain:
            source = pa.memory_map(part.path)
            try:
                return pa.ipc.open_file(source).read_all()
            except pa.ArrowInvalid:
                source.seek(0)
                return pa.ipc.open_stream(source).read_all()
        with opened(part) as file:
            content = file.read()
        try:
            return pa.ipc.open_file(content).read_all()
        except pa.ArrowInvalid:
            return pa.ipc.open_stream(content).read_all()
    except pa.ArrowInvalid as error:
        raise ContractBroken(
            "A3021",
            f"{part.name} is not an Arrow IPC or Feather file: {error}.",
            hint="Check that it was copied whole, or set `format:`.",
        ) from error


def table_of(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Make a table of rows that were found by us."""
    return pa.Table.from_pylist(list(rows))
