# SPDX-License-Identifier: Apache-2.0
"""Branches, tags, commits and what differs between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Annotated

import strawberry
from strawberry import ID, argument, field

from mainstem.api.graphql.arguments import After, At, First, Place
from mainstem.api.graphql.context import Info
from mainstem.api.graphql.identity import Node
from mainstem.api.graphql.paging import Connection, bad_cursor, name_in, page, size_of
from mainstem.api.graphql.scalars import Json, Long
from mainstem.errors import RefNotFound
from mainstem.lake import Commit as Stored
from mainstem.lake import Entry, Ref, TableDiff
from mainstem.project import RowDiff


@strawberry.type(description="One state of all tables, views and cursors.")
class Commit(Node):
    """A commit."""

    id: ID = field(description="The hash of all that is in it.")
    short_id: str = field(description="Its first eight characters, as outputs show it.")
    parents: list[str] = field(description="Ids; the first is the branch's state before.")
    created_at: datetime = field(description="When it was made.")
    author: str = field(description="Who made it, if that is known.")
    message: str = field(description="What was done.")
    run: int | None = field(description="Number of the run that published it.")
    meta: Json = field(description="What else is known of it.")


@strawberry.type(description="A name for a commit that moves.")
class Branch(Node):
    """A branch."""

    id: ID = field(description="Stable.")
    name: str = field(description="Its name.")
    head: Commit = field(description="The commit that it names now.")
    protected: bool = field(description="Whether it takes publishing, merges and reverts only.")
    sealed: bool = field(description="Whether it is closed: a failed run's.")
    expires_at: datetime | None = field(description="When it goes.")
    is_current: bool = field(description="Whether runs of the environment publish to it.")


@strawberry.type(description="A name for a commit that stays.")
class Tag(Node):
    """A tag."""

    id: ID = field(description="Stable.")
    name: str = field(description="Its name.")
    commit: Commit = field(description="What it names.")


@strawberry.enum(description="What a name in the lake is.")
class EntryKind(Enum):
    """Of entries."""

    TABLE = "table"
    VIEW = "view"


@strawberry.type(description="A table or view that one side has and the other has not.")
class DiffEntry:
    """An entry of one side."""

    asset: str = field(description="Its key.")
    kind: EntryKind = field(description="What it is.")
    row_count: Long = field(description="Its rows.")


@strawberry.type(description="A column that differs.")
class ColumnDiff:
    """A column that differs."""

    change: str = field(description="added, dropped, renamed, retyped, required, optional, moved.")
    column: str = field(description="Its name; nested ones by dotted path.")
    before: str = field(description="What it was.")
    after: str = field(description="What it is.")


@strawberry.type(description="How the rows of two versions differ; the counts are complete.")
class RowsDiff:
    """Rows that differ."""

    by: list[str] = field(description="Columns that identify a row; empty: whole rows.")
    added: Long = field(description="Rows that came.")
    removed: Long = field(description="Rows that went.")
    changed: Long = field(description="Rows that stayed and have other values.")
    columns: Json = field(description="Changed rows per column.")
    sample: Json = field(description="Some of the rows, with `change` in front.")


@strawberry.type(description="A table or view that both sides have, and that differs.")
class TableChange:
    """A table that differs."""

    asset: str = field(description="Its key.")
    kind: EntryKind = field(description="What it is.")
    rows_before: Long = field(description="Its rows before.")
    rows_after: Long = field(description="Its rows after.")
    is_same_data: bool = field(description="Whether only files or metadata differ.")
    columns: list[ColumnDiff] = field(description="Columns that differ.")
    rows: RowsDiff | None = field(description="Rows that differ, if they were asked for.")


@strawberry.type(description="What one state has that another has not.")
class Diff:
    """A comparison."""

    before: str = field(description="Id of the older commit.")
    after: str = field(description="Id of the newer commit.")
    added: list[DiffEntry] = field(description="What came.")
    removed: list[DiffEntry] = field(description="What went.")
    changed: list[TableChange] = field(description="What differs.")


def branches(
    info: Info,
    *,
    include_runs: Annotated[
        bool, argument(description="Those that runs keep what they did not publish on, too.")
    ] = False,
) -> list[Branch]:
    """Give branches by name; those of runs when asked for."""
    served = info.context.project
    refs = [
        ref for ref in served.lake.refs("branch") if include_runs or not ref.name.startswith("run/")
    ]
    heads = _commits(info, [ref.commit_id for ref in refs])
    return [branch_node(ref, heads[ref.commit_id], current=served.branch) for ref in refs]


def tags(info: Info) -> list[Tag]:
    """Give tags by name."""
    refs = info.context.project.lake.refs("tag")
    heads = _commits(info, [ref.commit_id for ref in refs])
    return [tag(ref, heads[ref.commit_id]) for ref in refs]


def commits(
    info: Info,
    at: At = None,
    asset: Annotated[str | None, argument(description="Only those that changed it.")] = None,
    first: First = 20,
    after: After = None,
) -> Connection[Commit]:
    """Give the history of a ref along first parents, newest first."""
    served, size = info.context.project, size_of(first)
    key = None if asset is None else served.key(asset)
    start = name_in(after)
    try:
        place = served.lake.resolve(start or at or served.reading_ref).id
    except RefNotFound:
        if start is not None:
            raise bad_cursor() from None
        raise
    # One more tells whether there is a next page; the cursor's own commit comes first.
    found = served.lake.log(place, limit=size + (2 if start else 1), key=key)
    if start is not None and found and found[0].id == start:
        found = found[1:]
    return page(found, first=first, after=after, name=lambda each: each.id, node=commit)


def diff(
    info: Info,
    before: Place,
    after: Place,
    assets: Annotated[list[str] | None, argument(description="Only these; all without.")] = None,
    *,
    rows: Annotated[bool, argument(description="Compare rows, too; reads data.")] = False,
    limit: Annotated[int, argument(description="Rows of a sample, 100 at most.")] = 5,
) -> Diff:
    """Compare two states."""
    found = info.context.project.diff(
        before, after, assets=tuple(assets or ()), rows=rows, limit=min(size_of(limit), 100)
    )
    return Diff(
        before=found.before_commit,
        after=found.after_commit,
        added=[_entry(each) for each in found.added],
        removed=[_entry(each) for each in found.removed],
        changed=[_change(each, found.rows.get(each.key)) for each in found.changed],
    )


def commit(stored: Stored) -> Commit:
    """Make a commit of the lake's."""
    run = stored.meta.get("run")
    return Commit(
        id=ID(stored.id),
        short_id=stored.short_id,
        parents=list(stored.parents),
        created_at=stored.created_at,
        author=stored.author,
        message=stored.message,
        run=run if isinstance(run, int) else None,
        meta=Json(dict(stored.meta)),
    )


def branch_node(ref: Ref, head: Stored, *, current: str) -> Branch:
    """Make a branch of the lake's."""
    return Branch(
        id=ID(f"branch:{ref.name}"),
        name=ref.name,
        head=commit(head),
        protected=ref.protected,
        sealed=ref.sealed,
        expires_at=ref.expires_at,
        is_current=ref.name == current,
    )


def tag(ref: Ref, named: Stored) -> Tag:
    """Make a tag of the lake's."""
    return Tag(id=ID(f"tag:{ref.name}"), name=ref.name, commit=commit(named))


def _commits(info: Info, ids: Sequence[str]) -> dict[str, Stored]:
    return info.context.project.lake.commits(ids)


def _entry(entry: Entry) -> DiffEntry:
    return DiffEntry(
        asset=str(entry.key), kind=EntryKind(entry.kind), row_count=Long(entry.row_count)
    )


def _change(change: TableDiff, rows: RowDiff | None) -> TableChange:
    return TableChange(
        asset=str(change.key),
        kind=EntryKind(change.kind),
        rows_before=Long(change.rows_before),
        rows_after=Long(change.rows_after),
        is_same_data=change.is_same_data,
        columns=[
            ColumnDiff(change=each.change, column=each.column, before=each.before, after=each.after)
            for each in change.schema_changes
        ],
        rows=None
        if rows is None
        else RowsDiff(
            by=list(rows.by),
            added=Long(rows.added),
            removed=Long(rows.removed),
            changed=Long(rows.changed),
            columns=Json(dict(rows.columns)),
            sample=Json([dict(row) for row in rows.sample]),
        ),
    )
