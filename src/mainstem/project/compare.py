# SPDX-License-Identifier: Apache-2.0
"""Two refs side by side: tables added, removed and changed, with what changed in their rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field

from mainstem.graph import Asset, Graph
from mainstem.lake import CatalogDiff, Entry, Lake, TableDiff
from mainstem.project.diff import RowDiff, diff_rows
from mainstem.types import AssetKey, Engine, TableRef, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What `after` has that `before` has not."""

    before: str
    after: str
    before_commit: str
    after_commit: str
    added: tuple[Entry, ...] = ()
    removed: tuple[Entry, ...] = ()
    changed: tuple[TableDiff, ...] = ()
    rows: Mapping[AssetKey, RowDiff] = field(default_factory=dict)
    """Empty for tables whose data is the same, for views, and if rows were not asked for."""


def compare(
    lake: Lake,
    graph: Graph,
    engine: Engine | None,
    before: str,
    after: str,
    *,
    keys: Collection[AssetKey] | None = None,
    limit: int = 5,
) -> Comparison:
    """Compare two refs; rows are read only with an `engine`, and only those of changed files."""
    old, new = lake.resolve(before), lake.resolve(after)
    found: CatalogDiff = lake.diff(old.id, new.id, keys=keys)
    rows: dict[AssetKey, RowDiff] = {}
    for change in found.changed:
        if engine is None or change.kind != "table" or change.is_same_data:
            continue
        versions = lake.relation(change.key, old.id), lake.relation(change.key, new.id)
        if isinstance(versions[0], TableRef) and isinstance(versions[1], TableRef):
            by = identifying_columns(graph.assets.get(change.key))
            rows[change.key] = diff_rows(engine, versions[0], versions[1], by=by, limit=limit)
    return Comparison(
        before=before,
        after=after,
        before_commit=old.id,
        after_commit=new.id,
        added=tuple(entry for entry in found.added if entry.kind != "cursor"),
        removed=tuple(entry for entry in found.removed if entry.kind != "cursor"),
        changed=tuple(change for change in found.changed if change.kind != "cursor"),
        rows=rows,
    )


def identifying_columns(asset: Asset | None) -> tuple[str, ...]:
    """Give the columns that tell rows apart: the key, or what an error check says is unique."""
    if asset is None:
        return ()
    if asset.row_key:
        return asset.row_key
    unique = (
        check.columns
        for check in asset.checks
        if check.name == "unique" and check.severity == "error" and not check.where
    )
    return next(unique, ())
