# SPDX-License-Identifier: Apache-2.0
"""A cheap look at the sources of a project, for planning: names, sizes and times, no data."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from mainstem.config import Variables
from mainstem.errors import AssetNotFound, RefNotFound
from mainstem.graph import Asset, Graph, Plan
from mainstem.ingest import Observation, observe
from mainstem.lake import Lake
from mainstem.types import AssetKey


class Sources:
    """What file assets would read, compared with what one commit says was loaded."""

    def __init__(
        self,
        lake: Lake,
        folder: Path,
        variables: Variables,
        *,
        at: str,
        reverted: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._lake = lake
        self._folder = folder
        self._variables = variables
        self._at = at
        self._reverted = reverted or {}
        """By folded key, commits whose rows were reverted on the branch."""
        self._cursors: Mapping[AssetKey, Mapping[str, object]] | None = None

    def observe(self, asset: Asset) -> Observation | None:
        """Look at one asset's files; nothing for assets that are not read from files."""
        if asset.kind != "file":
            return None
        if self._cursors is None:
            self._cursors = self._lake.cursors(self._at)
        cursor = self._cursors.get(asset.key)
        found = observe(asset, cursor, self._folder, expand=self._variables.expand)
        if not found.is_fresh and self._is_reverted(asset):
            # Cursors went back with the rows, but what was undone must not come back by itself.
            return Observation(
                key=asset.key,
                mode="nothing",
                summary="what there is to read was reverted; --force reads it again",
            )
        return found

    def _is_reverted(self, asset: Asset) -> bool:
        """Whether a load would give what was reverted: to that commit, nothing is new."""
        for commit_id in self._reverted.get(asset.key.folded, ()):
            try:
                cursor = self._lake.cursor(asset.key, commit_id)
            except RefNotFound:
                continue
            if cursor is not None:
                look = observe(asset, cursor, self._folder, expand=self._variables.expand)
                if look.is_fresh:
                    return True
        return False

    def columns_of(self, key: AssetKey) -> Mapping[str, str]:
        """Names and types of the columns that the branch has."""
        try:
            relation = self._lake.relation(key, self._at)
        except AssetNotFound:
            return {}
        return {field.name: str(field.type) for field in relation.schema}


def coming_columns(plan: Plan, graph: Graph) -> frozenset[AssetKey]:
    """Give the assets whose columns a run may change otherwise than SQL says: what it reads in."""
    return frozenset(
        item.key
        for item in plan.assets
        if item.action in {"read", "build", "link"} and graph[item.key].kind != "sql"
    )


def views_below(keys: Collection[AssetKey], graph: Graph) -> list[AssetKey]:
    """Give the views that read what is built anew: though they stay, they have to fit it."""
    below = graph.downstream(keys) - set(keys)
    return [key for key in graph.sorted(below) if graph[key].materialized == "view"]
