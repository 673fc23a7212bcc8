# SPDX-License-Identifier: Apache-2.0
"""Which thread of this process writes; what other processes do is for the database to say."""

from __future__ import annotations

import threading
from typing import Final

from mainstem.errors import InternalError

_NOBODY: Final = 0


class WriteLock:
    """Held by one thread for as long as its write transaction is open."""

    __slots__ = ("_holder", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder = _NOBODY

    def is_mine(self) -> bool:
        """Tell whether this thread writes now."""
        return self._holder == threading.get_ident()

    def acquire(self, timeout_s: float) -> bool:
        """Wait to write; False if it took too long.

        Raises:
            InternalError: This thread writes already, and would wait for itself (A9043).
        """
        if self.is_mine():
            raise InternalError(
                "A9043", "a write transaction was opened within another; pass the first one on."
            )
        if not self._lock.acquire(timeout=timeout_s):
            return False
        self._holder = threading.get_ident()
        return True

    def try_aside(self) -> bool:
        """Take the lock if nobody writes, without being the writer: to look or to tidy up."""
        return self._lock.acquire(blocking=False)

    def release(self) -> None:
        """Let the next one write."""
        self._holder = _NOBODY
        self._lock.release()
