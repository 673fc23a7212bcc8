# SPDX-License-Identifier: Apache-2.0
"""Looking for damage: everything that a commit leads to, from the catalog's objects to the files.

Reads past all caches, and reports all it finds; called by `Lake.verify` and so by `doctor`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mainstem.errors import StorageFailed
from mainstem.lake import planner
from mainstem.lake.catalog import Catalog
from mainstem.lake.content import load_cursor, load_entry, load_state, load_view
from mainstem.lake.values import Commit, Damage, Entry
from mainstem.types import DataFile


def verify(catalog: Catalog, commit: Commit) -> Iterator[Damage]:
    """Check one commit: hashes of all objects, presence and size of all data files.

    Args:
        catalog: With caches of its own, so that the disk is read.
        commit: What to check.
    """
    try:
        slots = catalog.tries.items(commit.root)
    except StorageFailed as error:
        yield Damage(what="corrupt", subject=f"commit {commit.id}", message=error.summary)
        return
    for slot, entry_hash in sorted(slots.items()):
        try:
            entry = load_entry(catalog, entry_hash)
        except StorageFailed as error:
            yield Damage(what="corrupt", subject=slot[2:], message=error.summary)
            continue
        yield from _check(catalog, entry)


def _check(catalog: Catalog, entry: Entry) -> Iterator[Damage]:
    try:
        if entry.kind == "view":
            load_view(catalog, entry)
        elif entry.kind == "cursor":
            load_cursor(catalog, entry)
        else:
            state = load_state(catalog, entry.content)
            for file in planner.files(state, catalog.objects):
                yield from _check_file(catalog.warehouse, entry, file)
    except StorageFailed as error:
        yield Damage(what="corrupt", subject=str(entry.key), message=error.summary, key=entry.key)


def _check_file(warehouse: str, entry: Entry, file: DataFile) -> Iterator[Damage]:
    path = Path(warehouse, file.path)
    try:
        size = path.stat().st_size
    except OSError as error:
        yield Damage(
            what="missing",
            subject=file.path,
            message=f"{path}: {error.strerror}; {file.record_count:,} rows of {entry.key}",
            key=entry.key,
        )
        return
    if size != file.size_bytes:
        yield Damage(
            what="truncated",
            subject=file.path,
            message=f"{path} has {size:,} bytes, and was written with {file.size_bytes:,}",
            key=entry.key,
        )
