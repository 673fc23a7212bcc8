# SPDX-License-Identifier: Apache-2.0
"""What `COPY ... RETURN_STATS` says of a file, as bounds and counts by field id.

A bound that cannot be told exactly enough is left out: missing bounds only prune less.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import UTC, date, datetime, time

from mainstem.engines.names import quote
from mainstem.types import List, Map, Physical, Primitive, Schema, Struct, Type, dataclass

_LONGEST = 64
"""Characters (or bytes) of a string bound that are kept."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStatistics:
    """Statistics of one file by field id, as `DataFile` has them."""

    lower_bounds: dict[int, Physical] = field(default_factory=dict)
    upper_bounds: dict[int, Physical] = field(default_factory=dict)
    null_counts: dict[int, int] = field(default_factory=dict)
    value_counts: dict[int, int] = field(default_factory=dict)
    nan_counts: dict[int, int] = field(default_factory=dict)
    column_sizes: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaf:
    id: int
    type: Primitive
    has_bounds: bool
    """Inside lists and maps a bound would speak of elements, not of rows."""


def leaves_of(schema: Schema) -> dict[str, _Leaf]:
    """Give the primitive fields by the path that RETURN_STATS uses: `"st"."b"."element"`."""
    return {
        path: leaf
        for column in schema
        for path, leaf in _leaves(quote(column.name), column.type, column.id, has_bounds=True)
    }


def _leaves(path: str, of: Type, id_: int, *, has_bounds: bool) -> Iterator[tuple[str, _Leaf]]:
    match of:
        case Primitive():
            yield path, _Leaf(id=id_, type=of, has_bounds=has_bounds)
        case Struct(fields=fields):
            for child in fields:
                name = f"{path}.{quote(child.name)}"
                yield from _leaves(name, child.type, child.id, has_bounds=has_bounds)
        case List():
            name = f"{path}.{quote('element')}"
            yield from _leaves(name, of.element, of.element_id, has_bounds=False)
        case Map():
            for part, child_type, child_id in (
                ("key", of.key, of.key_id),
                ("value", of.value, of.value_id),
            ):
                # DuckDB 2.0 names the repeated group; the other spelling costs nothing.
                for name in (f"{path}.{quote('key_value')}.{quote(part)}", f"{path}.{quote(part)}"):
                    yield from _leaves(name, child_type, child_id, has_bounds=False)


def read_statistics(
    columns: Mapping[str, Mapping[str, str]], leaves: Mapping[str, _Leaf]
) -> FileStatistics:
    """Turn the `column_statistics` of one file into counts and bounds."""
    found = FileStatistics()
    for path, values in columns.items():
        leaf = leaves.get(path)
        if leaf is None:
            continue
        for key, into in (
            ("null_count", found.null_counts),
            ("num_values", found.value_counts),
            ("nan_count", found.nan_counts),
            ("column_size_bytes", found.column_sizes),
        ):
            if key in values:
                into[leaf.id] = int(values[key])
        if not leaf.has_bounds or "min" not in values or "max" not in values:
            continue
        low, high = _bounds(values["min"], values["max"], leaf.type)
        if low is not None:
            found.lower_bounds[leaf.id] = low
        if high is not None:
            found.upper_bounds[leaf.id] = high
    return found


def _bounds(low: str, high: str, of: Primitive) -> tuple[Physical | None, Physical | None]:
    if of.name == "string":
        return low[:_LONGEST], _above(high)
    if of.name == "binary" or of.name.startswith("fixed"):
        return low.lower()[: 2 * _LONGEST], _above_bytes(high.lower())
    try:
        smallest, largest = _physical(low, of), _physical(high, of)
    except (ValueError, OverflowError):
        return None, None  # beyond what Python's dates can say: infinity, BC, the year 10000
    if isinstance(smallest, float) and isinstance(largest, float):
        # Iceberg spec, "Bounds": zeros of either sign lie between -0.0 and +0.0.
        return smallest if smallest != 0 else -0.0, largest if largest != 0 else 0.0
    return smallest, largest


def _physical(text: str, of: Primitive) -> Physical:
    match of.name:
        case "boolean":
            return text in {"1", "true"}
        case "int" | "long":
            return int(text)
        case "float" | "double":
            value = float(text)
            if math.isnan(value):
                raise ValueError(text)
            return value
        case "date":
            return date.fromisoformat(text).toordinal() - _EPOCH.toordinal()
        case "time":
            return _micros_of_day(time.fromisoformat(_six_digits(text)))
        case "timestamp" | "timestamptz":
            moment = datetime.fromisoformat(_six_digits(text))
            return _micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        case "uuid":
            return text.replace("-", "").lower()
        case _:
            return _unscaled(text, of)


def _six_digits(text: str) -> str:
    """Pad a fraction of seconds: `10:00:01.5` is no ISO time for Python."""
    return re.sub(r"\.(\d{1,5})(?!\d)", lambda found: "." + found[1].ljust(6, "0"), text)


def _micros(moment: datetime) -> int:
    passed = moment - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def _micros_of_day(at: time) -> int:
    return ((at.hour * 60 + at.minute) * 60 + at.second) * 1_000_000 + at.microsecond


def _unscaled(text: str, of: Primitive) -> int:
    _, scale = of.precision_and_scale
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(scale, "0"))


def _above(text: str) -> str | None:
    """Shorten an upper bound so that it still is one; `None` if no short text is above."""
    if len(text) <= _LONGEST:
        return text
    for end in range(_LONGEST - 1, -1, -1):
        code = ord(text[end]) + 1
        if 0xD800 <= code <= 0xDFFF:
            code = 0xE000  # surrogates are no characters
        if code <= 0x10FFFF:
            return text[:end] + chr(code)
    return None


def _above_bytes(digits: str) -> str | None:
    if len(digits) <= 2 * _LONGEST:
        return digits
    kept = bytearray.fromhex(digits[: 2 * _LONGEST])
    while kept and kept[-1] == 0xFF:
        kept.pop()
    if not kept:
        return None
    kept[-1] += 1
    return kept.hex()
