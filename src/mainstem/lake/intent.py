# SPDX-License-Identifier: Apache-2.0
"""Intents: changes as their authors meant them, applied to whatever the branch has by then.

Runs inside the short write transaction; what does not commute with what came between is a
conflict, everything else just works. Called by `writing.commit`.
"""

from __future__ import annotations

import dataclasses
from pathlib import PurePosixPath

import orjson

from mainstem.errors import BranchConflict, InternalError
from mainstem.lake.allocation import table_id_of
from mainstem.lake.catalog import Catalog
from mainstem.lake.commit import first_parents
from mainstem.lake.content import (
    cursor_entry,
    find_entry,
    load_state,
    missing,
    table_entry,
    view_entry,
)
from mainstem.lake.draft import Draft
from mainstem.lake.table_apply import apply, relink
from mainstem.lake.table_state import TableState
from mainstem.lake.values import Commit, Entry, Intent, LinkWrite
from mainstem.types import AssetKey, CursorWrite, TableWrite, ViewWrite

_LOOK_BACK = 500
"""Commits to search for the version that an intent was computed from."""
_NEEDS_BASE = frozenset({"overwrite", "append", "replace_partitions"})
"""Operations that say nothing of the rows they were computed from: they need them unchanged."""


def apply_intent(draft: Draft, intent: Intent) -> None:
    """Lay one intent over a draft.

    Raises:
        BranchConflict: It does not commute with what happened since it was computed.
        AssetNotFound: It drops what is not there.
    """
    match intent:
        case TableWrite(operation="drop"):
            _drop(draft, intent.key)
        case TableWrite():
            _write_table(draft, intent)
        case ViewWrite():
            draft.put(view_entry(draft.catalog, intent), operations=("view",))
        case CursorWrite():
            entry = cursor_entry(draft.catalog, intent.key, intent.value)
            draft.put(entry, operations=("cursor",))
        case LinkWrite():
            _link(draft, intent)


def _drop(draft: Draft, key: AssetKey) -> None:
    if draft.find(key) is None:
        raise missing(draft.catalog, draft.head, key)
    draft.remove(key)
    if draft.find(key, "cursor") is not None:
        # Or the next load would go on where the rows that are gone ended.
        draft.remove(key, "cursor")


def _write_table(draft: Draft, write: TableWrite) -> None:
    catalog = draft.catalog
    _check_paths(write)
    table_id = table_id_of(catalog, write.key)
    entry = draft.find(write.key)
    is_table = entry is not None and entry.kind == "table"
    current = load_state(catalog, entry.content) if entry is not None and is_table else None
    base = _base(draft, write, entry, current)
    state = apply(
        current,
        dataclasses.replace(write, table_id=write.table_id or table_id),
        ids=draft.snapshot_ids(write.key),
        manifests=catalog.objects,
        base=base,
    )
    provenance = write.provenance
    draft.put(
        table_entry(catalog, write.key, state, provenance),
        operations=(write.operation,),
        intervals=(provenance.cursor_interval,) if write.added else (),
    )


def _base(
    draft: Draft, write: TableWrite, entry: Entry | None, current: TableState | None
) -> TableState | None:
    if not write.base_version:
        return None
    if entry is not None and entry.provenance.data_version == write.base_version:
        return current
    base = _find_version(draft.catalog, draft.head, write.key, write.base_version)
    if write.operation in _NEEDS_BASE or (write.operation == "upsert" and base is None):
        now = "gone" if entry is None else entry.provenance.data_version[:8] or "unversioned"
        raise BranchConflict(
            "A5031",
            f"{write.key} changed since this {write.operation} was computed: it read version "
            f"{write.base_version[:8]}, and the branch has {now}.",
            hint="Run it again, so that it reads the new version.",
        )
    return base


def _find_version(catalog: Catalog, head: Commit, key: AssetKey, version: str) -> TableState | None:
    for number, commit in enumerate(first_parents(catalog, head)):
        if number == _LOOK_BACK:
            return None
        entry = find_entry(catalog, commit.root, key)
        if entry is None:
            return None
        if entry.kind == "table" and entry.provenance.data_version == version:
            return load_state(catalog, entry.content)
    return None


def _link(draft: Draft, link: LinkWrite) -> None:
    catalog = draft.catalog
    value = orjson.loads(catalog.objects.get(link.content))
    if "sql" in value:
        view = Entry(key=link.key, kind="view", content=link.content, provenance=link.provenance)
        draft.put(view, operations=("view",))
        return
    entry = draft.find(link.key)
    onto = entry is not None and entry.kind == "table"
    state = relink(
        load_state(catalog, link.content),
        ids=draft.snapshot_ids(link.key),
        manifests=catalog.objects,
        onto=load_state(catalog, entry.content) if entry is not None and onto else None,
    )
    draft.put(table_entry(catalog, link.key, state, link.provenance), operations=("overwrite",))


def _check_paths(write: TableWrite) -> None:
    for file in write.added:
        path = PurePosixPath(file.path)
        if path.is_absolute() or ".." in path.parts:
            raise InternalError(
                "A9042", f"a data file of {write.key} is outside the warehouse: {file.path}."
            )
