# SPDX-License-Identifier: Apache-2.0
"""Checks that the statistics of data files prove, without reading a row.

A proof is only ever of passing. Bounds may be wider than the values (long strings are shortened),
never narrower, so what holds of the bounds holds of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mainstem.checks import wording
from mainstem.checks.known import KINDS
from mainstem.checks.target import Target
from mainstem.checks.values import physical
from mainstem.types import (
    AssetKey,
    CheckSpec,
    DataFile,
    Field,
    Physical,
    Primitive,
    Relation,
    TableRef,
    dataclass,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What is known without reading."""

    total: int
    said: str
    is_passing: bool = True
    failed: int = 0


def prove(target: Target, relation: Callable[[AssetKey], Relation]) -> Proof | None:
    """Try to judge a check by statistics alone; `None` if it needs reading."""
    spec = target.spec
    table = relation(spec.asset)
    if not isinstance(table, TableRef) or spec.where:
        return None
    total = sum(file.record_count for file in table.files)
    if spec.name == "row_count":
        return _row_count(target, total, relation)
    asks = KINDS[spec.name].asks
    if total == 0 and asks in {"row", "key", "reference", "order"}:
        return Proof(total=0, said="no rows")
    if spec.name not in _PROOFS:
        return None
    field = table.schema.field(spec.columns[0])
    if field is None or not isinstance(field.type, Primitive):
        return None
    if not _PROOFS[spec.name](table, field, spec):
        return None
    return Proof(total=total, said=f"{wording.rows(total)}, proven by file statistics")


def _row_count(
    target: Target, total: int, relation: Callable[[AssetKey], Relation]
) -> Proof | None:
    arguments = target.spec.arguments
    expected = arguments.get("equal_to")
    if target.other is not None:
        other = relation(target.other)
        if not isinstance(other, TableRef):
            return None
        expected = sum(file.record_count for file in other.files)
    return judge_row_count(total, target.spec, expected)


def judge_row_count(total: int, spec: CheckSpec, expected: int | None) -> Proof:
    """Compare a number of rows, known by whatever means, with what a check expects."""
    low, high = spec.arguments.get("min"), spec.arguments.get("max")
    is_passing = (
        (expected is None or total == expected)
        and (low is None or total >= low)
        and (high is None or total <= high)
    )
    said = wording.rows(total) if is_passing else wording.row_count(total, spec.arguments, expected)
    failed = 0 if is_passing else abs(total - expected) if expected is not None else 1
    return Proof(total=total, said=said, is_passing=is_passing, failed=failed)


def _has_no_null(table: TableRef, field: Field, spec: CheckSpec) -> bool:
    del spec
    return all(file.null_counts.get(field.id) == 0 for file in table.files)


def _has_only_null(table: TableRef, field: Field, spec: CheckSpec) -> bool:
    del spec
    return all(_is_null(table, file, field) for file in table.files)


def _is_null(table: TableRef, file: DataFile, field: Field) -> bool:
    """Whether a file has no value of a column: only nulls, or older than the column."""
    schema = table.schemas.get(file.schema_id)
    if schema is not None and all(of.id != field.id for of in schema):
        return True
    return file.null_counts.get(field.id) == file.record_count


def _is_between(table: TableRef, field: Field, spec: CheckSpec) -> bool:
    """Whether each value of each file is within `min` and `max`."""
    for low, high in _bounds(table, field):
        if low is None or high is None:
            return False
        if not _is_above(low, spec, "min", field) or not _is_below(high, spec, "max", field):
            return False
    return True


def _least_is_within(table: TableRef, field: Field, spec: CheckSpec) -> bool:
    """Whether the least value is: at least the least lower bound, at most the least upper one."""
    return _extreme_is_within(table, field, spec, choose=min)


def _greatest_is_within(table: TableRef, field: Field, spec: CheckSpec) -> bool:
    return _extreme_is_within(table, field, spec, choose=max)


def _extreme_is_within(
    table: TableRef,
    field: Field,
    spec: CheckSpec,
    *,
    choose: Callable[[list[Physical]], Physical],
) -> bool:
    if spec.arguments.get("equal_to") is not None:
        return False
    lows, highs = [], []
    for low, high in _bounds(table, field):
        if low is None or high is None:
            return False
        lows.append(low)
        highs.append(high)
    if not lows:
        return True
    return _is_above(choose(lows), spec, "min", field) and _is_below(
        choose(highs), spec, "max", field
    )


def _bounds(table: TableRef, field: Field) -> Iterator[tuple[Physical | None, Physical | None]]:
    """Give the bounds of each file that has values; `None` where they are not known."""
    for file in table.files:
        if _is_null(table, file, field):
            continue
        # NaN is above everything for DuckDB, and counts for no bound.
        is_float = field.type in {Primitive("float"), Primitive("double")}
        if is_float and file.nan_counts.get(field.id) != 0:
            yield None, None
        else:
            yield file.lower_bounds.get(field.id), file.upper_bounds.get(field.id)


def _is_above(value: Physical, spec: CheckSpec, key: str, field: Field) -> bool:
    limit = spec.arguments.get(key)
    if limit is None:
        return True
    bound = physical(limit, field.type)
    if bound is None or isinstance(bound, str) != isinstance(value, str):
        return False
    is_strict = bool(spec.arguments.get(f"strict_{key}"))
    return value > bound or (value == bound and not is_strict)  # type: ignore[operator]  # both are text, or neither is


def _is_below(value: Physical, spec: CheckSpec, key: str, field: Field) -> bool:
    limit = spec.arguments.get(key)
    if limit is None:
        return True
    bound = physical(limit, field.type)
    if bound is None or isinstance(bound, str) != isinstance(value, str):
        return False
    is_strict = bool(spec.arguments.get(f"strict_{key}"))
    return value < bound or (value == bound and not is_strict)  # type: ignore[operator]  # both are text, or neither is


_PROOFS: dict[str, Callable[[TableRef, Field, CheckSpec], bool]] = {
    "not_null": _has_no_null,
    "null": _has_only_null,
    "between": _is_between,
    "min": _least_is_within,
    "max": _greatest_is_within,
}
