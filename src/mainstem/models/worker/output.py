# SPDX-License-Identifier: Apache-2.0
"""Lines that a worker prints, bounded: the first of them and the last, never a gigabyte."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal

Stream = Literal["stdout", "stderr"]
Log = Callable[[str, Stream], object]
_LINE_LIMIT = 4096
_HEAD_LIMIT = 1 << 20
_TAIL_LIMIT = 1 << 14
_READ = 1 << 16
_READS_PER_TURN = 32


class Output:
    """What one attempt prints, split into lines and passed on as it comes.

    Args:
        log: Takes each line.
        head_limit: Bytes passed on at once; of what follows only the last lines are.
    """

    def __init__(self, log: Log, *, head_limit: int = _HEAD_LIMIT) -> None:
        self._log = log
        self._left = head_limit
        self._partial: dict[Stream, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self._recent: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}
        self._dropped = 0
        self._dropped_of: set[Stream] = set()

    def read(self, descriptor: int, stream: Stream) -> bool:
        """Take what a non-blocking pipe holds now; tells whether more may come."""
        for _ in range(_READS_PER_TURN):
            try:
                chunk = os.read(descriptor, _READ)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not chunk:
                return False
            self.feed(chunk, stream)
        return True

    def feed(self, chunk: bytes, stream: Stream) -> None:
        """Take bytes; complete lines are passed on."""
        self._recent[stream] = (self._recent[stream] + chunk[-_TAIL_LIMIT:])[-_TAIL_LIMIT:]
        if self._left <= 0:
            self._dropped += len(chunk)
            self._dropped_of.add(stream)
            return
        self._left -= len(chunk)
        partial = self._partial[stream]
        partial += chunk
        *lines, rest = partial.split(b"\n")
        for line in lines:
            self._emit(line, stream)
        if len(rest) > _LINE_LIMIT:
            self._emit(rest, stream)
            rest = bytearray()
        self._partial[stream] = bytearray(rest)

    def tail(self, stream: Stream, *, lines: int = 30) -> str:
        """Give the last lines, for the error of a process that died."""
        text = self._recent[stream].decode("utf-8", "backslashreplace")
        return "\n".join(text.rstrip().splitlines()[-lines:])

    def finish(self) -> None:
        """Pass on unfinished lines, and say what was left out."""
        for stream, partial in self._partial.items():
            if partial:
                self._emit(partial, stream)
        self._partial = {"stdout": bytearray(), "stderr": bytearray()}
        if not self._dropped:
            return
        for stream in sorted(self._dropped_of):
            last = self.tail(stream, lines=20)
            left_out = max(self._dropped - len(last), 0)
            self._log(f"... {left_out:,} bytes of output left out; the last lines: ...", stream)
            for line in last.splitlines():
                self._log(line[:_LINE_LIMIT], stream)
        self._dropped = 0

    def _emit(self, line: bytes | bytearray, stream: Stream) -> None:
        text = bytes(line[:_LINE_LIMIT]).decode("utf-8", "backslashreplace").rstrip("\r")
        cut = len(line) - _LINE_LIMIT
        self._log(f"{text} ... {cut:,} bytes more" if cut > 0 else text, stream)
