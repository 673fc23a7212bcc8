# SPDX-License-Identifier: Apache-2.0
"""Assets as conditions see them: what they read, what partitions there are, what maps to what.

An asset without partitions is a set of one. Where an asset with partitions reads one without by
the column of its partitions, its condition sees that input under a name of its own, a *view*, as
if it had the same partitions: rows that came are rows of some of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from mainstem.graph import (
    Asset,
    PartitionMapping,
    Partitions,
    PartitionSet,
    TimePartitions,
    mapping_to,
    static_partitions,
)
from mainstem.types import AssetKey

_ONE = static_partitions(("all",))
ALL = PartitionSet.of_keys(_ONE, ("all",))
"""The partition of an asset that has none."""


class AssetWorld:
    """All assets of a project at one moment (port `World`); assets and views by folded name.

    Args:
        assets: As planning sees them: ephemeral models are part of what reads them.
    """

    def __init__(self, assets: Mapping[AssetKey, Asset]) -> None:
        self._assets = {key.folded: asset for key, asset in assets.items()}
        self._deps: dict[str, list[str]] = {}
        self._views: dict[str, list[str]] = {}
        self._view_of: dict[str, tuple[str, str]] = {}
        """By view: the asset, and the reader that sees it so."""
        self._maps: dict[tuple[str, str], PartitionMapping | None] = {}
        self._definitions: dict[Partitions, list[str]] = {}
        """Each once, with all that has it."""
        self._definition_of: dict[str, Partitions] = {}
        self._existing: dict[str, PartitionSet] = {}
        self._until: datetime | None = None
        for name, asset in self._assets.items():
            self._add(name, asset)

    @property
    def until(self) -> datetime | None:
        """When there will be other partitions; nothing if never."""
        return self._until

    def advance(self, now: datetime) -> frozenset[str]:
        """Go to a moment; gives what has other partitions than before."""
        if self._existing and (self._until is None or now < self._until):
            return frozenset()
        changed: set[str] = set()
        ends = []
        for definition, names in self._definitions.items():
            there = PartitionSet.existing(definition, now)
            ends += [
                of.start_of(of.ordinal_at(now) + 1)
                for of in definition.dimensions
                if isinstance(of, TimePartitions)
            ]
            for name in names:
                before = self._existing.get(name)
                if before is None or before.spans != there.spans:
                    self._existing[name] = there
                    changed.add(name)
        self._until = min(ends, default=None)
        return frozenset(changed)

    def asset_of(self, name: str) -> str:
        """Give the asset behind a name."""
        return self._view_of[name][0] if name in self._view_of else name

    def is_parted(self, name: str) -> bool:
        """Tell whether it is an asset that has partitions."""
        return name in self._definition_of and name not in self._view_of

    def columns(self, view: str) -> tuple[str, ...]:
        """Give the columns by whose values a view has partitions."""
        partitions = self._assets[self._view_of[view][1]].partitions
        assert partitions is not None, "only assets with partitions have views"
        return partitions.columns

    def deps(self, asset: str) -> Sequence[str]:
        """Give what an asset reads (port `World`)."""
        return self._deps.get(self.asset_of(asset), ())

    def views(self, asset: str) -> Sequence[str]:
        """Give the names under which readers with partitions see an asset (port `World`)."""
        return self._views.get(asset, ())

    def existing(self, asset: str) -> PartitionSet:
        """Give the partitions that there are (port `World`)."""
        return self._existing.get(asset, ALL)

    def down(self, asset: str, dep: str, some: PartitionSet) -> PartitionSet:
        """Carry partitions of an input to its reader (port `World`)."""
        there = self.existing(asset)
        pair = (asset, dep)
        if pair not in self._maps:
            self._maps[pair] = self._mapping(asset, dep)
        mapping = self._maps[pair]
        return there if mapping is None else mapping.downstream(some, there, self.existing(dep))

    def latest(self, asset: str, lookback: timedelta) -> PartitionSet:
        """Give the partitions of the latest window, and of those that ended so long before.

        All, if an asset has none by time.
        """
        there = self.existing(asset)
        return there.latest(lookback) if self.is_parted(asset) else there

    def _add(self, name: str, asset: Asset) -> None:
        own = None if asset.partitions is None else asset.partitions.definition
        if own is not None:
            self._define(name, own)
        deps = self._deps[name] = []
        for key in asset.inputs:
            if key == asset.key:
                continue
            source = self._assets.get(key.folded)
            is_parted = source is not None and source.partitions is not None
            if own is None or is_parted or mapping_to(asset, key, None) is None:
                deps.append(key.folded)
                continue
            view = f"{key.folded} for {name}"
            self._view_of[view] = (key.folded, name)
            self._views.setdefault(key.folded, []).append(view)
            self._define(view, own)
            deps.append(view)

    def _define(self, name: str, definition: Partitions) -> None:
        names = self._definitions.setdefault(definition, [])
        known = self._definition_of[names[0]] if names else definition
        names.append(name)
        self._definition_of[name] = known

    def _mapping(self, asset: str, dep: str) -> PartitionMapping | None:
        """Relate an asset to an input; nothing if all of it reads all of that."""
        reader = self._assets.get(asset)
        if reader is None or reader.partitions is None or dep not in self._definition_of:
            return None
        source = self._assets.get(dep)  # none: a view, which has the reader's own partitions
        return mapping_to(reader, AssetKey.parse(self.asset_of(dep)), source)
