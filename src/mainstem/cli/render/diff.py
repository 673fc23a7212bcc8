# SPDX-License-Identifier: Apache-2.0
"""Comparisons and merges as lines."""

from __future__ import annotations

from mainstem.cli.render.grid import grid
from mainstem.cli.render.look import Look
from mainstem.cli.render.words import count, listing
from mainstem.lake import Conflict, MergeResult, SchemaChange, TableDiff
from mainstem.project import Comparison, RowDiff
from mainstem.types import plural

_INDENT = 6


def diff_lines(found: Comparison, look: Look) -> list[str]:
    """Render what the second ref has that the first has not."""
    lines = [
        f"{found.before}@{found.before_commit[:8]} → {found.after}@{found.after_commit[:8]}"
        if look.has_glyphs
        else f"{found.before}@{found.before_commit[:8]} -> {found.after}@{found.after_commit[:8]}"
    ]
    keys = [entry.key for entry in (*found.added, *found.removed)]
    keys += [change.key for change in found.changed]
    width = max((len(str(key)) for key in keys), default=0) + 3
    for entry in found.added:
        rows = plural(entry.row_count, "row") if entry.kind == "table" else entry.kind
        lines.append(f"  {look.paint('+', 'green')} {entry.key!s:<{width}}{rows}")
    for entry in found.removed:
        rows = plural(entry.row_count, "row") if entry.kind == "table" else entry.kind
        lines.append(f"  {look.paint('-', 'red')} {entry.key!s:<{width}}{rows}")
    for change in found.changed:
        lines += _changed(change, found.rows.get(change.key), width, look)
    if not keys:
        lines.append("  nothing differs")
    return lines


def merge_lines(
    result: MergeResult, source: str, into: str, look: Look, *, is_dry_run: bool
) -> list[str]:
    """Say what a merge did, or would do."""
    lines: list[str] = []
    names = [str(key) for key in result.merged]
    if result.commit is not None:
        lines.append(
            f"Merged {source} into {into} in commit {result.commit.id[:8]}: "
            f"{plural(len(names), 'asset')}."
        )
    elif result.conflicts:
        lines.append(
            f"{source} does not merge into {into}: {plural(len(result.conflicts), 'conflict')}."
        )
    elif is_dry_run and names:
        lines.append(f"{source} would merge into {into}: {plural(len(names), 'asset')}.")
    else:
        lines.append(f"Nothing to merge: {into} has all that {source} has.")
    if names and not result.conflicts:
        lines.append(f"  {listing(names, limit=10)}")
    for conflict in result.conflicts:
        lines += _conflict(conflict, look)
    lines += [f"  {note}" for note in result.notes]
    if result.stale:
        stale = listing([str(key) for key in result.stale], limit=10)
        lines.append(f"  to be rebuilt by the next run: {stale}")
    return lines


def _changed(change: TableDiff, rows: RowDiff | None, width: int, look: Look) -> list[str]:
    parts = []
    if change.kind == "table":
        before, after = count(change.rows_before), count(change.rows_after)
        same = f"{plural(change.rows_after, 'row')}"
        arrow = "→" if look.has_glyphs else "->"
        parts.append(same if before == after else f"{before} {arrow} {after} rows")
    else:
        parts.append("view")
    parts += [_schema_change(one) for one in change.schema_changes]
    if rows is not None:
        parts.append(_row_change(rows))
    elif change.is_same_data:
        parts.append("the same data in other files")
    head = f"  {look.paint('~', 'yellow')} {change.key!s:<{width}}{', '.join(parts)}"
    lines = [head]
    if rows is not None and rows.sample:
        names = list(rows.sample[0])
        cells = [[row.get(name) for name in names] for row in rows.sample]
        lines += grid(names, cells, indent=_INDENT, rule=False)
    return lines


def _schema_change(change: SchemaChange) -> str:
    match change.change:
        case "added":
            return f"+ {change.column} {change.after}".rstrip()
        case "dropped":
            return f"- {change.column}"
        case "renamed":
            return f"{change.before} is now {change.after}"
        case "retyped":
            return f"{change.column} {change.before} is now {change.after}"
        case other:
            return f"{change.column} {other}"


def _row_change(rows: RowDiff) -> str:
    parts = [
        f"{count(rows.added)} added" if rows.added else "",
        f"{count(rows.removed)} removed" if rows.removed else "",
        f"{count(rows.changed)} changed" if rows.changed else "",
    ]
    text = ", ".join(part for part in parts if part)
    if not text:
        return "rows as before"
    if rows.columns:
        columns = [f"{name} {count(number)}" for name, number in rows.columns.items()]
        text += f" ({listing(columns)})"
    return text


def _conflict(conflict: Conflict, look: Look) -> list[str]:
    lines = [f"  {look.paint('!', 'red')} {conflict.key}: {conflict.message}"]
    for label, side in (("ours", conflict.ours), ("theirs", conflict.theirs)):
        if side:
            lines.append(f"      {label:<8}{side}")
    for label, values in (("columns", conflict.columns), ("partitions", conflict.partitions)):
        if values:
            lines.append(f"      {label:<8}{listing(values)}")
    if conflict.keys:
        names = list(conflict.keys[0])
        cells = [[row.get(name) for name in names] for row in conflict.keys]
        lines += grid(names, cells, indent=_INDENT, rule=False)
    return lines
