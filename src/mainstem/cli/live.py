# SPDX-License-Identifier: Apache-2.0
"""What a person sees while a run goes on: finished steps stay, running ones are redrawn below.

Written by hand rather than with rich: three escape codes do, and importing rich costs more than a
run with nothing to do. Thread-safe: events come from the threads of steps.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self, TextIO

from mainstem.cli.render.look import Look
from mainstem.cli.render.words import seconds, shorten
from mainstem.types import Clock, plural

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_CLEAR_TO_END = "\x1b[J"
QUIET_S = 1.0
"""Nothing is drawn within the first second: a short run shows its result alone."""
PERIOD_S = 0.1


@dataclass(slots=True)
class _Running:
    since_s: float
    rows: int | None = None
    note: str = ""


class Live:
    """The moving part at the foot of a terminal; use as a context."""

    def __init__(self, stream: TextIO, look: Look, clock: Clock, *, key_width: int) -> None:
        self._stream = stream
        self._look = look
        self._clock = clock
        self._key_width = key_width
        self._lock = threading.Lock()
        self._running: dict[str, _Running] = {}
        self._drawn = 0
        self._frame = 0
        self._begin_s = clock.monotonic_s()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True, name="live")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exit_info: object) -> None:
        self._stop.set()
        self._thread.join()
        with self._lock:
            self._clear()
            self._stream.flush()

    def started(self, key: str) -> None:
        """Show a step as running."""
        with self._lock:
            self._running[key] = _Running(self._clock.monotonic_s())

    def progressed(self, key: str, rows: int | None, note: str) -> None:
        """Show how far a running step is."""
        with self._lock:
            running = self._running.setdefault(key, _Running(self._clock.monotonic_s()))
            running.rows = rows if rows is not None else running.rows
            running.note = note or running.note

    def ended(self, key: str) -> None:
        """Take a step out of the moving part."""
        with self._lock:
            self._running.pop(key, None)

    def above(self, lines: Iterable[str]) -> None:
        """Write lines that stay."""
        with self._lock:
            self._clear()
            self._stream.writelines(f"{line}\n" for line in lines)
            self._draw()
            self._stream.flush()

    def _tick(self) -> None:
        while not self._stop.wait(PERIOD_S):
            with self._lock:
                self._frame += 1
                self._clear()
                self._draw()
                self._stream.flush()

    def _clear(self) -> None:
        if self._drawn:
            self._stream.write(f"\x1b[{self._drawn}A\r{_CLEAR_TO_END}")
            self._drawn = 0

    def _draw(self) -> None:
        now = self._clock.monotonic_s()
        if now - self._begin_s < QUIET_S:
            return
        for key, running in self._running.items():
            self._stream.write(self._line(key, running, now) + "\n")
            self._drawn += 1

    def _line(self, key: str, running: _Running, now: float) -> str:
        rows = plural(running.rows, "row") if running.rows is not None else ""
        spinner = _FRAMES[self._frame % len(_FRAMES)]
        took = seconds(now - running.since_s)
        text = f"  {spinner} {key:<{self._key_width + 4}}{rows:>12}     {took:<8}{running.note}"
        return self._look.paint(shorten(text.rstrip(), self._look.width - 1), "dim")
