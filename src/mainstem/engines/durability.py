# SPDX-License-Identifier: Apache-2.0
"""Making files survive power loss: DuckDB's COPY never fsyncs (SEMANTICS, Durability)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from mainstem.engines.faults import from_os


def sync_files(paths: Iterable[Path]) -> None:
    """Wait until the contents of files are on the disk.

    Raises:
        StorageFailed: The disk refused; a delayed "disk full" shows here too.
    """
    for path in paths:
        _sync(path, os.O_RDONLY)


def sync_folders(folder: Path, top: Path) -> None:
    """Wait until the names in a folder, and the folders above up to `top`, are on the disk."""
    for place in (folder, *folder.parents):
        _sync(place, os.O_RDONLY | os.O_DIRECTORY)
        if place == top:
            break


def _sync(path: Path, flags: int) -> None:
    try:
        handle = os.open(path, flags)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise from_os(error, str(path)) from error
