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
from io import BytesIO
from pathlib import Path
from typing import Any

import mainstem
from mainstem.project.garbage import seldom_collecting


class DiskCache:
    """One value in one file, and more that is seldom needed; replaced atomically.

    What both have in common is written once: they are two pickles with one memory.
    """

    def __init__(self, path: Path, *, version: str) -> None:
        self._path = path
        self._stamp = f"{version}/{_code_stamp()}/{sys.version_info[:3]}"
        self._rest: pickle.Unpickler | None = None

    def load(self) -> Any:
        """Give the value, or `None` if there is none that this version wrote."""
        try:
            reader = pickle.Unpickler(BytesIO(self._path.read_bytes()))
        except OSError:
            return None
        stamp, value = _next(reader) or (None, None)
        if stamp != self._stamp:
            return None
        self._rest = reader
        return value

    def load_rest(self) -> Any:
        """Give what was stored beside the value that `load` gave, once; `None` without."""
        reader, self._rest = self._rest, None
        return None if reader is None else _next(reader)

    def store(self, value: Any, rest: Any = None) -> None:
        """Replace the value; a full or read-only disk only costs the next start some time."""
        scratch = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        content = BytesIO()
        writer = pickle.Pickler(content, protocol=5)
        writer.dump((self._stamp, value))
        writer.dump(rest)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            scratch.write_bytes(content.getbuffer())
            scratch.replace(self._path)
        except OSError:
            with suppress(OSError):
                scratch.unlink(missing_ok=True)


def _next(reader: pickle.Unpickler) -> Any:
    try:
        with seldom_collecting():
            return reader.load()
    except (OSError, ValueError, EOFError, AttributeError, ImportError, IndexError, TypeError):
        return None
    except pickle.UnpicklingError:
        return None


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
