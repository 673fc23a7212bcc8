# SPDX-License-Identifier: Apache-2.0
"""The sensors that need no code: files that arrived, and tables that another run moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import Any

import orjson

from mainstem.types import RunRequest, SensorAnswer

_NAMED = 20
"""Files that the facts of a launch name; the rest is counted."""


def files_arrived(folder: Path, globs: Iterable[str], cursor: str) -> SensorAnswer:
    """Look for files that are new, or not what they were.

    A file counts once two looks find it unchanged, so that nobody reads it half-written.

    Args:
        folder: The project; absolute globs are taken as they are.
        globs: As in `landing/*.csv`; `**` goes down.
        cursor: What the last look gave.
    """
    before: dict[str, Any] = orjson.loads(cursor) if cursor else {}
    seen = dict(_found(folder, globs))
    told: Mapping[str, list[int]] = before.get("told", {})
    once: Mapping[str, list[int]] = before.get("seen", {})
    fresh = {path: identity for path, identity in seen.items() if told.get(path) != identity}
    settled = {path: identity for path, identity in fresh.items() if once.get(path) == identity}
    still = {path: identity for path, identity in fresh.items() if path not in settled}
    kept = {path: identity for path, identity in told.items() if path in seen}
    after = orjson.dumps(
        {"told": {**kept, **settled}, "seen": still}, option=orjson.OPT_SORT_KEYS
    ).decode()
    if not settled:
        files = "1 file" if len(still) == 1 else f"{len(still)} files"
        waiting = f"{files} may still be written" if still else "no file is new"
        return SensorAnswer(skip=waiting, cursor=after)
    names = sorted(settled)
    digest = sha256(orjson.dumps(sorted(settled.items()))).hexdigest()[:32]
    cause = {"files": names[:_NAMED], "count": len(names)}
    return SensorAnswer(requests=(RunRequest(run_key=digest, cause=cause),), cursor=after)


def table_moved(table: str, branch: str, version: str | None, cursor: str) -> SensorAnswer:
    """Compare the version of a table with the one seen before; the first look only remembers it.

    Args:
        table: Its key.
        branch: Where it was looked at.
        version: Its data version there; nothing if it is not there.
        cursor: What the last look gave.
    """
    now = version or ""
    after = orjson.dumps(now).decode()
    if not cursor:
        return SensorAnswer(skip="the first look: remembered what there is", cursor=after)
    if not now or orjson.loads(cursor) == now:
        said = "has not changed" if now else "is not there"
        return SensorAnswer(skip=f"{table} {said} on {branch}", cursor=after)
    cause = {"table": table, "branch": branch, "version": now}
    return SensorAnswer(
        requests=(RunRequest(run_key=f"{branch}:{now}", cause=cause),), cursor=after
    )


def _found(folder: Path, globs: Iterable[str]) -> Iterator[tuple[str, list[int]]]:
    for pattern in globs:
        root = Path("/") if pattern.startswith("/") else folder
        for path in sorted(root.glob(pattern.lstrip("/"))):
            try:
                status = path.stat()
            except OSError:
                continue  # gone since it was listed: the next look will tell
            if S_ISREG(status.st_mode):
                name = str(path) if root != folder else path.relative_to(folder).as_posix()
                yield name, [status.st_size, status.st_mtime_ns]
