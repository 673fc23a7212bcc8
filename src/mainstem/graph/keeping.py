# SPDX-License-Identifier: Apache-2.0
"""When inputs changed and an asset may still be kept: columns were added, and it reads none.

Only additions count. A column that was dropped or computed otherwise could be read in a filter or a
join, which lineage of output columns does not show; one that was not there yet could not.
"""

from __future__ import annotations

from collections.abc import Mapping

from mainstem.graph.asset import Asset
from mainstem.graph.changes import changed_columns
from mainstem.graph.facts import Facts, VersionRecord
from mainstem.graph.fingerprint import fingerprint
from mainstem.types import AssetKey


def reads_nothing_changed(
    asset: Asset,
    inputs: Mapping[AssetKey, str | None],
    assets: Mapping[AssetKey, Asset],
    facts: Facts,
) -> bool:
    """Tell whether the asset's rows would come out the same though versions of inputs differ."""
    entry = facts.entries.get(asset.key)
    if entry is None or asset.kind != "sql" or asset.materialized != "table":
        return False
    if not asset.is_repeatable or entry.provenance.code_version != asset.code_version:
        return False
    before = _folded(entry.provenance.inputs)
    if set(before) != {key.folded for key in inputs}:
        return False
    after = {key.folded: version or "" for key, version in inputs.items()}
    return _reads_none_of_the_new(asset, before, after, assets, facts)


def _reads_none_of_the_new(
    asset: Asset,
    before: Mapping[str, str],
    after: Mapping[str, str],
    assets: Mapping[AssetKey, Asset],
    facts: Facts,
) -> bool:
    """Tell whether columns were added to inputs, nothing more, and this query reads none."""
    added: set[tuple[AssetKey, str]] = set()
    changed = [key for key in asset.inputs if before.get(key.folded) != after.get(key.folded)]
    for key in changed:
        old, new = before.get(key.folded), after.get(key.folded)
        columns = _additions(assets[key], old, new, assets, facts) if old and new else None
        if columns is None:
            return False
        added.update((key, column) for column in columns)
    if not changed or not added:
        return bool(changed)
    lineage = facts.lineage_of(asset)
    origins = {origin for found in lineage.values() for origin in found}
    # Through what is inlined (ephemeral models), lineage names other assets than the inputs.
    if not lineage or not {key for key, _column in origins} <= set(asset.inputs):
        return False
    if any((key, column.casefold()) in added for key, column in origins):
        return False
    return not facts.compares_unnamed(asset)


def _additions(
    source: Asset, old: str, new: str, assets: Mapping[AssetKey, Asset], facts: Facts
) -> set[str] | None:
    """Give the columns that are all that a new version adds; nothing if more changed than that."""
    before = facts.record_of(source.key, old)
    if before is None:
        return None
    if before.operation == "view" and before.code_version == source.code_version:
        return _view_additions(source, before, new, assets, facts)
    if not _same_inputs(before, source, new):
        return None
    old_parts = facts.parts_of(source.key, before.code_version)
    if not old_parts or not source.change_summary:
        return None
    columns = changed_columns(old_parts, source.change_summary)
    if not columns or any(change != "added" for _name, change in columns):
        return None
    if _without_columns(old_parts) != _without_columns(source.change_summary):
        return None
    return {name.casefold() for name, _change in columns}


def _view_additions(
    source: Asset,
    before: VersionRecord,
    new: str,
    assets: Mapping[AssetKey, Asset],
    facts: Facts,
) -> set[str] | None:
    """A view of the same definition gives the same if it reads none of what was added to it."""
    after = facts.record_of(source.key, new)
    if after is None or set(before.inputs) != set(after.inputs):
        return None
    old, now = _folded(before.inputs), _folded(after.inputs)
    return set() if _reads_none_of_the_new(source, old, now, assets, facts) else None


def _folded(inputs: Mapping[str, str]) -> dict[str, str]:
    return {name.casefold(): version for name, version in inputs.items()}


def _same_inputs(before: VersionRecord, source: Asset, new: str) -> bool:
    """The new version must be the same inputs under other code, and nothing else."""
    from_old_inputs = {AssetKey.parse(name): version for name, version in before.inputs.items()}
    return new == fingerprint(source.code_version, from_old_inputs)


def _without_columns(parts: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in parts.items() if not name.startswith("columns.")}
