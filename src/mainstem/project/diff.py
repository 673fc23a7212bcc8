# SPDX-License-Identifier: Apache-2.0
"""How the rows of two versions of a table differ; computed by the engine.

Files that both versions share are not read, so the cost grows with what changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from mainstem.types import AssetKey, Engine, Session, TableRef, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDiff:
    """Counts are complete, the sample is not."""

    key: AssetKey
    by: tuple[str, ...] = ()
    """Columns that identify a row; without, a changed row counts as one removed and one added."""
    added: int = 0
    removed: int = 0
    changed: int = 0
    columns: Mapping[str, int] = field(default_factory=dict)
    """Changed rows per column."""
    sample: tuple[Mapping[str, Any], ...] = ()
    """Rows with `change` in front; a changed value reads `before -> after`."""


def diff_rows(
    engine: Engine, before: TableRef, after: TableRef, *, by: Sequence[str] = (), limit: int = 5
) -> RowDiff:
    """Compare the columns that both versions have.

    Args:
        engine: What computes.
        before: Older version.
        after: Newer version.
        by: Columns that identify a row in both, or nothing.
        limit: Rows of the sample per kind of change.
    """
    names = after.schema.names
    shared_columns = [name for name in names if before.schema.field(name) is not None]
    keyed = bool(by) and all(
        any(column.casefold() == name.casefold() for name in shared_columns) for column in by
    )
    with engine.session() as session:
        if before.schema.fields == after.schema.fields:
            before, after = _without_shared_files(before, after)
        session.register(before, name="version_before")
        session.register(after, name="version_after")
        if keyed:
            return _by_key(session, after.key, shared_columns, tuple(by), limit)
        return _as_multiset(session, after.key, shared_columns, limit)


def _without_shared_files(before: TableRef, after: TableRef) -> tuple[TableRef, TableRef]:
    shared = {file.path for file in before.files} & {file.path for file in after.files}
    return (
        replace(before, files=tuple(file for file in before.files if file.path not in shared)),
        replace(after, files=tuple(file for file in after.files if file.path not in shared)),
    )


def _as_multiset(session: Session, key: AssetKey, columns: Sequence[str], limit: int) -> RowDiff:
    listed = ", ".join(map(_quoted, columns))
    gone = f"select {listed} from version_before except all select {listed} from version_after"
    new = f"select {listed} from version_after except all select {listed} from version_before"
    removed = session.rows(f"select count(*) from ({gone})")[0][0]
    added = session.rows(f"select count(*) from ({new})")[0][0]
    sample: list[Mapping[str, Any]] = []
    for word, count, query in (("removed", removed, gone), ("added", added, new)):
        if count:
            rows = session.arrow(f"select * from ({query}) order by all limit {limit}")
            sample += [{"change": word, **row} for row in rows.to_pylist()]
    return RowDiff(key=key, added=added, removed=removed, sample=tuple(sample))


def _by_key(
    session: Session, key: AssetKey, columns: Sequence[str], by: tuple[str, ...], limit: int
) -> RowDiff:
    folded = {name.casefold() for name in by}
    values = [name for name in columns if name.casefold() not in folded]
    match = " and ".join(f"a.{_quoted(name)} is not distinct from b.{_quoted(name)}" for name in by)
    joined = (
        "from (select true as here, * from version_before) as b "
        f"full join (select true as here, * from version_after) as a on {match}"
    )
    differs = {name: f"(a.{_quoted(name)} is distinct from b.{_quoted(name)})" for name in values}
    both = "a.here and b.here"
    any_differs = " or ".join(differs.values()) or "false"
    per_column = "".join(
        f", count(*) filter (where {both} and {text})" for text in differs.values()
    )
    added, removed, changed, *counts = session.rows(
        "select count(*) filter (where b.here is null), count(*) filter (where a.here is null), "
        f"count(*) filter (where {both} and ({any_differs})){per_column} {joined}"
    )[0]
    per_name = {name: count for name, count in zip(values, counts, strict=True) if count}
    cells = [f"coalesce(a.{_quoted(name)}, b.{_quoted(name)}) as {_quoted(name)}" for name in by]
    cells += [_cell(name, f"{both} and {differs[name]}") for name in [*(per_name or values)][:6]]
    rows = session.arrow(
        f"select {_CHANGE} as change, {', '.join(cells)} {joined} where b.here is null or "
        f"a.here is null or {any_differs} order by all limit {limit}"
    )
    return RowDiff(
        key=key,
        by=by,
        added=added,
        removed=removed,
        changed=changed,
        columns=per_name,
        sample=tuple(rows.to_pylist()),
    )


_CHANGE = (
    "case when b.here is null then 'added' when a.here is null then 'removed' else 'changed' end"
)


def _cell(name: str, differs: str) -> str:
    before, after = f"b.{_quoted(name)}", f"a.{_quoted(name)}"
    return (
        f"case when {differs} then concat_ws(' -> ', coalesce({before}::varchar, 'null'), "
        f"coalesce({after}::varchar, 'null')) else coalesce({after}, {before})::varchar end "
        f"as {_quoted(name)}"
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
