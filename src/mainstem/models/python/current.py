# SPDX-License-Identifier: Apache-2.0
"""Whether what was discovered of a Python file still holds; cheap, because every command asks."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from mainstem.models.python.definition import Discovered


def python_version() -> str:
    """Tell the interpreter's version: what another one discovered is discovered anew."""
    return sys.version.partition(" ")[0]


def is_current(discovered: Discovered, folder: Path) -> bool:
    """Tell whether importing the file again would tell the same: reads files, imports nothing."""
    if discovered.errors or discovered.python != python_version():
        return False
    if any((folder / path).exists() for path in discovered.absent):
        return False
    if not all(Path(path).exists() for path in discovered.installed):
        return False
    return all(_digest(folder / path) == digest for path, digest in discovered.files.items())


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
