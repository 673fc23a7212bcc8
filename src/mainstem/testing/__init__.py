# SPDX-License-Identifier: Apache-2.0
"""For tests of projects: `build` a model from rows; `simulate` a month of schedules and faults.

Nothing here runs in use. `mainstem.testing.tables` is for tests of tables themselves.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainstem.testing.building import Built, build
    from mainstem.testing.data import frame, table
    from mainstem.testing.simulation import simulate

__all__ = ["Built", "build", "frame", "simulate", "table"]

_HOME = {
    "Built": "building",
    "build": "building",
    "frame": "data",
    "simulate": "simulation",
    "table": "data",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
