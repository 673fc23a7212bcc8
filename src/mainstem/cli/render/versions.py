# SPDX-License-Identifier: Apache-2.0
"""Branches, tags, commits and versions of tables as lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from mainstem.cli.render.grid import grid
from mainstem.cli.render.look import Look
from mainstem.cli.render.words import moment, size
from mainstem.lake import Commit, Entry, Ref
from mainstem.types import Relation, TableRef, plural


def ref_lines(
    refs: Sequence[Ref],
    dates: Mapping[str, datetime],
    look: Look,
    *,
    acting: str,
    now: datetime,
) -> list[str]:
    """List branches or tags; the branch that commands act on is marked."""
    rows = []
    for ref in refs:
        notes = [
            "protected" if ref.protected else "",
            "sealed" if ref.sealed else "",
            f"expires {ref.expires_at:%Y-%m-%d}" if ref.expires_at is not None else "",
        ]
        mark = "*" if ref.name == acting and ref.kind == "branch" else ""
        rows.append(
            (
                mark,
                ref.name,
                ref.commit_id[:8],
                moment(dates[ref.commit_id], now),
                ", ".join(note for note in notes if note),
            )
        )
    names = ("", refs[0].kind if refs else "name", "commit", "when (UTC)", "")
    return grid(names, rows, look=look, rule=False)


def commit_lines(commits: Sequence[Commit], look: Look, *, now: datetime) -> list[str]:
    """List commits, newest first."""
    names = ["commit", "when (UTC)", "message"]
    rows = [
        [commit.id[:8], moment(commit.created_at, now), _first_line(commit.message)]
        for commit in commits
    ]
    if any(commit.author for commit in commits):
        names.insert(2, "author")
        for row, commit in zip(rows, commits, strict=True):
            row.insert(2, commit.author)
    return grid(names, rows, look=look, rule=False)


def history_lines(
    versions: Sequence[tuple[Commit, Entry | None]], look: Look, *, now: datetime
) -> list[str]:
    """List the commits that changed one table, with what it held at each."""
    rows = []
    for commit, entry in versions:
        held = (
            ("dropped", "", "")
            if entry is None
            else (plural(entry.row_count, "row"), plural(entry.file_count, "file"), _run(entry))
        )
        when = moment(commit.created_at, now)
        rows.append((commit.id[:8], when, *held, _first_line(commit.message)))
    names = ("commit", "when (UTC)", "rows", "files", "run", "message")
    return grid(names, rows, look=look, rule=False)


def table_lines(relation: Relation, look: Look) -> list[str]:
    """Describe one version of a table, or a view."""
    if not isinstance(relation, TableRef):
        fields = [(field.name, str(field.type)) for field in relation.schema]
        return [
            f"{look.paint(str(relation.key), 'bold')} · view",
            "",
            *grid(("column", "type"), fields, look=look),
            "",
            *relation.sql.strip().splitlines(),
        ]
    layout = ", ".join(
        field.name if field.transform == "identity" else f"{field.name} ({field.transform})"
        for field in relation.spec.fields
    )
    head = [
        look.paint(str(relation.key), "bold"),
        plural(relation.row_count, "row"),
        f"{size(relation.size_bytes)} in {plural(len(relation.files), 'file')}",
        f"layout {layout}" if layout else "",
        relation.location,
    ]
    columns = [(field.id, field.name, str(field.type)) for field in relation.schema]
    files = [
        (file.path.rpartition("/")[2], file.record_count, size(file.size_bytes))
        for file in relation.files[:20]
    ]
    more = [f"and {len(relation.files) - 20} more"] if len(relation.files) > 20 else []
    return [
        " · ".join(part for part in head if part),
        "",
        *grid(("id", "column", "type"), columns, look=look),
        "",
        *grid(("file", "rows", "size"), files, look=look),
        *more,
    ]


def _run(entry: Entry) -> str:
    return f"run {entry.provenance.run_id}" if entry.provenance.run_id else ""


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
