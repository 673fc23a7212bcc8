# SPDX-License-Identifier: Apache-2.0
"""Lines that a worker prints, with secrets masked, and bounded: the first of them and the last.

Of a flood the latest lines are told twice a second, so that a log shows what went on even if the
server is killed in the middle of it; the rest is dropped unread, at the speed of the pipe.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal

from mainstem.records import Redactor
from mainstem.types import Clock, SystemClock

Stream = Literal["stdout", "stderr"]
Log = Callable[[str, Stream], object]
_LINE_LIMIT = 4096
_HEAD_LIMIT = 4 << 20
_TAIL_LIMIT = 1 << 14
_TAIL_LINES = 20
_TELL_EVERY_S = 0.5
_READ = 1 << 16
_READS_PER_TURN = 32


class Output:
    """What one attempt prints, split into lines and passed on as it comes.

    Args:
        log: Takes each line.
        redactor: Masks secrets, wherever a piece of output is cut.
        head_limit: Bytes passed on at once; of what follows only the last lines are.
        clock: Says when to tell of a flood.
    """

    def __init__(
        self,
        log: Log,
        *,
        redactor: Redactor | None = None,
        head_limit: int = _HEAD_LIMIT,
        clock: Clock | None = None,
    ) -> None:
        self._log = log
        self._redactor = redactor or Redactor()
        self._left = head_limit
        self._clock = clock or SystemClock()
        self._of: dict[Stream, _Lines] = {
            "stdout": _Lines(self._redactor),
            "stderr": _Lines(self._redactor),
        }
        self._told_s = 0.0

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
        lines = self._of[stream]
        lines.keep(chunk)
        if self._left <= 0:
            lines.dropped += len(chunk)
            self._tell_of_flood()
            return
        self._left -= len(chunk)
        for line in lines.split(chunk):
            self._emit(line, stream)
        if self._left <= 0:
            self._told_s = self._clock.monotonic_s()

    def tail(self, stream: Stream, *, lines: int = 30) -> str:
        """Give the last lines, for the error of a process that died."""
        return "\n".join(self._of[stream].recent()[-lines:])

    def finish(self) -> None:
        """Pass on unfinished lines, and say what was left out."""
        for stream, lines in self._of.items():
            rest = lines.end()
            if rest:
                self._emit(rest, stream)
            self._tell_dropped(stream)

    def _tell_of_flood(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._told_s >= _TELL_EVERY_S:
            self._told_s = now_s
            for stream in self._of:
                self._tell_dropped(stream)

    def _tell_dropped(self, stream: Stream) -> None:
        lines = self._of[stream]
        if not lines.dropped:
            return
        last = lines.recent()[-_TAIL_LINES:]
        left_out = max(lines.dropped - sum(len(line) + 1 for line in last), 0)
        self._log(f"... {left_out:,} bytes of output left out; the last lines: ...", stream)
        for line in last:
            self._log(line[:_LINE_LIMIT], stream)
        lines.dropped = 0

    def _emit(self, line: bytes | bytearray, stream: Stream) -> None:
        text = bytes(line[:_LINE_LIMIT]).decode("utf-8", "backslashreplace").rstrip("\r")
        cut = len(line) - _LINE_LIMIT
        self._log(f"{text} ... {cut:,} bytes more" if cut > 0 else text, stream)


class _Lines:
    """One stream: its unfinished line, and the end of it as it came."""

    def __init__(self, redactor: Redactor) -> None:
        self.dropped = 0
        self._redactor = redactor
        self._masked = redactor.stream()
        self._partial = bytearray()
        self._recent = b""

    def keep(self, chunk: bytes) -> None:
        self._recent = (self._recent + chunk[-_TAIL_LIMIT:])[-_TAIL_LIMIT:]

    def split(self, chunk: bytes) -> list[bytearray]:
        """Give the lines that are complete now, and one that is too long to wait for its end."""
        for part in self._masked.feed(chunk):
            self._partial += part
        *whole, rest = self._partial.split(b"\n")
        if len(rest) > _LINE_LIMIT:
            whole.append(rest)
            rest = bytearray()
        self._partial = rest
        return whole

    def end(self) -> bytearray:
        rest, self._partial = self._partial + self._masked.end(), bytearray()
        return rest

    def recent(self) -> list[str]:
        text = self._recent.decode("utf-8", "backslashreplace")
        if len(self._recent) >= _TAIL_LIMIT:
            # The first line was cut, maybe within a secret.
            text = text.partition("\n")[2]
        return self._redactor.text(text).rstrip().splitlines()
