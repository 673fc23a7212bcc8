# SPDX-License-Identifier: Apache-2.0
"""For tests of models: `build` a Python model from rows, as a run would, without a lake.

Nothing here runs in use. `mainstem.testing.tables` is for tests of tables themselves.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainstem.testing.building import Built, build
    from mainstem.testing.data import frame, table

__all__ = ["Built", "build", "frame", "table"]

_HOME = {"Built": "building", "build": "building", "frame": "data", "table": "data"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
