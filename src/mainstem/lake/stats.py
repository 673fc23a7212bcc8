# SPDX-License-Identifier: Apache-2.0
"""Statistics of a Parquet file that was just written, from its footer: no second pass over rows.

Bounds are `types.Physical`. Strings and binaries are cut to 16 characters or bytes: lower bounds
simply, upper bounds upwards, so that bounds stay bounds. Nothing is kept for what is inside lists
and maps but counts: Iceberg gives such bounds no meaning.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

import pyarrow.parquet as pq

from mainstem.lake.leaves import Leaf, leaves
from mainstem.types import Physical, Primitive, Schema, dataclass

CUT = 16
"""Characters of a string, or bytes of a binary, that a bound keeps (Iceberg's default)."""

_HIGHEST = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True)
class FileStatistics:
    """The statistics part of a `DataFile`, by field id."""

    lower_bounds: dict[int, Physical] = field(default_factory=dict)
    upper_bounds: dict[int, Physical] = field(default_factory=dict)
    null_counts: dict[int, int] = field(default_factory=dict)
    value_counts: dict[int, int] = field(default_factory=dict)
    column_sizes: dict[int, int] = field(default_factory=dict)


def footer_statistics(footer: pq.FileMetaData, schema: Schema) -> FileStatistics:
    """Sum up the statistics of all row groups.

    Args:
        footer: Of a file that has exactly the columns of `schema`, in its order.
        schema: What it was written with.
    """
    result = FileStatistics()
    every = leaves(schema)
    assert footer.num_columns == len(every), "the file has the columns of its schema"
    unbounded: set[int] = set()
    for group in range(footer.num_row_groups):
        row_group = footer.row_group(group)
        for position, leaf in enumerate(every):
            _add(result, leaf, row_group.column(position), unbounded)
    for number in unbounded:
        result.lower_bounds.pop(number, None)
        result.upper_bounds.pop(number, None)
    return result


def cut_upwards(text: str) -> str | None:
    """Give the shortest string above all that start with the first characters of `text`.

    `None` if there is none, because every character is already the highest.
    """
    if len(text) <= CUT:
        return text
    for end in range(CUT, 0, -1):
        code = ord(text[end - 1]) + 1
        if code in _SURROGATES:
            code = _SURROGATES.stop
        if code <= _HIGHEST:
            return text[: end - 1] + chr(code)
    return None


def cut_bytes_upwards(value: bytes) -> bytes | None:
    """The same for bytes."""
    if len(value) <= CUT:
        return value
    kept = value[:CUT].rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else None


def _add(
    result: FileStatistics, leaf: Leaf, column: pq.ColumnChunkMetaData, unbounded: set[int]
) -> None:
    number = leaf.id
    _count(result.column_sizes, number, column.total_compressed_size)
    _count(result.value_counts, number, column.num_values)
    statistics = column.statistics
    if statistics is None or not statistics.has_null_count:
        # A count for some row groups only would be wrong: mark it as unknown for good.
        unbounded.add(number)
        return
    nulls = statistics.null_count
    _count(result.null_counts, number, nulls)
    if leaf.is_repeated or nulls == column.num_values:
        return
    if not statistics.has_min_max:
        unbounded.add(number)
        return
    lower = _bound(statistics.min_raw, leaf.type, is_upper=False)
    upper = _bound(statistics.max_raw, leaf.type, is_upper=True)
    if lower is None or upper is None:
        unbounded.add(number)
        return
    known: Any = result.lower_bounds.get(number)
    result.lower_bounds[number] = lower if known is None else min(known, lower)
    known = result.upper_bounds.get(number)
    result.upper_bounds[number] = upper if known is None else max(known, upper)


def _count(counts: dict[int, int], number: int, more: int) -> None:
    counts[number] = counts.get(number, 0) + more


def _bound(raw: Any, of: Primitive, *, is_upper: bool) -> Physical | None:
    if not isinstance(raw, bytes):
        if isinstance(raw, float) and raw == 0.0:
            # Spec, "Column Metrics": zeros are -0.0 below and +0.0 above.
            return 0.0 if is_upper else -0.0
        plain: Physical = raw
        return plain
    if of.is_decimal:
        return int.from_bytes(raw, "big", signed=True)
    if of.name == "string":
        text = raw.decode()
        return cut_upwards(text) if is_upper else text[:CUT]
    cut = cut_bytes_upwards(raw) if is_upper else raw[:CUT]
    return None if cut is None else cut.hex()
