# SPDX-License-Identifier: Apache-2.0
"""What work took of the machine, and how a process tells it of itself."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from pathlib import Path
from typing import Literal

from mainstem.types.value import dataclass

_STATUS = "/proc/self/status"
_RESET = "/proc/self/clear_refs"
_PAGE = 4096
_descriptors: dict[tuple[str, int], int] = {}
"""What is asked of the kernel for each request to a worker, opened once in each process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an attempt took of the machine, as far as that can be told."""

    cpu_s: float
    """Of all threads, and in workers of children that were waited for."""
    peak_memory: int | None
    """Bytes that the process held at most meanwhile; `None` where it was too short to tell."""
    measured: Literal["worker", "process", "shared"]
    """Of whom: a worker that did nothing else; this process, where only this attempt ran; this
    process while other attempts ran too, whose share is not known."""


def cpu_s(*, with_children: bool = False) -> float:
    """Give the processor seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    total = used.ru_utime + used.ru_stime
    if with_children:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        total += children.ru_utime + children.ru_stime
    return total


def peak_memory() -> int:
    """Give the most bytes this process held since `reset_peak`; off Linux in all its life."""
    with contextlib.suppress(OSError):
        _, found, rest = os.pread(_opened(_STATUS, os.O_RDONLY), _PAGE, 0).partition(b"VmHWM:")
        if found:
            return int(rest.split(maxsplit=1)[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def reset_peak() -> None:
    """Forget the peak, where the kernel can (Linux)."""
    with contextlib.suppress(OSError):
        os.write(_opened(_RESET, os.O_WRONLY), b"5")


def machine_memory() -> int:
    """Tell the memory of the machine, or of the container if that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(path).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text))
    return total


def _opened(path: str, flags: int) -> int:
    known = _descriptors.get((path, os.getpid()))
    if known is None:
        known = _descriptors[path, os.getpid()] = os.open(path, flags)
    return known
