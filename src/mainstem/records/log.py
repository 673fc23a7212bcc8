# SPDX-License-Identifier: Apache-2.0
"""The log of one attempt: a file that only grows, one JSON object a line, written as it comes.

Lines go to the kernel at once, so that neither a killed worker nor a killed server loses them. Of a
flood the beginning and the end are kept: behind the head, two segments take turns (ADR 0012).
"""

from __future__ import annotations

import contextlib
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, unquote

import orjson

from mainstem.types import Clock

HEAD_BYTES = 8 << 20
"""Kept from the beginning of an attempt,"""
TAIL_BYTES = 1 << 20
"""and this to twice as much from its end."""

_TEXT_LIMIT = 64_000
_NAME_LIMIT = 180
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class AttemptLog:
    """Appends to the log of one attempt; from any thread.

    A log must not fail what it tells of: when it cannot be written, lines are lost and counted.

    Args:
        path: Of its first file; what follows the head is beside it, as `NAME.log.START`.
        clock: For the time of each line.
        head_bytes: Kept from the beginning.
        tail_bytes: Size of each of two segments that hold the end.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        head_bytes: int = HEAD_BYTES,
        tail_bytes: int = TAIL_BYTES,
    ) -> None:
        self.path = path
        self.lost = 0
        self._clock = clock
        self._head_bytes = head_bytes
        self._tail_bytes = tail_bytes
        self._lock = threading.Lock()
        self._descriptor = -1
        self._room = 0
        self._position = 0
        self._tails: list[Path] = []

    def append(self, kind: str, text: str) -> None:
        """Write one line: of `stdout`, `stderr`, `log`, `retried`, `failed`."""
        at = (self._clock.now() - _EPOCH) // _MICROSECOND
        record = _record(at, kind, text)
        with self._lock:
            try:
                if self._descriptor < 0:
                    self._open()
                if len(record) > self._room:
                    self._begin_tail(at)
                self._write(record)
            except OSError:
                self.lost += 1

    def close(self) -> None:
        """Give the file back; a line that comes later opens it again."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        tails = segments(self.path)[1:]
        self._tails = [file for _start, file in tails]
        start, file = tails[-1] if tails else (0, self.path)
        limit = self._tail_bytes if tails else self._head_bytes
        self._use(file)
        size = os.fstat(self._descriptor).st_size
        self._position, self._room = start + size, limit - size

    def _use(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        before, self._descriptor = self._descriptor, os.open(path, flags, 0o640)
        if before >= 0:
            os.close(before)

    def _begin_tail(self, at: int) -> None:
        if not self._tails:
            text = f"(behind the first {self._head_bytes:,} bytes only the end of this log is kept)"
            self._write(_record(at, "note", text))
        file = self.path.with_name(f"{self.path.name}.{self._position}")
        self._use(file)
        self._tails.append(file)
        while len(self._tails) > 2:
            self._tails.pop(0).unlink(missing_ok=True)
        self._room = self._tail_bytes

    def _write(self, record: bytes) -> None:
        left = memoryview(record)
        while left:
            left = left[os.write(self._descriptor, left) :]
        self._position += len(record)
        self._room -= len(record)


def log_path(folder: Path, run_id: int, step: str, attempt: int) -> Path:
    """Name the log of an attempt: `run-13/marts.delays-1.log`, whatever the step is called."""
    name = quote(step, safe="[]=,@ ")
    if len(name) > _NAME_LIMIT:
        # Names of files end at 255 bytes; the end of a long one tells more than its beginning.
        name = f"{name[:60]}~{name[-110:]}"
    return folder / f"run-{run_id}" / f"{name}-{attempt}.log"


def step_of(path: Path) -> tuple[str, int]:
    """Tell the step and attempt of a log by its path."""
    name, _dash, attempt = path.name.partition(".log")[0].rpartition("-")
    return unquote(name), int(attempt)


def segments(path: Path) -> list[tuple[int, Path]]:
    """Give the files of a log, each with where it starts; the head first, if it is there."""
    found = [(0, path)] if path.exists() else []
    prefix = f"{path.name}."
    with contextlib.suppress(FileNotFoundError), os.scandir(path.parent) as listing:
        for item in listing:
            start = item.name.removeprefix(prefix)
            if start != item.name and start.isdecimal():
                found.append((int(start), Path(item.path)))
    return sorted(found)


def _record(at: int, kind: str, text: str) -> bytes:
    if len(text) > _TEXT_LIMIT:
        half = _TEXT_LIMIT // 2
        left_out = len(text) - 2 * half
        text = f"{text[:half]}\n... {left_out:,} characters left out ...\n{text[-half:]}"
    # Bytes that are no text arrive escaped; a lone surrogate would be refused.
    clean = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return orjson.dumps({"at": at, "kind": kind, "text": clean}) + b"\n"
