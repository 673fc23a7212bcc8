# SPDX-License-Identifier: Apache-2.0
"""The lake: versions of all tables, and the tables' files.

Lazy: opening a lake and reading refs and entries imports neither pyarrow nor fastavro.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainstem.lake.lake import Lake
    from mainstem.lake.values import (
        CatalogDiff,
        Commit,
        Conflict,
        Damage,
        Entry,
        Intent,
        LinkWrite,
        MergeResult,
        Ref,
        SchemaChange,
        Swept,
        TableDiff,
    )

__all__ = [
    "CatalogDiff",
    "Commit",
    "Conflict",
    "Damage",
    "Entry",
    "Intent",
    "Lake",
    "LinkWrite",
    "MergeResult",
    "Ref",
    "SchemaChange",
    "Swept",
    "TableDiff",
]

_MODULES = {"Lake": "lake"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_MODULES.get(name, 'values')}")
    value = getattr(module, name)
    globals()[name] = value
    return value
