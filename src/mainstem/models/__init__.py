# SPDX-License-Identifier: Apache-2.0
"""Models and seeds: transforms in SQL and Python, from file to asset to step.

Lazy: what a project that did not change loads stays small.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainstem.models.python.assemble import (
        PythonAsset,
        output_keys,
        python_assets,
        resolved_check,
    )
    from mainstem.models.python.checks_dsl import (
        accepted_values,
        between,
        expression,
        not_null,
        null,
        regex,
        relationships,
        row_count,
        sql,
        unique,
    )
    from mainstem.models.python.context import Context
    from mainstem.models.python.declaration import asset, check, multi_asset
    from mainstem.models.python.definition import Discovered, PythonCheck, PythonModel
    from mainstem.models.worker.discovery import discover, is_current
    from mainstem.models.worker.gate import PythonGate
    from mainstem.models.worker.pool import WorkerPool
    from mainstem.models.worker.step import PythonStep

_HOME = {
    "Context": "python.context",
    "Discovered": "python.definition",
    "PythonAsset": "python.assemble",
    "PythonCheck": "python.definition",
    "PythonGate": "worker.gate",
    "PythonModel": "python.definition",
    "PythonStep": "worker.step",
    "WorkerPool": "worker.pool",
    "accepted_values": "python.checks_dsl",
    "asset": "python.declaration",
    "between": "python.checks_dsl",
    "check": "python.declaration",
    "discover": "worker.discovery",
    "expression": "python.checks_dsl",
    "is_current": "worker.discovery",
    "multi_asset": "python.declaration",
    "not_null": "python.checks_dsl",
    "null": "python.checks_dsl",
    "output_keys": "python.assemble",
    "python_assets": "python.assemble",
    "regex": "python.checks_dsl",
    "relationships": "python.checks_dsl",
    "resolved_check": "python.assemble",
    "row_count": "python.checks_dsl",
    "sql": "python.checks_dsl",
    "unique": "python.checks_dsl",
}

__all__ = [
    "Context",
    "Discovered",
    "PythonAsset",
    "PythonCheck",
    "PythonGate",
    "PythonModel",
    "PythonStep",
    "WorkerPool",
    "accepted_values",
    "asset",
    "between",
    "check",
    "discover",
    "expression",
    "is_current",
    "multi_asset",
    "not_null",
    "null",
    "output_keys",
    "python_assets",
    "regex",
    "relationships",
    "resolved_check",
    "row_count",
    "sql",
    "unique",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
