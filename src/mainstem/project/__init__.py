# SPDX-License-Identifier: Apache-2.0
"""The composition root: a folder, its graph, and services wired together.

Lazy: listing runs needs no engine, and a run with nothing to do neither.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainstem.observers import Alert, AlertRule, Failure
    from mainstem.project.automating import DryTick
    from mainstem.project.collecting import Collected, collect
    from mainstem.project.compare import Comparison
    from mainstem.project.controlling import Controlling
    from mainstem.project.create import TEMPLATES, Created, create_from_file, create_project
    from mainstem.project.describe import DescribedAsset, ListedAsset, RunDetail
    from mainstem.project.diff import RowDiff
    from mainstem.project.doctor import Finding, examine
    from mainstem.project.export import Format as RowsFormat
    from mainstem.project.export import export as export_rows
    from mainstem.project.lake import Lake
    from mainstem.project.lineage import LineageNode
    from mainstem.project.location import find_project
    from mainstem.project.partitions import (
        PartitionsStatus,
        add_partitions,
        delete_partitions,
        partitions_of,
        remove_partitions,
    )
    from mainstem.project.permission import permit, require_permission
    from mainstem.project.pooling import PoolState, pool_states, set_pool
    from mainstem.project.project import Project, open_project
    from mainstem.project.remote import remote_worker
    from mainstem.project.reports import Report, Reported, report_materialization
    from mainstem.project.retrying import options_of_launch
    from mainstem.project.rows import (
        FoundRows,
        RowsRequest,
        find_rows,
        open_rows,
        place_of,
    )
    from mainstem.project.run_log import LogEntry
    from mainstem.project.running import options_of_run
    from mainstem.project.sharing import Shared
    from mainstem.project.source_status import (
        SourceFile,
        SourceLoad,
        SourceStatus,
        source_loads,
        source_statuses,
    )
    from mainstem.project.switching import conditions_of, switch_condition
    from mainstem.project.validating import Validation, validate
    from mainstem.project.watching import Watch
    from mainstem.state import RunRecord, StepRecord

_HOME = {
    "Validation": "mainstem.project.validating",
    "validate": "mainstem.project.validating",
    "remove_partitions": "mainstem.project.partitions",
    "delete_partitions": "mainstem.project.partitions",
    "add_partitions": "mainstem.project.partitions",
    "PartitionsStatus": "mainstem.project.partitions",
    "Alert": "mainstem.observers",
    "AlertRule": "mainstem.observers",
    "Failure": "mainstem.observers",
    "TEMPLATES": "mainstem.project.create",
    "Collected": "mainstem.project.collecting",
    "collect": "mainstem.project.collecting",
    "Comparison": "mainstem.project.compare",
    "Created": "mainstem.project.create",
    "DescribedAsset": "mainstem.project.describe",
    "DryTick": "mainstem.project.automating",
    "Fact": "mainstem.project.why",
    "Finding": "mainstem.project.doctor",
    "Lake": "mainstem.project.lake",
    "FoundRows": "mainstem.project.rows",
    "LineageNode": "mainstem.project.lineage",
    "ListedAsset": "mainstem.project.describe",
    "LogEntry": "mainstem.project.run_log",
    "Project": "mainstem.project.project",
    "RowsFormat": "mainstem.project.export",
    "RowsRequest": "mainstem.project.rows",
    "RowDiff": "mainstem.project.diff",
    "RunDetail": "mainstem.project.describe",
    "RunRecord": "mainstem.state",
    "StepRecord": "mainstem.state",
    "Shared": "mainstem.project.sharing",
    "Watch": "mainstem.project.watching",
    "Why": "mainstem.project.why",
    "WhyFact": "mainstem.project.why",
    "create_from_file": "mainstem.project.create",
    "create_project": "mainstem.project.create",
    "examine": "mainstem.project.doctor",
    "export_rows": "mainstem.project.export",
    "find_project": "mainstem.project.location",
    "find_rows": "mainstem.project.rows",
    "open_project": "mainstem.project.project",
    "open_rows": "mainstem.project.rows",
    "partitions_of": "mainstem.project.partitions",
    "place_of": "mainstem.project.rows",
    "Controlling": "mainstem.project.controlling",
    "Report": "mainstem.project.reports",
    "Reported": "mainstem.project.reports",
    "report_materialization": "mainstem.project.reports",
    "conditions_of": "mainstem.project.switching",
    "switch_condition": "mainstem.project.switching",
    "SourceFile": "mainstem.project.source_status",
    "SourceLoad": "mainstem.project.source_status",
    "SourceStatus": "mainstem.project.source_status",
    "source_loads": "mainstem.project.source_status",
    "source_statuses": "mainstem.project.source_status",
    "PoolState": "mainstem.project.pooling",
    "pool_states": "mainstem.project.pooling",
    "set_pool": "mainstem.project.pooling",
    "options_of_launch": "mainstem.project.retrying",
    "options_of_run": "mainstem.project.running",
    "remote_worker": "mainstem.project.remote",
    "permit": "mainstem.project.permission",
    "require_permission": "mainstem.project.permission",
}

__all__ = [
    "TEMPLATES",
    "Alert",
    "AlertRule",
    "Collected",
    "Comparison",
    "Controlling",
    "Created",
    "DescribedAsset",
    "DryTick",
    "Fact",
    "Failure",
    "Finding",
    "FoundRows",
    "Lake",
    "LineageNode",
    "ListedAsset",
    "LogEntry",
    "PartitionsStatus",
    "PoolState",
    "Project",
    "Report",
    "Reported",
    "RowDiff",
    "RowsFormat",
    "RowsRequest",
    "RunDetail",
    "RunRecord",
    "Shared",
    "SourceFile",
    "SourceLoad",
    "SourceStatus",
    "StepRecord",
    "Validation",
    "Watch",
    "Why",
    "WhyFact",
    "add_partitions",
    "collect",
    "conditions_of",
    "create_from_file",
    "create_project",
    "delete_partitions",
    "examine",
    "export_rows",
    "find_project",
    "find_rows",
    "open_project",
    "open_rows",
    "options_of_launch",
    "options_of_run",
    "partitions_of",
    "permit",
    "place_of",
    "pool_states",
    "remote_worker",
    "remove_partitions",
    "report_materialization",
    "require_permission",
    "set_pool",
    "source_loads",
    "source_statuses",
    "switch_condition",
    "validate",
]

_CALLED = {"RowsFormat": "Format", "WhyFact": "Fact", "export_rows": "export"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), _CALLED.get(name, name))
    globals()[name] = value
    return value
