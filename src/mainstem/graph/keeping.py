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
    before = {name.casefold(): version for name, version in entry.provenance.inputs.items()}
    if set(before) != {key.folded for key in inputs}:
        return False
    changed = [key for key, version in inputs.items() if before[key.folded] != version]
    added: set[tuple[AssetKey, str]] = set()
    for key in changed:
        columns = _additions(assets[key], before[key.folded], inputs[key], facts)
        if columns is None:
            return False
        added.update((key, column) for column in columns)
    lineage = facts.lineage_of(asset) if added else {}
    return bool(lineage) and not any(
        (key, column.casefold()) in added for origins in lineage.values() for key, column in origins
    )


def _additions(source: Asset, old: str, new: str | None, facts: Facts) -> set[str] | None:
    """Give the columns that are all that a new version adds; nothing if more changed than that."""
    before = facts.record_of(source.key, old)
    if before is None or not new or not _same_inputs(before, source, new):
        return None
    old_parts = facts.parts_of(source.key, before.code_version)
    if not old_parts or not source.change_summary:
        return None
    columns = changed_columns(old_parts, source.change_summary)
    if any(change != "added" for _name, change in columns):
        return None
    if _without_columns(old_parts) != _without_columns(source.change_summary):
        return None
    return {name.casefold() for name, _change in columns}


def _same_inputs(before: VersionRecord, source: Asset, new: str) -> bool:
    """The new version must be the same inputs under other code, and nothing else."""
    from_old_inputs = {AssetKey.parse(name): version for name, version in before.inputs.items()}
    return new == fingerprint(source.code_version, from_old_inputs)


def _without_columns(parts: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in parts.items() if not name.startswith("columns.")}
