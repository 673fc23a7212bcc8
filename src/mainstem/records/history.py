# SPDX-License-Identifier: Apache-2.0
"""What happened, in files that only grow: one a day (UTC), one JSON object a line.

The database knows what *is*; this knows what *was*, long after rows of state are gone. Each call
is one system call, so processes may write at the same time and lines stay whole.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY_US = 86_400_000_000


class History:
    """Appends events to the file of their day; from any thread.

    It must not fail what it tells of: what cannot be written is counted, and lost.

    Args:
        folder: `.mainstem/history`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lost = 0
        self._lock = threading.Lock()
        self._day = -1
        self._path = ""

    def add(self, at: datetime, events: Sequence[Mapping[str, Any]]) -> None:
        """Write events that happened at one time; nulls are left out."""
        when = (at - _EPOCH) // _MICROSECOND
        data = b"".join(
            orjson.dumps({"at": when, **_present(event)}, default=str) + b"\n" for event in events
        )
        with self._lock:
            if when // _DAY_US != self._day:
                self._day = when // _DAY_US
                self._path = str(self.folder / f"{at.astimezone(UTC):%Y-%m-%d}.jsonl")
            try:
                self._append(self._path, data)
            except OSError:
                self.lost += len(events)

    def _append(self, path: str, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, 0o640)
        except FileNotFoundError:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, flags, 0o640)
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(descriptor, left) :]
        finally:
            os.close(descriptor)


def day_of(path: Path) -> date | None:
    """Tell which day a file of history is of; nothing for other files."""
    with contextlib.suppress(ValueError):
        return date.fromisoformat(path.name.partition(".")[0])
    return None


def _present(event: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if value is not None and value != ""}
