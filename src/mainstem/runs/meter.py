# SPDX-License-Identifier: Apache-2.0
"""What an attempt takes of this process: processor time and the peak of its memory.

A process measures itself: what several attempts take at once cannot be told apart, and is called
`shared`. Workers measure each request by themselves.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from mainstem.types import Clock, Usage, cpu_s, peak_memory, reset_peak

_RESET_EVERY_S = 0.05


@dataclass(slots=True)
class Mark:
    """Where an attempt began."""

    cpu_s: float
    began_s: float
    is_alone: bool


class Meter:
    """Measures attempts of one run; from any thread. Costs some microseconds for short ones."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._marks: list[Mark] = []
        self._reset_s = float("-inf")

    def begin(self) -> Mark:
        """Start to measure."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            mark = Mark(cpu_s(), now_s, is_alone=not self._marks)
            for other in self._marks:
                other.is_alone = False
            if not self._marks and now_s - self._reset_s > _RESET_EVERY_S:
                self._reset_s = now_s
                reset_peak()
            self._marks.append(mark)
        return mark

    def end(self, mark: Mark, *, known: Usage | None = None) -> Usage:
        """Say what was used since, unless the step knows better."""
        with self._lock:
            self._marks.remove(mark)
            if known is not None:
                return known
            is_short = self._clock.monotonic_s() - mark.began_s < _RESET_EVERY_S
        return Usage(
            cpu_s=cpu_s() - mark.cpu_s,
            peak_memory=None if is_short else peak_memory(),
            measured="process" if mark.is_alone else "shared",
        )
