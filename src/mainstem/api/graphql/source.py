# SPDX-License-Identifier: Apache-2.0
"""Sources: files that tables are loaded from, what was loaded of them, and what waits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated

import strawberry
from strawberry import ID, argument, field

from mainstem.api.graphql import asset as of_asset
from mainstem.api.graphql.arguments import After, At, Exclude, First, Key, Select
from mainstem.api.graphql.commit import Commit, commit
from mainstem.api.graphql.context import Context, Info
from mainstem.api.graphql.paging import Connection, counted, size_of
from mainstem.api.graphql.project import Fault, fault
from mainstem.api.graphql.project import at as commit_at
from mainstem.api.graphql.scalars import Long
from mainstem.errors import UserError
from mainstem.graph import Asset
from mainstem.project import (
    SourceFile as File,
)
from mainstem.project import (
    SourceStatus,
    source_loads,
    source_statuses,
)

_MOST_LOADS = 100


@strawberry.enum(description="How a file compares with what was loaded.")
class SourceFileState(Enum):
    """Of files."""

    LOADED = "loaded"
    NEW = "new"
    CHANGED = "changed"
    GONE = "gone"


@strawberry.enum(description="What a run would do with a source.")
class SourceMode(Enum):
    """Of sources."""

    NOTHING = "nothing"
    ADD = "add"
    RELOAD = "reload"


@strawberry.type(description="One file of a source.")
class SourceFile:
    """A file."""

    name: str = field(description="Relative to the project's folder; absolute if outside.")
    state: SourceFileState = field(description="How it compares with what was loaded.")
    size_bytes: Long = field(description="Of one that is gone as it was loaded.")
    modified_at: datetime | None = field(description="As the file system says; null: it is gone.")
    digest: str = field(description="SHA-256 of what was loaded; empty: nothing was.")
    is_pending: bool = field(description="Whether a run would read it.")


def _files(
    root: Source,
    first: First = 100,
    after: After = None,
    state: Annotated[
        list[SourceFileState] | None, argument(description="Only of these; all without.")
    ] = None,
) -> Connection[SourceFile]:
    wanted = None if state is None else {each.value for each in state}
    some = [each for each in root.status.files if wanted is None or each.state in wanted]
    return counted(
        some,
        first=first,
        after=after,
        name=lambda file: file.name,
        node=lambda shown: [_file(each) for each in shown],
    )


@strawberry.type(description="Files that a table is loaded from.")
class Source:
    """A source."""

    status: strawberry.Private[SourceStatus]
    id: ID = field(description="Stable.")
    asset: of_asset.Asset = field(description="The table that they are loaded into.")
    name: str = field(description="The file below ingest/ that declares it.")
    path: str = field(description="Folder of the files, as it is written.")
    patterns: list[str] = field(description="Names or globs below it.")
    format: str = field(description="auto, csv, json, jsonl, parquet, arrow.")
    write: str = field(description="append, replace, upsert.")
    row_key: list[str] = field(description="Columns that identify a row, of `upsert`.")
    mode: SourceMode = field(description="What a run would do.")
    summary: str = field(description="`2 new files, 1.2 MB`, `nothing new in 3 files`.")
    is_fresh: bool = field(description="Whether a run would find nothing to read.")
    pending_count: int = field(description="Files that a run would read.")
    pending_bytes: Long = field(description="Their size.")
    loaded_at: datetime | None = field(
        description="When a run last read them, or found nothing new."
    )
    problem: Fault | None = field(description="Why nothing can be read.")
    warnings: list[str] = field(description="What is worth mending.")

    files: Connection[SourceFile] = field(
        resolver=_files, description="The files by name: loaded, waiting, gone."
    )


@strawberry.type(description="A commit by which files were loaded, or went.")
class SourceLoad:
    """A load."""

    commit: Commit = field(description="The commit; its run, its time.")
    files: list[str] = field(description="Files that were read; the first 1,000.")
    file_count: int = field(description="How many they were.")
    removed: list[str] = field(description="Files that counted no longer; the first 1,000.")
    row_count: Long = field(description="Rows of the table after it.")
    row_count_before: Long = field(description="Rows of the table before it.")
    data_version: str = field(description="Identity of what is there since.")


def sources(
    info: Info,
    select: Select = None,
    exclude: Exclude = None,
    at: At = None,
    first: First = 100,
    after: After = None,
) -> Connection[Source]:
    """Give the sources of a selection; the files of those on the page are looked at."""
    context = info.context
    chosen = context.project.select(tuple(select or ()), tuple(exclude or ()))
    where = commit_at(context, at)
    return counted(
        [asset for asset in chosen if asset.kind == "file"],
        first=first,
        after=after,
        name=lambda asset: asset.key,
        node=lambda shown: _nodes(context, shown, where),
    )


def loads(
    info: Info,
    asset: Key,
    first: Annotated[int, argument(description="Loads, 100 at most.")] = 20,
    at: At = None,
) -> list[SourceLoad]:
    """Tell which files came in by which commit.

    Raises:
        UserError: More were asked for than are told at once.
    """
    if size_of(first) > _MOST_LOADS:
        raise UserError("A8113", f"`first` is a number from 1 to {_MOST_LOADS}, not {first}.")
    context = info.context
    project, where = context.project, commit_at(context, at)
    found = source_loads(project, project.key(asset, at=where), at=where, limit=first)
    return [
        SourceLoad(
            commit=commit(each.commit),
            files=list(each.files[:1_000]),
            file_count=len(each.files),
            removed=list(each.removed[:1_000]),
            row_count=Long(each.row_count),
            row_count_before=Long(each.row_count_before),
            data_version=each.data_version,
        )
        for each in found
    ]


def _file(file: File) -> SourceFile:
    return SourceFile(
        name=file.name,
        state=SourceFileState(file.state),
        size_bytes=Long(file.size),
        modified_at=datetime.fromtimestamp(file.mtime_ns / 1e9, UTC) if file.mtime_ns else None,
        digest=file.digest,
        is_pending=file.is_pending,
    )


def _nodes(context: Context, shown: Sequence[Asset], at: str) -> list[Source]:
    project = context.project
    found = source_statuses(project, shown, at=at, check=context.deadline.check)
    redactor = project.services.redactor
    return [
        Source(
            status=each,
            id=ID(f"source:{each.asset.key}"),
            asset=node,
            name=each.definition.source,
            path=each.definition.path,
            patterns=list(each.definition.patterns),
            format=each.definition.format,
            write=each.definition.write,
            row_key=list(each.definition.key),
            mode=SourceMode(each.seen.mode),
            summary=redactor.text(each.seen.summary),
            is_fresh=each.seen.is_fresh,
            pending_count=len(each.seen.files),
            pending_bytes=Long(each.seen.size_bytes),
            loaded_at=each.loaded_at,
            problem=None if each.seen.problem is None else fault(redactor.error(each.seen.problem)),
            warnings=[redactor.text(text) for text in each.seen.warnings],
        )
        for each, node in zip(found, of_asset.nodes(context, shown), strict=True)
    ]
