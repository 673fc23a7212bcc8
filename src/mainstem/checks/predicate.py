# SPDX-License-Identifier: Apache-2.0
"""Which rows are bad, as SQL: one predicate for counting, sampling and quarantine.

A predicate is true for bad rows, and false or null for good ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstem.checks.known import KINDS
from mainstem.checks.values import fitting_literal
from mainstem.engines import literal, quote
from mainstem.types import CheckSpec, List, Map, Primitive, Schema, Type

_FLOATS = frozenset({Primitive("float"), Primitive("double")})


def quarantine_predicate(spec: CheckSpec, schema: Schema | None = None) -> str | None:
    """Give the SQL that is true for rows to move aside, or `None` if the check moves none.

    Args:
        spec: A check; only one with `quarantine: true` moves rows.
        schema: Columns of the rows it is applied to; makes literals fit their columns.

    Returns:
        A predicate over the columns by name, in brackets. Split rows with `where (p) is true` and
        `where (p) is not true`: for good rows it may be null.
    """
    return bad_rows(spec, schema) if spec.quarantine else None


def bad_rows(spec: CheckSpec, schema: Schema | None = None) -> str:
    """Give the predicate of bad rows of a check that judges each row alone."""
    assert KINDS[spec.name].asks == "row", f"{spec.name} judges no single rows"
    predicate = _predicate(spec, schema)
    return f"(({spec.where}\n) and {predicate})" if spec.where else predicate


def _predicate(spec: CheckSpec, schema: Schema | None) -> str:
    arguments = spec.arguments
    if spec.name == "expression":
        return f"(not ({arguments['sql']}\n))"
    name = spec.columns[0]
    column = quote(name)
    field = schema.field(name) if schema is not None else None
    of = field.type if field is not None else None
    match spec.name:
        case "not_null":
            return f"({column} is null)"
        case "null":
            return f"({column} is not null)"
        case "accepted_values":
            # A null among the values would make `not in` null for every row.
            values = [v for v in arguments["values"] if v is not None]
            if not values:
                return f"({column} is not null)"
            return f"({column} not in ({', '.join(fitting_literal(v, of) for v in values)}))"
        case "between":
            return f"(not ({within(column, spec, of)}))"
        case "regex":
            return f"(not regexp_matches({_text(column, of)}, {literal(arguments['pattern'])}))"
        case "like":
            return f"({_text(column, of)} not like {literal(arguments['pattern'])})"
        case _:
            return f"(not ({within(_length(column, of), spec, None)}))"


def within(value: str, spec: CheckSpec, of: Type | None) -> str:
    """Write that a value is within `min`, `max` and `equal_to`."""
    arguments = spec.arguments
    parts = []
    if (low := arguments.get("min")) is not None:
        parts.append(f"{value} >{_or_equal(arguments, 'strict_min')} {fitting_literal(low, of)}")
    if (high := arguments.get("max")) is not None:
        parts.append(f"{value} <{_or_equal(arguments, 'strict_max')} {fitting_literal(high, of)}")
    if (exact := arguments.get("equal_to")) is not None:
        parts.append(f"{value} = {fitting_literal(exact, of)}")
    elif low is not None and high is None and of in _FLOATS:
        # For DuckDB NaN is above everything; a bound that it passes by that would bound nothing.
        parts.append(f"not isnan({value})")
    return " and ".join(parts)


def _or_equal(arguments: Mapping[str, Any], key: str) -> str:
    return "" if arguments.get(key) else "="


def _text(column: str, of: Type | None) -> str:
    return column if of == Primitive("string") else f"{column}::varchar"


def _length(column: str, of: Type | None) -> str:
    match of:
        case List():
            return f"len({column})"
        case Map():
            return f"cardinality({column})"
        case Primitive("binary"):
            return f"octet_length({column})"
        case _:
            return f"length({_text(column, of)})"
