# SPDX-License-Identifier: Apache-2.0
"""Delivering alerts beside the loop: a slow receiver holds up neither launches nor the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

_AT_ONCE = 100


class Courier:
    """One thread that delivers what is due when it is asked to.

    Args:
        deliver: Delivers at most so many messages; gives how many arrived, and how many did not.
    """

    def __init__(self, deliver: Callable[[int], tuple[int, int]]) -> None:
        self._deliver = deliver
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="courier")
        self._round: Future[None] | None = None
        self._stops = threading.Event()

    def call(self) -> None:
        """Deliver soon, unless that goes on already; returns at once."""
        if self._round is None or self._round.done():
            self._round = self._thread.submit(self._go_round)

    def close(self) -> None:
        """Stop after the message that is under way; what is left stays in the outbox."""
        self._stops.set()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _go_round(self) -> None:
        for _ in range(_AT_ONCE):
            if self._stops.is_set() or self._deliver(1) == (0, 0):
                return
