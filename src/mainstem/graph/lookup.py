# SPDX-License-Identifier: Apache-2.0
"""Data versions as they are at a commit, overlaid by what a plan expects or a run has made.

Tables remember theirs; versions of views are derived here, each time anew: a view is never rebuilt
because data came, and yet what reads it learns that it changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mainstem.graph.asset import Asset
from mainstem.graph.facts import Facts, HeadEntry, VersionRecord
from mainstem.graph.fingerprint import effect_version, fingerprint
from mainstem.graph.parts import Parts, parts_of
from mainstem.types import AssetKey

UNKNOWN = ""
"""A version that will only be known once something has been read or built."""


class VersionLookup:
    """Versions by key, remembered once asked for.

    Whoever overlays versions asks for a key only after all that it reads is settled; the run's
    scheduler and the planner's order both see to that.
    """

    __slots__ = ("_assets", "_definitions", "_entries", "_known", "_parts")

    def __init__(
        self, assets: Mapping[AssetKey, Asset], entries: Mapping[AssetKey, HeadEntry]
    ) -> None:
        self._assets = assets
        self._entries = entries
        self._known: dict[AssetKey, str | None] = {}
        self._definitions: dict[AssetKey, tuple[str, tuple[AssetKey, ...]]] = {}
        self._parts: dict[AssetKey, Parts] = {}

    def settle(self, key: AssetKey, version: str | None) -> None:
        """Overlay the version that a table has now; nothing: it is not there."""
        self._known[key] = version

    def settle_parts(self, key: AssetKey, parts: Parts) -> None:
        """Overlay what the partitions of a table came from."""
        self._parts[key] = parts

    def parts_of(self, key: AssetKey) -> Parts:
        """Give what the partitions of an asset came from; none if it has none or was not built."""
        known = self._parts.get(key)
        if known is None:
            asset, entry = self._assets.get(key), self._entries.get(key)
            known = ()
            if asset is not None and asset.partitions is not None and entry is not None:
                known = parts_of(entry.provenance, asset.partitions.definition)
            self._parts[key] = known
        return known

    def define(self, asset: Asset) -> None:
        """Overlay a view's definition by that of the project."""
        self._known.pop(asset.key, None)
        self._definitions[asset.key] = (asset.code_version, asset.inputs)

    def of(self, key: AssetKey) -> str | None:
        """Give an asset's version; nothing if it was never built, `UNKNOWN` if not yet known."""
        # A stack rather than recursion: chains of views may be longer than Python's own.
        pending = [key]
        while pending:
            top = pending[-1]
            if top in self._known:
                pending.pop()
                continue
            definition = self._definition(top)
            if definition is None:
                entry = self._entries.get(top)
                self._known[top] = entry.provenance.data_version if entry is not None else None
                continue
            code_version, inputs = definition
            open_inputs = [item for item in inputs if item not in self._known and item != top]
            if open_inputs:
                pending.extend(open_inputs)
                continue
            self._known[top] = self._derived(code_version, inputs)
        return self._known[key]

    def inputs_of(self, asset: Asset) -> dict[AssetKey, str | None]:
        """Give the versions of all that an asset reads, effects included."""
        return {key: self.of(key) for key in asset.inputs if key != asset.key}

    def with_records(self, facts: Facts) -> Facts:
        """Let facts know of the versions of views that are derived only now."""

        def record_of(key: AssetKey, version: str) -> VersionRecord | None:
            record = self.derived_record(key)
            if record is not None and record.version == version:
                return record
            return facts.record_of(key, version)

        return replace(facts, record_of=record_of)

    def derived_record(self, key: AssetKey) -> VersionRecord | None:
        """Describe how the version of a view came about; nothing for tables."""
        definition = self._definition(key)
        version = self.of(key)
        if definition is None or not version:
            return None
        code_version, inputs = definition
        versions = {str(item): self._known.get(item) or "" for item in inputs}
        return VersionRecord(
            version=version, operation="view", code_version=code_version, inputs=versions
        )

    def _derived(self, code_version: str, inputs: tuple[AssetKey, ...]) -> str | None:
        versions: dict[AssetKey, str] = {}
        for item in inputs:
            version = self._known.get(item)
            if version is None:
                return None
            versions[item] = version
        if UNKNOWN in versions.values():
            return UNKNOWN
        return fingerprint(code_version, versions)

    def _definition(self, key: AssetKey) -> tuple[str, tuple[AssetKey, ...]] | None:
        if key in self._definitions:
            return self._definitions[key]
        asset = self._assets.get(key)
        if asset is not None and asset.materialized == "none":
            return effect_version(asset.code_version), ()
        entry = self._entries.get(key)
        if entry is not None and entry.kind == "view":
            provenance = entry.provenance
            inputs = tuple(AssetKey.parse(text) for text in provenance.inputs)
            return provenance.code_version, inputs
        return None
