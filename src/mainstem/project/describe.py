# SPDX-License-Identifier: Apache-2.0
"""What there is, as values for listings: assets with what the lake has of them, past runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from mainstem.database import Database
from mainstem.errors import AssetNotFound
from mainstem.graph import Asset, Graph
from mainstem.lake import Lake
from mainstem.state import RunRecord, StepRecord, check_results, run_of, steps
from mainstem.types import AssetKey, CheckResult, Schema, dataclass, nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedAsset:
    """One line of `mainstem list`."""

    key: AssetKey
    kind: str
    materialized: str
    row_count: int | None
    """At the head of the branch; `None` for views and what was never built."""
    check_count: int
    tags: tuple[str, ...]
    file: str
    description: str
    is_stale: bool = False
    """Made from older inputs than the branch has; the next run builds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedColumn:
    """A column as it is in the lake, or as it will be."""

    name: str
    type: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedAsset:
    """What `mainstem show` says above the rows."""

    key: AssetKey
    kind: str
    materialized: str
    description: str
    owner: str
    file: str
    inputs: tuple[AssetKey, ...]
    readers: tuple[AssetKey, ...]
    columns: tuple[DescribedColumn, ...]
    checks: tuple[str, ...]
    row_count: int | None
    size_bytes: int | None
    file_count: int | None
    run_id: int
    """Run that built the version at the ref; 0 if none did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetail:
    """One run with all that is kept of it."""

    run: RunRecord
    steps: tuple[StepRecord, ...]
    checks: tuple[CheckResult, ...]

    @property
    def finished_at(self) -> datetime | None:
        """When it ended; `None` while it goes on."""
        return self.run.finished_at


def list_assets(
    graph: Graph,
    lake: Lake,
    branch: str,
    keys: Iterable[AssetKey],
    *,
    stale: Collection[AssetKey] = (),
) -> list[ListedAsset]:
    """List assets with the rows they have on a branch."""
    entries = lake.entries(branch)
    listed = []
    for key in keys:
        asset = graph[key]
        entry = entries.get(key)
        listed.append(
            ListedAsset(
                key=asset.key,
                kind=asset.kind,
                materialized=asset.materialized,
                row_count=entry.row_count if entry is not None and entry.kind == "table" else None,
                check_count=len(asset.checks),
                tags=asset.tags,
                file=asset.file,
                description=asset.description,
                is_stale=key in stale,
            )
        )
    return listed


def describe_asset(
    graph: Graph, lake: Lake, key: AssetKey, at: str, *, columns: Schema | None = None
) -> DescribedAsset:
    """Describe an asset of the project, or a table that only the lake knows.

    Args:
        graph: The project.
        lake: Where it is.
        key: What to describe.
        at: The ref.
        columns: Of a view, as reading it gives them: the lake knows those of its definition.

    Raises:
        AssetNotFound: Neither knows it.
    """
    asset = graph.assets.get(key)
    entry = lake.entry(key, at)
    if entry is None and asset is None:
        known = [*map(str, graph.assets), *map(str, lake.entries(at))]
        close = nearest(str(key), known)
        raise AssetNotFound(
            "A1075",
            f"There is no asset {key}.",
            hint=f"Did you mean `{close[0]}`?" if close else "See them all: mainstem list",
            known=close,
        )
    table = entry if entry is not None and entry.kind == "table" else None
    return DescribedAsset(
        key=key if asset is None else asset.key,
        kind="external" if asset is None else asset.kind,
        materialized="table" if asset is None else asset.materialized,
        description="" if asset is None else asset.description,
        owner="" if asset is None else asset.owner,
        file="" if asset is None else asset.file,
        inputs=() if asset is None else asset.inputs,
        readers=graph.children.get(key, ()),
        columns=_columns(asset, lake, key, at, schema=columns, is_built=entry is not None),
        checks=() if asset is None else tuple(check.title for check in asset.checks),
        row_count=table.row_count if table is not None else None,
        size_bytes=table.size_bytes if table is not None else None,
        file_count=table.file_count if table is not None else None,
        run_id=entry.provenance.run_id if entry is not None else 0,
    )


def run_detail(database: Database, run_id: int) -> RunDetail | None:
    """Give a run with its steps and checks, or nothing."""
    with database.read() as transaction:
        run = run_of(transaction, run_id)
        if run is None:
            return None
        return RunDetail(
            run=run,
            steps=tuple(steps(transaction, run_id)),
            checks=tuple(check_results(transaction, run_id)),
        )


def _columns(
    asset: Asset | None,
    lake: Lake,
    key: AssetKey,
    at: str,
    *,
    schema: Schema | None,
    is_built: bool,
) -> tuple[DescribedColumn, ...]:
    if schema is None and is_built:
        schema = lake.relation(key, at).schema
    elif schema is None and asset is not None:
        schema = asset.schema
    documented = asset.columns if asset is not None else {}
    folded = {name.casefold(): options for name, options in documented.items()}
    if schema is None:
        return tuple(
            DescribedColumn(
                name=name,
                type=str(options.get("type", "")),
                description=str(options.get("description") or ""),
            )
            for name, options in documented.items()
        )
    return tuple(
        DescribedColumn(
            name=field.name,
            type=str(field.type),
            description=str(folded.get(field.name.casefold(), {}).get("description") or field.doc),
        )
        for field in schema
    )
