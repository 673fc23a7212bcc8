# SPDX-License-Identifier: Apache-2.0
"""What checks are called and what results say: one line, as GRAMMAR 6 shows."""

from __future__ import annotations

import re
from typing import Any

from mainstem.types import CheckSpec

_SHOWN = 5


def describe(spec: CheckSpec) -> str:
    """Name a check with its arguments: `relationships(dest -> raw.airports.faa)`."""
    if spec.label and not is_numbered(spec):
        return spec.label
    column = ", ".join(spec.columns)
    arguments = spec.arguments
    match spec.name:
        case "relationships":
            inner = f"{column} -> {arguments['to']}"
        case "accepted_values":
            inner = f"{column} in {_list(arguments['values'])}"
        case "regex":
            inner = f"{column} ~ {arguments['pattern']}"
        case "like":
            inner = f"{column} like {arguments['pattern']}"
        case "expression":
            inner = _short(str(arguments["sql"]))
        case "type":
            inner = f"{column} is {arguments['type']}"
        case "sql" | "schema":
            return spec.name
        case _:
            inner = ", ".join(part for part in (column, _bounds(arguments)) if part)
    return f"{spec.name}({inner})" if inner else spec.name


def is_numbered(spec: CheckSpec) -> bool:
    """Whether the label was not given but made of the name and a number: `expression_2`."""
    plain = f"{spec.name}({','.join(spec.columns)})" if spec.columns else spec.name
    return re.fullmatch(re.escape(plain) + r"_\d+", spec.label) is not None


def count(number: int) -> str:
    """Write a number of rows: `336,776`."""
    return f"{number:,}"


def rows(number: int) -> str:
    """Write a number with its noun: `1 row`, `7,602 rows`."""
    return f"{number:,} row{'s' if number != 1 else ''}"


def share(part: int, whole: int) -> str:
    """Write a share: `2.3 %`; never `0.0 %` or `100.0 %` when that is not the whole truth."""
    if not whole or not part:
        return "0 %"
    percent = 100 * part / whole
    if percent < 0.1:
        return "<0.1 %"
    if part < whole and percent > 99.9:
        return ">99.9 %"
    return f"{percent:.1f} %"


def failing(failed: int, total: int, *, values: int | None, mostly: float) -> str:
    """Say how many rows fail: `7,602 of 336,776 rows (2.3 %), 4 values`."""
    text = f"{count(failed)} of {rows(total)} ({share(failed, total)})"
    if values is not None:
        text += f", {count(values)} value{'s' if values != 1 else ''}"
    if mostly < 1:
        text += f", allowed {100 * (1 - mostly):.6g} %"
    return text


def row_count(found: int, arguments: Any, expected: int | None) -> str:
    """Say how a number of rows differs from what was expected."""
    said = rows(found)
    if expected is not None and found != expected:
        missing = expected - found
        how = f"{count(missing)} missing" if missing > 0 else f"{count(-missing)} too many"
        return f"{said}, expected {count(expected)}; {how}"
    return f"{said}{_expectation(arguments, count)}"


def aggregate(found: Any, arguments: Any) -> str:
    """Say how a number differs from what was expected."""
    return f"{number(found)}{_expectation(arguments, number)}"


def number(value: Any) -> str:
    """Write a value of a column: whole numbers grouped, others with six digits at most."""
    if value is None:
        return "no value"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return f"{value:,.6g}" if abs(value) < 1e15 else str(value)
    return str(value)


def _expectation(arguments: Any, write: Any) -> str:
    low, high, exact = (arguments.get(key) for key in ("min", "max", "equal_to"))
    if exact is not None:
        return f", expected {write(exact)}"
    if low is not None and high is not None:
        return f", expected {write(low)} to {write(high)}"
    if low is not None:
        return (
            f", expected {'more than' if arguments.get('strict_min') else 'at least'} {write(low)}"
        )
    if high is not None:
        return (
            f", expected {'less than' if arguments.get('strict_max') else 'at most'} {write(high)}"
        )
    return ""


def _bounds(arguments: Any) -> str:
    parts = [
        f"{key} {arguments[key]}"
        for key in ("quantile", "min", "max", "equal_to")
        if arguments.get(key) is not None
    ]
    return ", ".join(parts)


def _list(values: Any) -> str:
    shown = ", ".join(str(value) for value in values[:_SHOWN])
    return shown + (", ..." if len(values) > _SHOWN else "")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57] + "..."
