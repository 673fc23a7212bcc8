# SPDX-License-Identifier: Apache-2.0
"""A pickle on disk that may be thrown away at any time: what loading the project computed.

Written beside the catalog, read only by the code of Mainstem and the Python that wrote it: a
version does not tell two states of a checkout apart, and values of one break the other. A damaged
or foreign file is a miss, never an error. It holds nothing that the project's own code could not
do, so unpickling it trusts nobody new.
"""

from __future__ import annotations

import os
import pickle
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import mainstem
from mainstem.project.garbage import seldom_collecting


class DiskCache:
    """One value in one file, replaced atomically."""

    def __init__(self, path: Path, *, version: str) -> None:
        self._path = path
        self._stamp = f"{version}/{_code_stamp()}/{sys.version_info[:3]}"

    def load(self) -> Any:
        """Give the value, or `None` if there is none that this version wrote."""
        try:
            with seldom_collecting():
                stamp, value = pickle.loads(self._path.read_bytes())
        except (OSError, ValueError, EOFError, AttributeError, ImportError, IndexError, TypeError):
            return None
        except pickle.UnpicklingError:
            return None
        return value if stamp == self._stamp else None

    def store(self, value: Any) -> None:
        """Replace the value; a full or read-only disk only costs the next start some time."""
        scratch = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            scratch.write_bytes(pickle.dumps((self._stamp, value), protocol=5))
            scratch.replace(self._path)
        except OSError:
            with suppress(OSError):
                scratch.unlink(missing_ok=True)


@cache
def _code_stamp() -> str:
    """Identify the source files of this process: how many, and the age of the youngest."""
    count, newest, folders = 0, 0, [str(path) for path in mainstem.__path__]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.name.endswith(".py"):
                        count, newest = count + 1, max(newest, entry.stat().st_mtime_ns)
                    elif "." not in entry.name and entry.name != "__pycache__" and entry.is_dir():
                        folders.append(entry.path)
        except OSError:  # inside an archive, where only the version changes
            continue
    return f"{count}-{newest}"
