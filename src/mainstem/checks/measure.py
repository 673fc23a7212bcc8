# SPDX-License-Identifier: Apache-2.0
"""The questions that checks ask a session: counts first, failing rows only where there are some.

All checks that look at single rows or single numbers of a table share one scan of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mainstem.checks import wording
from mainstem.checks.known import KINDS
from mainstem.checks.predicate import bad_rows, within
from mainstem.checks.proof import judge_row_count
from mainstem.checks.target import Target
from mainstem.checks.values import json_able
from mainstem.checks.verdict import Finding
from mainstem.engines import in_brackets, quote, quote_key
from mainstem.types import CheckSpec, Schema, Session

_FUNCTIONS = {
    "min": "min({0})",
    "max": "max({0})",
    "mean": "avg({0})",
    "median": "median({0})",
    "sum": "sum({0})",
    "stdev": "stddev_samp({0})",
    "distinct_count": "count(distinct {0})",
}
_GROUPED = {"accepted_values", "regex", "like"}
"""Their failing rows are best told by the values: few values, many rows."""


def shares_a_scan(target: Target) -> bool:
    """Whether a check can be answered together with others by one scan of the table."""
    asks = KINDS[target.spec.name].asks
    return asks in {"row", "aggregate"} or (asks == "count" and target.other is None)


def measure_together(session: Session, targets: Sequence[Target], schema: Schema) -> list[Finding]:
    """Answer checks of one table that share a scan."""
    columns = ["count(*)"]
    for target in targets:
        columns += _questions(target.spec, schema)
    table = targets[0].table
    answers = iter(session.rows(f"select {', '.join(columns)} from {table}")[0])
    whole = next(answers)
    findings = []
    for target in targets:
        values = [next(answers) for _ in _questions(target.spec, schema)]
        findings.append(_finding(session, target, schema, whole, values))
    return findings


def measure(session: Session, target: Target, row_count: int = 0) -> Finding:
    """Answer one check that needs a query of its own.

    Args:
        session: Where to run.
        target: What is checked, and registered.
        row_count: Of its table, if that is known; 0 has it counted.
    """
    match KINDS[target.spec.name].asks:
        case "key":
            return _unique(session, target, row_count)
        case "reference":
            return _relationships(session, target, row_count)
        case "order":
            return _increasing(session, target)
        case "count":
            return _row_counts(session, target)
        case _:
            return _query(session, target)


def _selected(spec: CheckSpec) -> str:
    return f"where ({spec.where}\n)" if spec.where else ""


def _filter(spec: CheckSpec) -> str:
    return f" filter ({_selected(spec)})" if spec.where else ""


def _questions(spec: CheckSpec, schema: Schema) -> list[str]:
    counted = f"count(*){_filter(spec)}"
    match KINDS[spec.name].asks:
        case "row":
            return [counted, f"count(*) filter (where {bad_rows(spec, schema)})"]
        case "aggregate":
            value = f"{_aggregate(spec)}{_filter(spec)}"
            field = schema.field(spec.columns[0])
            keeps_type = spec.name in {"min", "max", "median", "quantile"}
            of = field.type if field is not None and keeps_type else None
            return [counted, value, within(value, spec, of)]
        case _:
            return [counted]


def _aggregate(spec: CheckSpec) -> str:
    column = quote(spec.columns[0])
    if spec.name == "quantile":
        return f"quantile_cont({column}, {float(spec.arguments['quantile'])})"
    return _FUNCTIONS[spec.name].format(column)


def _finding(
    session: Session, target: Target, schema: Schema, whole: int, values: Sequence[Any]
) -> Finding:
    spec = target.spec
    total = values[0] if spec.where else whole
    match KINDS[spec.name].asks:
        case "row":
            failed = values[1]
            if not failed:
                return Finding(failed=0, total=total)
            if spec.name in _GROUPED:
                return _grouped(session, target, schema, failed=failed, total=total)
            sample = _sample(session, target, bad_rows(spec, schema))
            return Finding(failed=failed, total=total, sample=sample)
        case "aggregate":
            value, is_within = values[1], values[2]
            # No value contradicts nothing: that there are rows is what `row_count` checks.
            is_number = not isinstance(value, float) or not math.isnan(value)
            if is_within is None or (is_within and is_number):
                return Finding(failed=0, total=total, said=wording.number(value))
            return Finding(failed=1, total=total, said=wording.aggregate(value, spec.arguments))
        case _:
            judged = judge_row_count(total, spec, spec.arguments.get("equal_to"))
            return Finding(failed=judged.failed, total=total, said=judged.said)


def _sample(session: Session, target: Target, predicate: str) -> tuple[dict[str, Any], ...]:
    return _rows(
        session, f"select * from {target.table} where {predicate} limit {target.spec.sample}"
    )


def _grouped(
    session: Session, target: Target, schema: Schema, *, failed: int, total: int
) -> Finding:
    column = quote(target.spec.columns[0])
    groups = (
        f"select {column}, count(*) as mainstem_rows from {target.table}"
        f" where {bad_rows(target.spec, schema)} group by 1"
    )
    _, values, sample = _top(session, target.spec, groups, order=column, counted="mainstem_rows")
    return Finding(failed=failed, total=total, values=values, sample=sample)


def _top(
    session: Session, spec: CheckSpec, groups: str, *, order: str, counted: str
) -> tuple[int, int, tuple[dict[str, Any], ...]]:
    """Run a query of groups once: count failing rows and groups, keep the largest groups.

    Args:
        session: Where to run.
        spec: Tells how many groups to keep.
        groups: Gives columns and, as `mainstem_rows`, how many rows they stand for.
        order: Among groups of equal size.
        counted: SQL: how many of a group's rows fail.
    """
    found = _rows(
        session,
        f"select *, count(*) over () as mainstem_values,"
        f" (sum({counted}) over ())::bigint as mainstem_failed"
        f" from ({groups}) as groups order by mainstem_rows desc, {order}"
        f" limit {max(1, spec.sample)}",
    )
    if not found:
        return 0, 0, ()
    sample = tuple(
        {key: value for key, value in row.items() if not key.startswith("mainstem_")}
        | {"rows": row["mainstem_rows"]}
        for row in found[: spec.sample]
    )
    return found[0]["mainstem_failed"], found[0]["mainstem_values"], sample


def _total(session: Session, target: Target, row_count: int) -> int:
    if row_count and not target.spec.where:
        return row_count
    counted: int = session.rows(f"select count(*) from {target.table} {_selected(target.spec)}")[0][
        0
    ]
    return counted


def _unique(session: Session, target: Target, row_count: int) -> Finding:
    """Count the rows behind the first of each key."""
    spec = target.spec
    keys = ", ".join(quote(column) for column in spec.columns)
    groups = (
        f"select {keys}, count(*) as mainstem_rows from {target.table} {key_rows(spec)}"
        f" group by {keys} having count(*) > 1"
    )
    failed, values, sample = _top(session, spec, groups, order=keys, counted="mainstem_rows - 1")
    total = _total(session, target, row_count)
    return Finding(failed=failed, total=total, values=values or None, sample=sample)


def key_rows(spec: CheckSpec) -> str:
    """Give the WHERE of the rows that `unique` compares."""
    parts = [f"({spec.where}\n)"] if spec.where else []
    if len(spec.columns) == 1:
        parts.append(f"{quote(spec.columns[0])} is not null")
    return f"where {' and '.join(parts)}" if parts else ""


def orphans(target: Target) -> str:
    """Give the WHERE of rows whose value is not in the other table's column."""
    assert target.other is not None, "relationships have another table"
    column, other = quote(target.spec.columns[0]), quote(target.other_column)
    parts = [f"({target.spec.where}\n)"] if target.spec.where else []
    parts.append(
        f"{column} is not null and {column} not in (select {other} from"
        f" {quote_key(target.other)} where {other} is not null)"
    )
    return " and ".join(parts)


def _relationships(session: Session, target: Target, row_count: int) -> Finding:
    spec = target.spec
    column = quote(spec.columns[0])
    groups = (
        f"select {column}, count(*) as mainstem_rows from {target.table}"
        f" where {orphans(target)} group by 1"
    )
    failed, values, sample = _top(session, spec, groups, order=column, counted="mainstem_rows")
    total = _total(session, target, row_count)
    return Finding(failed=failed, total=total, values=values or None, sample=sample)


def steps(target: Target) -> str:
    """Give a query of the rows with, as `mainstem_before`, the value of the row before."""
    spec = target.spec
    column = quote(spec.columns[0])
    parts = [
        f"{words} {', '.join(quote(name) for name in _names(spec.arguments.get(key)))}"
        for key, words in (("group_by", "partition by"), ("order_by", "order by"))
        if spec.arguments.get(key)
    ]
    # Nulls are passed over, so the value before is the last one that there was.
    conditions = [f"({spec.where}\n)"] if spec.where else []
    conditions.append(f"{column} is not null")
    return (
        f"select *, lag({column}) over ({' '.join(parts)}) as mainstem_before"
        f" from {target.table} where {' and '.join(conditions)}"
    )


def falls(target: Target) -> str:
    """Give the predicate of rows of `steps` that are not above the row before."""
    column = quote(target.spec.columns[0])
    compare = "<=" if target.spec.arguments.get("strictly") else "<"
    return f"{column} {compare} mainstem_before"


def _increasing(session: Session, target: Target) -> Finding:
    spec = target.spec
    failed, total = session.rows(
        f"select count(*) filter (where {falls(target)}),"
        f" (select count(*) from {target.table} {_selected(spec)})"
        f" from ({steps(target)}) as steps"
    )[0]
    if not failed:
        return Finding(failed=0, total=total)
    sample = _rows(
        session,
        f"select * from ({steps(target)}) as steps where {falls(target)} limit {spec.sample}",
    )
    named = tuple(
        {"before" if k == "mainstem_before" else k: v for k, v in r.items()} for r in sample
    )
    return Finding(failed=failed, total=total, sample=named)


def _names(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(name) for name in value]


def _row_counts(session: Session, target: Target) -> Finding:
    assert target.other is not None, "without another table a count shares a scan"
    total, expected = session.rows(
        f"select (select count(*) from {target.table} {_selected(target.spec)}),"
        f" (select count(*) from {quote_key(target.other)})"
    )[0]
    judged = judge_row_count(total, target.spec, expected)
    return Finding(failed=judged.failed, total=total, said=judged.said)


def _query(session: Session, target: Target) -> Finding:
    query = in_brackets(target.query)
    failed = session.rows(f"select count(*) from {query} as failing")[0][0]
    if not failed:
        return Finding(failed=0, said="no rows returned")
    sample = _rows(session, f"select * from {query} as failing limit {target.spec.sample}")
    return Finding(failed=failed, said=f"{wording.rows(failed)} returned", sample=sample)


def _rows(session: Session, sql: str) -> tuple[dict[str, Any], ...]:
    return tuple(
        {name: json_able(value) for name, value in row.items()} for row in session.records(sql)
    )
