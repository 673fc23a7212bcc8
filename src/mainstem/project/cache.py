# SPDX-License-Identifier: Apache-2.0
"""A pickle on disk that may be thrown away at any time: what loading the project computed.

Written beside the catalog, read only by the version of Mainstem and Python that wrote it. A damaged
or foreign file is a miss, never an error. It holds nothing that the project's own code could not
do, so unpickling it trusts nobody new.
"""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import Any


class DiskCache:
    """One value in one file, replaced atomically."""

    def __init__(self, path: Path, *, version: str) -> None:
        self._path = path
        self._stamp = f"{version}/{sys.version_info[:3]}"

    def load(self) -> Any:
        """Give the value, or `None` if there is none that this version wrote."""
        try:
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
            scratch.unlink(missing_ok=True)
