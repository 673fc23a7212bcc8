# SPDX-License-Identifier: Apache-2.0
"""The composition root: a folder, its graph, and services wired together.

Lazy: listing runs needs no engine, and a run with nothing to do neither.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainstem.project.compare import Comparison
    from mainstem.project.create import TEMPLATES, Created, create_from_file, create_project
    from mainstem.project.describe import DescribedAsset, ListedAsset, RunDetail
    from mainstem.project.diff import RowDiff
    from mainstem.project.doctor import Finding, examine
    from mainstem.project.lake import Lake
    from mainstem.project.lineage import LineageNode
    from mainstem.project.location import find_project
    from mainstem.project.permission import require_permission
    from mainstem.project.project import Project, open_project
    from mainstem.project.run_log import LogEntry
    from mainstem.project.sharing import Shared
    from mainstem.state import RunRecord

_HOME = {
    "TEMPLATES": "mainstem.project.create",
    "Comparison": "mainstem.project.compare",
    "Created": "mainstem.project.create",
    "DescribedAsset": "mainstem.project.describe",
    "Finding": "mainstem.project.doctor",
    "Lake": "mainstem.project.lake",
    "LineageNode": "mainstem.project.lineage",
    "ListedAsset": "mainstem.project.describe",
    "LogEntry": "mainstem.project.run_log",
    "Project": "mainstem.project.project",
    "RowDiff": "mainstem.project.diff",
    "RunDetail": "mainstem.project.describe",
    "RunRecord": "mainstem.state",
    "Shared": "mainstem.project.sharing",
    "create_from_file": "mainstem.project.create",
    "create_project": "mainstem.project.create",
    "examine": "mainstem.project.doctor",
    "find_project": "mainstem.project.location",
    "open_project": "mainstem.project.project",
    "require_permission": "mainstem.project.permission",
}

__all__ = [
    "TEMPLATES",
    "Comparison",
    "Created",
    "DescribedAsset",
    "Finding",
    "Lake",
    "LineageNode",
    "ListedAsset",
    "LogEntry",
    "Project",
    "RowDiff",
    "RunDetail",
    "RunRecord",
    "Shared",
    "create_from_file",
    "create_project",
    "examine",
    "find_project",
    "open_project",
    "require_permission",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value
