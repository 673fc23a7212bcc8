# SPDX-License-Identifier: Apache-2.0
"""What a command says of itself: JSON lines, written to the pipe that `MAINSTEM_REPORT` names."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import orjson

_READ = 1 << 16
_LINE_LIMIT = 1 << 20
_NAMES_LIMIT = 100
_TEXT_LIMIT = 500
_SHOWN = 80


class Report:
    """Takes the lines of one attempt.

    Args:
        progress: Told rows and note of each `progress`.
    """

    def __init__(self, progress: Callable[[int | None, str], object]) -> None:
        self.metadata: dict[str, str] = {}
        """By name, as text; the last word on a name holds."""
        self.skip: str | None = None
        """Why there was nothing to do, if it said so."""
        self.error = ""
        """Why it fails, in its own words."""
        self._progress = progress
        self._partial = b""
        self._wrong: list[str] = []
        self._wrong_count = 0

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was not understood."""
        if not self._wrong_count:
            return ()
        more = f" and {self._wrong_count - 1} more" if self._wrong_count > 1 else ""
        return (f"MAINSTEM_REPORT got what is no message: {self._wrong[0]}{more}",)

    def read(self, descriptor: int) -> None:
        """Take what a non-blocking pipe holds now."""
        while True:
            try:
                chunk = os.read(descriptor, _READ)
            except BlockingIOError:
                return
            if not chunk:
                return
            self.feed(chunk)
            if len(chunk) < _READ:
                return

    def feed(self, chunk: bytes) -> None:
        """Take bytes; complete lines are understood."""
        *whole, self._partial = (self._partial + chunk).split(b"\n")
        if len(self._partial) > _LINE_LIMIT:
            whole.append(self._partial)
            self._partial = b""
        for line in whole:
            self._take(line)

    def finish(self) -> None:
        """Take a last line that has no end."""
        line, self._partial = self._partial, b""
        self._take(line)

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            message = orjson.loads(line)
        except orjson.JSONDecodeError:
            message = None
        if not isinstance(message, dict) or not self._understood(message):
            self._wrong_count += 1
            if not self._wrong:
                self._wrong.append(line[:_SHOWN].decode("utf-8", "backslashreplace"))

    def _understood(self, message: Mapping[str, Any]) -> bool:
        match message:
            case {"type": "progress"}:
                rows, note = message.get("rows"), message.get("note", "")
                if not (rows is None or isinstance(rows, int)) or not isinstance(note, str):
                    return False
                self._progress(rows, note[:_TEXT_LIMIT])
            case {"type": "metadata", "values": dict(values)}:
                for name, value in values.items():
                    if name in self.metadata or len(self.metadata) < _NAMES_LIMIT:
                        self.metadata[name] = _text(value)
            case {"type": "skip"}:
                self.skip = str(message.get("reason") or "nothing to do")[:_TEXT_LIMIT]
            case {"type": "error", "message": str(text)}:
                self.error = text[:_TEXT_LIMIT]
            case _:
                return False
        return True


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text[:_TEXT_LIMIT]
