# SPDX-License-Identifier: Apache-2.0
"""Assets: the list, one in detail, and the search over all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import Enum
from functools import partial

import strawberry
from strawberry import ID, field

from mainstem.api.graphql import check as checks
from mainstem.api.graphql.arguments import After, At, Exclude, First, Key, Select, Text
from mainstem.api.graphql.check import Check, check
from mainstem.api.graphql.commit import Commit, commit
from mainstem.api.graphql.context import Batch, Context, Info
from mainstem.api.graphql.identity import Node
from mainstem.api.graphql.paging import Connection, counted, size_of
from mainstem.api.graphql.project import at as commit_at
from mainstem.api.graphql.project import head
from mainstem.api.graphql.run import Step, step
from mainstem.api.graphql.scalars import Long, long
from mainstem.automation import Standing
from mainstem.graph import Asset as Declared
from mainstem.lake import Entry
from mainstem.state import StepRecord, latest_steps, steps_of_asset
from mainstem.types import AssetKey


@strawberry.enum(description="What an asset is made by.")
class AssetKind(Enum):
    """Of assets."""

    FILE = "file"
    SEED = "seed"
    SQL = "sql"
    PYTHON = "python"
    COMMAND = "command"
    EXTERNAL = "external"


@strawberry.enum(description="What is kept of an asset.")
class Materialization(Enum):
    """Of assets."""

    VIEW = "view"
    TABLE = "table"
    INCREMENTAL = "incremental"
    EPHEMERAL = "ephemeral"
    NONE = "none"


def _is_stale(root: Asset, info: Info) -> bool:
    return root.declared.key in _stale(info.context)


def _last_step(root: Asset, info: Info) -> Step | None:
    found = _last_steps(info.context).of(root.declared.key)
    return None if found is None else step(*found)


def _checks(root: Asset, info: Info) -> list[Check]:
    return [check(info.context, spec) for spec in root.declared.checks]


def _freshness(root: Asset, info: Info) -> Freshness | None:
    found = _standings(info.context).get(root.declared.key)
    if found is None:
        return None
    return Freshness(
        promise=found.promise,
        status=FreshnessStatus(found.freshness.status),
        due_at=found.freshness.due_at,
        updated_at=found.freshness.updated_at,
    )


@strawberry.enum(description="How an asset stands with its promise of freshness.")
class FreshnessStatus(Enum):
    """Of promises."""

    FRESH = "fresh"
    LATE = "late"
    UNKNOWN = "unknown"


@strawberry.type(description="How fresh an asset is to be, and whether it is.")
class Freshness:
    """A promise, as it stands."""

    promise: str = field(description="`within 6h`, `by 08:00 Europe/Berlin`.")
    status: FreshnessStatus = field(description="Unknown: never updated, and not due yet.")
    due_at: datetime = field(
        description="Until when the next update is to come; if late, when it should have come."
    )
    updated_at: datetime | None = field(description="When it was brought up to date last.")


@strawberry.type(description="A table, view or set of files that the project makes or knows.")
class Asset(Node):
    """An asset; what hangs on it is loaded for all assets of a list at once."""

    declared: strawberry.Private[Declared]
    entry: strawberry.Private[Entry | None]
    id: ID = field(description="Stable.")
    key: str = field(description="`namespace.name`.")
    namespace: str = field(description="What the key says before the last dot.")
    name: str = field(description="What it says behind.")
    kind: AssetKind = field(description="What it is made by.")
    materialized: Materialization = field(description="What is kept of it.")
    description: str = field(description="As the owner wrote it.")
    owner: str = field(description="As the owner wrote it.")
    tags: list[str] = field(description="As the owner wrote them.")
    file: str = field(description="Where it is declared.")
    line: int = field(description="The line there; 0: unknown.")
    inputs: list[str] = field(description="Keys of the assets that it reads.")
    readers: list[str] = field(description="Keys of the assets that read it.")
    check_count: int = field(description="Checks that are declared of it.")
    is_built: bool = field(description="Whether the branch that is read has it.")
    row_count: Long | None = field(description="Rows; null for views and what was never built.")
    size_bytes: Long | None = field(description="Size of its files.")
    file_count: int | None = field(description="Number of its files.")
    built_by_run: int | None = field(description="Number of the run that built what is there.")

    is_stale: bool = field(
        resolver=_is_stale,
        description="Whether it was made from older inputs than there are: a run builds it.",
    )
    last_step: Step | None = field(
        resolver=_last_step, description="What the last run that had to do with it did."
    )
    checks: list[Check] = field(resolver=_checks, description="Its checks with their last results.")
    freshness: Freshness | None = field(
        resolver=_freshness, description="How fresh it is to be; null: nothing was promised."
    )


@strawberry.type(description="A column.")
class Column:
    """A column."""

    name: str = field(description="As written.")
    type: str = field(description="In Iceberg's words.")
    description: str = field(description="As the owner wrote it.")


def _compiled_sql(root: AssetDetail, info: Info) -> str | None:
    if root.asset is None or root.asset.kind is not AssetKind.SQL:
        return None
    return info.context.project.compiled(root.key)


def _steps(root: AssetDetail, info: Info, first: First = 20) -> list[Step]:
    found = steps_of_asset(info.context.transaction, root.key_of, limit=size_of(first))
    return [step(*each) for each in found]


def _commits(root: AssetDetail, info: Info, first: First = 20) -> list[Commit]:
    lake = info.context.project.lake
    return [
        commit(each) for each in lake.log(root.commit_of, limit=size_of(first), key=root.key_of)
    ]


@strawberry.type(description="One asset with all that is known of it.")
class AssetDetail:
    """An asset in detail: asked for one at a time."""

    asset: Asset | None = field(
        description="As in the list; null for a table that only the lake knows."
    )
    key: str = field(description="`namespace.name`.")
    columns: list[Column] = field(description="As they are in the lake, or will be.")
    data_version: str | None = field(description="Identity of what is there.")
    key_of: strawberry.Private[AssetKey]
    commit_of: strawberry.Private[str]

    compiled_sql: str | None = field(
        resolver=_compiled_sql, description="The SQL as the engine gets it; null for other kinds."
    )
    steps: list[Step] = field(resolver=_steps, description="What runs did with it, newest first.")
    commits: list[Commit] = field(
        resolver=_commits, description="The commits that changed it, newest first."
    )


@strawberry.enum(description="What a search found.")
class FoundKind(Enum):
    """Of results of a search."""

    ASSET = "asset"
    COLUMN = "column"
    BRANCH = "branch"
    TAG = "tag"


@strawberry.type(description="Something that a search found.")
class Found:
    """A result of a search."""

    kind: FoundKind = field(description="What it is.")
    name: str = field(description="Key of an asset, `asset.column`, or name of a branch or tag.")
    asset: str = field(description="Key of the asset; empty for branches and tags.")
    description: str = field(description="As the owner wrote it.")


def assets(
    info: Info,
    select: Select = None,
    exclude: Exclude = None,
    first: First = 100,
    after: After = None,
) -> Connection[Asset]:
    """Give assets in building order."""
    context = info.context
    found = context.project.select(tuple(select or ()), tuple(exclude or ()))
    return counted(
        found,
        first=first,
        after=after,
        name=lambda declared: declared.key,
        node=lambda some: nodes(context, some),
    )


def asset(info: Info, key: Key, at: At = None) -> AssetDetail:
    """Give one asset in detail."""
    context = info.context
    project, commit_id = context.project, commit_at(context, at)
    described = project.describe(key, at=commit_id)
    declared = project.graph.assets.get(described.key)
    shown = nodes(context, [declared]) if declared is not None else [None]
    return AssetDetail(
        asset=shown[0],
        key=str(described.key),
        columns=[
            Column(name=each.name, type=each.type, description=each.description)
            for each in described.columns
        ],
        data_version=project.lake.data_version(described.key, commit_id),
        key_of=described.key,
        commit_of=commit_id,
    )


def search(info: Info, text: Text, first: First = 20) -> list[Found]:
    """Find assets, columns, branches and tags by what they are called or described as."""
    words = text.casefold().split()
    if not words:
        return []
    found = sorted(
        (
            (rank, each.name, each)
            for each, told in _searched(info.context)
            if (rank := _rank(words, each, told)) is not None
        ),
        key=lambda item: item[:2],
    )
    return [each for _rank_, _name, each in found[: size_of(first)]]


def nodes(context: Context, some: Sequence[Declared]) -> list[Asset]:
    """Make assets of their declarations, with what the lake has of them."""
    commit_id = head(context)
    entries = context.once("entries", lambda: context.project.lake.entries(commit_id))
    _last_steps(context).expect([each.key for each in some])
    checks.expect(context, [spec for each in some for spec in each.checks])
    children = context.project.graph.children
    return [_node(each, entries.get(each.key), children.get(each.key, ())) for each in some]


def _node(declared: Declared, entry: Entry | None, readers: Iterable[AssetKey]) -> Asset:
    table = entry if entry is not None and entry.kind == "table" else None
    return Asset(
        declared=declared,
        entry=entry,
        id=ID(f"asset:{declared.key}"),
        key=str(declared.key),
        namespace=declared.key.namespace,
        name=declared.key.name,
        kind=AssetKind(declared.kind),
        materialized=Materialization(declared.materialized),
        description=declared.description,
        owner=declared.owner,
        tags=list(declared.tags),
        file=declared.file,
        line=declared.line,
        inputs=[str(key) for key in declared.inputs],
        readers=[str(key) for key in readers],
        check_count=len(declared.checks),
        is_built=entry is not None,
        row_count=None if table is None else long(table.row_count),
        size_bytes=None if table is None else long(table.size_bytes),
        file_count=None if table is None else table.file_count,
        built_by_run=None if entry is None else entry.provenance.run_id or None,
    )


def _stale(context: Context) -> frozenset[AssetKey]:
    return context.once(
        "stale",
        lambda: frozenset(each.key for each in context.project.listing() if each.is_stale),
    )


def _standings(context: Context) -> dict[AssetKey, Standing]:
    return context.once(
        "standings", lambda: {each.key: each for each in context.project.automation.promises.all()}
    )


def _last_steps(context: Context) -> Batch[AssetKey, tuple[int, StepRecord]]:
    return context.batch("last_steps", partial(latest_steps, context.transaction))


def _searched(context: Context) -> Iterable[tuple[Found, str]]:
    for declared in context.project.graph.assets.values():
        key = str(declared.key)
        yield (
            Found(kind=FoundKind.ASSET, name=key, asset=key, description=declared.description),
            " ".join((declared.description, declared.owner, *declared.tags, declared.file)),
        )
        schema = declared.schema
        names = [each.name for each in schema] if schema is not None else list(declared.columns)
        for name in names:
            told = str(declared.columns.get(name, {}).get("description") or "")
            yield (
                Found(kind=FoundKind.COLUMN, name=f"{key}.{name}", asset=key, description=told),
                told,
            )
    for ref in context.project.lake.refs():
        kind = FoundKind.BRANCH if ref.kind == "branch" else FoundKind.TAG
        yield Found(kind=kind, name=ref.name, asset="", description=""), ""


def _rank(words: Sequence[str], each: Found, told: str) -> tuple[int, int] | None:
    """Order what matches all words: whole names first, then beginnings, names, descriptions."""
    name = each.name.casefold()
    last = name.rpartition(".")[2]
    kind = 0 if each.kind is FoundKind.ASSET else 1
    if len(words) == 1 and words[0] in {name, last}:
        return (0, kind)
    if len(words) == 1 and last.startswith(words[0]):
        return (1, kind)
    if all(word in name for word in words):
        return (2, kind)
    both = f"{name} {told.casefold()}"
    return (3, kind) if all(word in both for word in words) else None
