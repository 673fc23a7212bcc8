# SPDX-License-Identifier: Apache-2.0
"""A cheap look at the sources of a project, for planning: names, sizes and times, no data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mainstem.config import Variables
from mainstem.errors import AssetNotFound
from mainstem.graph import Asset
from mainstem.ingest import Observation, observe
from mainstem.lake import Lake
from mainstem.types import AssetKey


class Sources:
    """What file assets would read, compared with what one commit says was loaded."""

    def __init__(self, lake: Lake, folder: Path, variables: Variables, *, at: str) -> None:
        self._lake = lake
        self._folder = folder
        self._variables = variables
        self._at = at
        self._cursors: Mapping[AssetKey, Mapping[str, object]] | None = None

    def observe(self, asset: Asset) -> Observation | None:
        """Look at one asset's files; nothing for assets that are not read from files."""
        if asset.kind != "file":
            return None
        if self._cursors is None:
            self._cursors = self._lake.cursors(self._at)
        cursor = self._cursors.get(asset.key)
        return observe(asset, cursor, self._folder, expand=self._variables.expand)

    def columns_of(self, key: AssetKey) -> Mapping[str, str]:
        """Names and types of the columns that the branch has."""
        try:
            relation = self._lake.relation(key, self._at)
        except AssetNotFound:
            return {}
        return {field.name: str(field.type) for field in relation.schema}
