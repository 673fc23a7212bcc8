# SPDX-License-Identifier: Apache-2.0
"""What changed, in words and in columns: the reasons that a plan gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mainstem.graph.asset import Asset
from mainstem.graph.facts import Facts, HeadEntry, VersionRecord
from mainstem.types import AssetKey

_COLUMN = "columns."
_FILE = "files."


def code_reason(asset: Asset, entry: HeadEntry, facts: Facts) -> str:
    """Say what changed in an asset's code since a version was built."""
    before = facts.parts_of(asset.key, entry.provenance.code_version)
    parts = _changed_parts(before, asset.change_summary) if before else []
    columns = [text for text in parts if text.startswith("column ")]
    if columns:
        more = f" and {len(columns) - 1} more" if len(columns) > 1 else ""
        return f"{columns[0]}{more} in {_place(asset, columns[0])}"
    files = [part.removeprefix(_FILE) for part in parts if part.startswith(_FILE)]
    if files:
        more = f" and {len(files) - 1} more files" if len(files) > 1 else ""
        return f"its code changed in {files[0]}{more}"
    if "rows" in parts:
        return f"which rows it selects changed in {_place(asset)}"
    if "config" in parts:
        return "its configuration changed"
    return f"its code changed in {_place(asset)}" if asset.file else "its code changed"


def _changed_parts(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    found: list[str] = []
    for part in (*after, *(part for part in before if part not in after)):
        if before.get(part) == after.get(part):
            continue
        if not part.startswith(_COLUMN):
            found.append(part)
            continue
        name = part.removeprefix(_COLUMN)
        verb = "added" if part not in before else "dropped" if part not in after else "changed"
        found.append(f"column `{name}` {verb}")
    # What was added or dropped says more than what changed along with it.
    return sorted(found, key=lambda text: text.endswith("changed"))


def _place(asset: Asset, column_text: str = "") -> str:
    name = column_text.partition("`")[2].partition("`")[0]
    line = next(
        (
            options.get("line", 0)
            for column, options in asset.columns.items()
            if name and column.casefold() == name.casefold()
        ),
        0,
    )
    return f"{asset.file}:{line}" if line else asset.file or "Python"


def changed_columns(
    before: Mapping[str, str], after: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Compare the logic of columns, by the hashes of two change summaries.

    Returns:
        Column and change: `added`, `dropped` or `logic changed`.
    """
    found = []
    for part in dict.fromkeys((*before, *after)):
        if part.startswith(_COLUMN) and before.get(part) != after.get(part):
            change = (
                "added"
                if part not in before
                else "dropped"
                if part not in after
                else "logic changed"
            )
            found.append((part.removeprefix(_COLUMN), change))
    return tuple(found)


def only_appended(
    key: AssetKey,
    old: str,
    new: str,
    record_of: Callable[[AssetKey, str], VersionRecord | None],
) -> bool:
    """Tell whether one version came from another only by adding rows.

    A view counts if its definition is the same and what it reads was only appended to: what the
    author of an increment over it relies on, as in dbt.
    """
    if old == new:
        return True
    record = record_of(key, new)
    if record is not None and record.operation == "view":
        return _view_appended(key, old, record, record_of)
    seen = {new}
    while record is not None and record.operation == "append" and record.parent:
        if record.parent == old:
            return True
        if record.parent in seen:
            return False
        seen.add(record.parent)
        record = record_of(key, record.parent)
    return False


def _view_appended(
    key: AssetKey,
    old: str,
    record: VersionRecord,
    record_of: Callable[[AssetKey, str], VersionRecord | None],
) -> bool:
    before = record_of(key, old)
    if before is None or before.code_version != record.code_version:
        return False
    if set(before.inputs) != set(record.inputs):
        return False
    return all(
        only_appended(AssetKey.parse(name), before.inputs[name], version, record_of)
        for name, version in record.inputs.items()
    )
