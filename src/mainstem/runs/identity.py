# SPDX-License-Identifier: Apache-2.0
"""Who we are, and whether another one still lives: pid, boot and process start time."""

from __future__ import annotations

import os
import socket
import uuid
from pathlib import Path

from mainstem.state import ProcessIdentity


def own_identity() -> ProcessIdentity:
    """Identify one run in this process."""
    pid = os.getpid()
    return ProcessIdentity(
        owner=uuid.uuid4().hex,
        host=socket.gethostname(),
        boot_id=_boot_id(),
        pid=pid,
        process_started=_started(pid),
    )


def is_dead(process: ProcessIdentity) -> bool:
    """Tell whether a process is known not to live any more; on other hosts nothing is known."""
    if process.host != socket.gethostname():
        return False
    if process.boot_id != _boot_id():
        return True
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    started = _started(process.pid)
    # Without /proc the pid alone has to do; a lease that is not renewed expires in any case.
    return bool(started and process.process_started) and started != process.process_started


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _started(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # The second field, the program's name, may hold spaces and parentheses; see proc(5).
    fields = stat.rpartition(")")[2].split()
    state, started = fields[0], fields[19]
    return "zombie" if state in {"Z", "X"} else started
