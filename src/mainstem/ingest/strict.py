# SPDX-License-Identifier: Apache-2.0
"""Casts that change no value: DuckDB reads `1.5` as the integer 2, and a timestamp as its date.

Integers of CSV files are read as doubles and compared with what they become: that costs a few per
cent of a load, where reading them as text costs a quarter. Past 2^53 doubles have gaps, so there,
and wherever a value is none, the column is read as text and looked at value by value.
"""

from __future__ import annotations

import re

from mainstem.engines import literal, quote

_RANGES = {
    "TINYINT": (-(2**7), 2**7 - 1),
    "SMALLINT": (-(2**15), 2**15 - 1),
    "INTEGER": (-(2**31), 2**31 - 1),
    "BIGINT": (-(2**53) + 1, 2**53 - 1),
    "UTINYINT": (0, 2**8 - 1),
    "USMALLINT": (0, 2**16 - 1),
    "UINTEGER": (0, 2**32 - 1),
    "UBIGINT": (0, 2**53 - 1),
}
"""Integers of a type that a double holds exactly."""
INTEGERS = frozenset({*_RANGES, "HUGEINT"})
NANOSECONDS = "TIMESTAMP_NS"
"""What pandas writes; tables keep microseconds, so only values without a finer part fit."""
_MARK = "mainstem-not-an-integer"
_WHOLE = literal(r"\s*[+-]?\d+(\.0*)?\s*")
_DAY = literal(r"\s*\d{1,4}-\d{1,2}-\d{1,2}\s*")


def guarded(name: str, of: str) -> str:
    """Write an integer from a column read as DOUBLE; a value that is none fails the query.

    One comparison a branch, none of which is taken: DuckDB passes whole vectors on to the last one.
    NaN is above every bound for it, and nulls are in no branch but the last.
    """
    column = quote(name)
    low, high = _RANGES[of]
    is_even = low == -high
    bounds = [f"abs({column}) > {high}"] if is_even else [f"{column} > {high}", f"{column} < {low}"]
    bad = (f"{column} <> trunc({column})", *bounds)
    fails = f"error({literal(f'{_MARK}:{name}:')})"
    branches = " ".join(f"when {condition} then {fails}" for condition in bad)
    return f"case {branches} else {column}::{of} end"


def is_guarded(of: str) -> bool:
    """Whether `guarded` knows a type."""
    return of in _RANGES


def unguarded_column(message: str) -> str | None:
    """Tell from an error's text which column's guard failed, if one did."""
    match = re.search(rf"{_MARK}:(.*?):", message, re.DOTALL)
    return match[1] if match is not None else None


def strict_cast(expression: str, of: str) -> str:
    """Write a cast of text that gives null for what would lose something."""
    if of in INTEGERS:
        return (
            f"case when regexp_full_match({expression}, {_WHOLE}) "
            f"then try_cast({expression} as {of}) end"
        )
    if of == "DATE":
        return (
            f"case when regexp_full_match({expression}, {_DAY}) "
            f"then try_cast({expression} as DATE) end"
        )
    return f"try_cast({expression} as {of})"


def is_lost(expression: str, before: str, of: str) -> str:
    """Write the condition that a cast loses a value or a part of it."""
    if of == "VARCHAR":
        return "false"
    if before == "VARCHAR":
        return f"({expression} is not null and {strict_cast(expression, of)} is null)"
    back = f"try_cast(try_cast({expression} as {of}) as {before})"
    return f"({expression} is not null and {back} is distinct from {expression})"
