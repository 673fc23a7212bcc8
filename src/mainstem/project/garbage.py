# SPDX-License-Identifier: Apache-2.0
"""Python's collector of cycles, asked less often while a project is loaded.

Thousands of values come to life that all stay: the collector would walk them again and again and
find nothing, a fifth of the time. The program sets this for good; who imports Mainstem has not.
Afterwards they count as old, as they would once the collector had walked them twice for nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_ALLOCATIONS = 300_000


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """Raise the collector's first threshold for a while, unless it is higher or off."""
    before = gc.get_threshold()
    is_lower = 0 < before[0] < _ALLOCATIONS
    if is_lower:
        gc.set_threshold(_ALLOCATIONS, *before[1:])
    try:
        yield
    finally:
        if is_lower:
            gc.set_threshold(*before)
            _count_as_old()


def _count_as_old() -> None:
    """Move all objects to the oldest generation: two lists are joined, and nothing is walked."""
    if not gc.get_freeze_count():  # else the process froze objects of its own, which stay so
        gc.freeze()
        gc.unfreeze()
