# SPDX-License-Identifier: Apache-2.0
"""Mainstem: ingest, model, check and publish on branches you can undo.

Names are imported when they are first used: `import mainstem` alone costs a few milliseconds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainstem import errors
    from mainstem.models import (
        Context,
        ItemFailed,
        accepted_values,
        asset,
        between,
        check,
        expression,
        multi_asset,
        not_null,
        null,
        regex,
        relationships,
        row_count,
        sensor,
        sql,
        unique,
    )
    from mainstem.project import Lake, Project
    from mainstem.project import open_project as open  # noqa: A004  # `mainstem.open(".")`
    from mainstem.types import AssetKey, Cursor, RunRequest, Skip, TableRef, ViewRef

__version__ = "0.1.0"
"""As in pyproject.toml: `importlib.metadata` would read it from there in 20 ms."""

__all__ = [
    "AssetKey",
    "Context",
    "Cursor",
    "ItemFailed",
    "Lake",
    "Project",
    "RunRequest",
    "Skip",
    "TableRef",
    "ViewRef",
    "accepted_values",
    "asset",
    "between",
    "check",
    "errors",
    "expression",
    "multi_asset",
    "not_null",
    "null",
    "open",
    "regex",
    "relationships",
    "row_count",
    "sensor",
    "sql",
    "unique",
]

_HOME = {
    "AssetKey": "mainstem.types",
    "Cursor": "mainstem.types",
    "Lake": "mainstem.project",
    "Project": "mainstem.project",
    "RunRequest": "mainstem.types",
    "Skip": "mainstem.types",
    "TableRef": "mainstem.types",
    "ViewRef": "mainstem.types",
    "open": "mainstem.project",
}
_CALLED = {"open": "open_project"}


def __getattr__(name: str) -> Any:
    if name == "errors":
        return importlib.import_module("mainstem.errors")
    if name not in __all__:
        raise AttributeError(f"module 'mainstem' has no attribute {name!r}")
    module = importlib.import_module(_HOME.get(name, "mainstem.models"))
    value = getattr(module, _CALLED.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
