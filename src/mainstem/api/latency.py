# SPDX-License-Identifier: Apache-2.0
"""How long callers wait until an answer begins: counted in fixed buckets, by route and outcome.

Not until it ends: a stream of events may last for days, and rows go as fast as they are taken.
"""

from __future__ import annotations

import threading
from bisect import bisect_left

from mainstem.types import dataclass

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds in seconds; fixed, so that servers and days can be added up."""
_ROUTES = ("/graphql", "/api/data", "/hooks", "/metrics", "/health")


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Answers of one route that ended alike."""

    route: str
    outcome: str
    """`2xx`, `4xx`, ..."""
    counts: tuple[int, ...]
    """By bucket, the last one for what took longer; not added up."""
    sum_s: float


class Latencies:
    """Counts answers; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], list[int]] = {}
        self._sums: dict[tuple[str, str], float] = {}

    def note(self, path: str, status: int, elapsed_s: float) -> None:
        """Count an answer."""
        key = (route_of(path), f"{status // 100}xx")
        at = bisect_left(BUCKETS, elapsed_s)
        with self._lock:
            counts = self._counts.setdefault(key, [0] * (len(BUCKETS) + 1))
            counts[at] += 1
            self._sums[key] = self._sums.get(key, 0.0) + elapsed_s

    def histograms(self) -> list[Histogram]:
        """Give what was counted since the server began, by route and outcome."""
        with self._lock:
            return [
                Histogram(route=route, outcome=outcome, counts=tuple(counts), sum_s=self._sums[key])
                for key, counts in sorted(self._counts.items())
                for route, outcome in [key]
            ]


def route_of(path: str) -> str:
    """Give the route of a path: few words, whatever callers write."""
    return next(
        (route for route in _ROUTES if path == route or path.startswith(f"{route}/")), "other"
    )
