# SPDX-License-Identifier: Apache-2.0
"""For tests of projects: `build` a model from rows; `simulate` a month of schedules and faults.

Nothing here runs in use. `mainstem.testing.tables` is for tests of tables themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.types import lazily

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

__getattr__ = lazily(__name__, _HOME)
