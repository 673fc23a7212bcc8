# SPDX-License-Identifier: Apache-2.0
"""Sweeping Iceberg metadata: files that were written for other readers and that nobody is led to.

They can be made again from the catalog at any time, so only those of places that refs lead to now,
or led to within the grace time, are kept; and whatever was written or asked for since.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from mainstem.lake.catalog import Catalog
from mainstem.lake.commit import find_commit
from mainstem.lake.content import load_state, relations


def find_metadata(catalog: Catalog, commits: Iterable[str], *, cutoff: datetime) -> dict[str, int]:
    """Find metadata files that may go.

    Args:
        catalog: To read from.
        commits: Whose versions of tables other readers may have open.
        cutoff: Younger files stay: they may be in the making.

    Returns:
        Sizes by path relative to the warehouse; `metadata.json` before what it names.
    """
    old = dict(_old_files(catalog.warehouse, cutoff))
    if not old:
        return {}
    named = importlib.import_module("mainstem.lake.iceberg").metadata_files
    seen: set[str] = set()
    for commit_id in dict.fromkeys(commits):
        commit = find_commit(catalog, commit_id)
        if commit is None:
            continue
        for entry in relations(catalog, commit.root).values():
            if entry.kind == "table" and entry.content not in seen:
                seen.add(entry.content)
                state = load_state(catalog, entry.content)
                for path in named(state, catalog.objects, catalog.warehouse):
                    old.pop(path, None)
    return dict(sorted(old.items(), key=lambda item: not item[0].endswith(".json")))


def _old_files(warehouse: str, cutoff: datetime) -> Iterator[tuple[str, int]]:
    for folder in _metadata_folders(Path(warehouse)):
        with os.scandir(folder) as listing:
            for item in listing:
                status = item.stat(follow_symlinks=False)
                changed = datetime.fromtimestamp(status.st_mtime, UTC)
                if changed < cutoff and item.is_file(follow_symlinks=False):
                    yield Path(item.path).relative_to(warehouse).as_posix(), status.st_size


def _metadata_folders(warehouse: Path) -> Iterator[Path]:
    """Walk folders of namespaces and tables, and none of data files."""
    todo = [warehouse]
    while todo:
        here = todo.pop()
        try:
            with os.scandir(here) as listing:
                inner = {item.name: Path(item.path) for item in listing if item.is_dir()}
        except FileNotFoundError:
            continue
        if "metadata" in inner and here != warehouse:
            yield inner["metadata"]
        else:
            todo.extend(inner.values())
