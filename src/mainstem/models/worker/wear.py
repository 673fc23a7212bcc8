# SPDX-License-Identifier: Apache-2.0
"""When a warm worker is given up: idle for long, old, or larger than user code should leave it."""

from __future__ import annotations

import os
from pathlib import Path

from mainstem.types import dataclass

_PAGE = os.sysconf("SC_PAGE_SIZE")
_LINE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Wear:
    """How long workers are kept."""

    idle_s: float = 300.0
    """A worker that nobody needs is ended after this time, but for `spare` of them."""
    spare: int = 1
    """So many stay, whatever: the next step finds a warm one."""
    age_s: float = 3600.0
    """A worker that is older is replaced when its request is done."""
    memory_bytes: int = 1 << 30
    """So is one that holds more: libraries leak, and frames are kept in globals."""

    def is_worn(self, *, age_s: float, memory_bytes: int) -> bool:
        """Tell whether a worker is replaced now that it has nothing to do."""
        return age_s > self.age_s or memory_bytes > self.memory_bytes


def memory_of(pid: int) -> int:
    """Give the bytes that a process holds in memory; 0 where that cannot be told."""
    try:
        descriptor = os.open(f"/proc/{pid}/statm", os.O_RDONLY)  # asked after each request
    except OSError:
        return 0
    try:
        resident = os.read(descriptor, _LINE).split()[1]
    except (OSError, IndexError):
        return 0
    finally:
        os.close(descriptor)
    return int(resident) * _PAGE


def oom_kills(*, root: Path = Path("/")) -> int:
    """Count how often the kernel has killed for want of memory, on the machine or in our group.

    Args:
        root: Where `proc` and `sys` are.
    """
    counted = 0
    for path in (root / "proc/vmstat", *_events_of_our_group(root)):
        try:
            lines = path.read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        counted += sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    return counted


def _events_of_our_group(root: Path) -> list[Path]:
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    groups = [line.removeprefix("0::/") for line in lines if line.startswith("0::/")]
    return [root / "sys/fs/cgroup" / group / "memory.events" for group in groups]
