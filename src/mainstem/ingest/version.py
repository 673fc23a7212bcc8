# SPDX-License-Identifier: Apache-2.0
"""Identity of what was loaded: data version, cursor, and the interval that merges compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

import orjson

from mainstem.graph import Asset
from mainstem.ingest.observation import FoundFile, Observation
from mainstem.types import TableRef

_RACY = timedelta(seconds=2)
"""Coarsest time of a supported file system: an edit this close to the reading may not show."""
_DIGEST_CHARACTERS = 16


def version_of(
    asset: Asset, seen: Observation, files: Sequence[FoundFile], current: TableRef | None
) -> str:
    """Derive the data version: equal files read with equal options on equal ground are equal.

    What was accepted follows from these, so it needs no digest of its own; where all rows are
    replaced, what was there before is no part of it, so branches that load the same files agree.
    """
    previous = current.data_version if current is not None and seen.mode == "add" else ""
    identity = [(file.name, file.digest) for file in files]
    content = orjson.dumps(["files", previous, asset.code_version, identity])
    return sha256(content).hexdigest()[:32]


def cursor_of(
    asset: Asset,
    files: Sequence[FoundFile],
    *,
    gone: Mapping[str, object],
    read_at: datetime,
) -> dict[str, object]:
    """Give the cursor: every file that the table's rows came from.

    Args:
        asset: Tells the options they were read with.
        files: That are there.
        gone: Entries of files that were loaded and are no longer there; their rows stay.
        read_at: When the run began.
    """
    racy = int((read_at - _RACY).timestamp() * 1_000_000_000)
    entries: dict[str, object] = dict(gone)
    for file in files:
        # A file modified just now may be modified again within the clock's resolution: an
        # impossible time makes the next look compare digests (git calls this racily clean).
        mtime_ns = file.mtime_ns if file.mtime_ns < racy else 0
        entries[file.name] = {"size": file.size, "mtime_ns": mtime_ns, "digest": file.digest}
    return {
        "kind": "files",
        "options": asset.code_version,
        "files": dict(sorted(entries.items())),
    }


def interval_of(files: Sequence[FoundFile]) -> str:
    """Say which part of the source rows came from: with no file in common they are disjoint."""
    return ",".join(sorted(file.digest[:_DIGEST_CHARACTERS] for file in files))
