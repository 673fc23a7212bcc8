# SPDX-License-Identifier: Apache-2.0
"""The project as a graph of assets, and what a run of it would do: pure code, no I/O."""

from mainstem.graph.asset import Asset, Kind, Materialization, OnCodeChange
from mainstem.graph.decision import Decision, decide_asset
from mainstem.graph.facts import (
    Facts,
    HeadEntry,
    Linkable,
    PlanOptions,
    ReadThrough,
    SourceObservation,
    VersionRecord,
)
from mainstem.graph.fingerprint import (
    effect_version,
    fingerprint,
    increment_version,
    view_tombstone,
    volatile_version,
)
from mainstem.graph.graph import Graph
from mainstem.graph.lookup import VersionLookup
from mainstem.graph.names import Names
from mainstem.graph.plan import Action, ColumnChange, Plan, PlannedAsset
from mainstem.graph.planner import PlanRequest, make_plan
from mainstem.graph.recorded import with_recorded_code
from mainstem.graph.selection import select
from mainstem.graph.staleness import stale_assets

__all__ = [
    "Action",
    "Asset",
    "ColumnChange",
    "Decision",
    "Facts",
    "Graph",
    "HeadEntry",
    "Kind",
    "Linkable",
    "Materialization",
    "Names",
    "OnCodeChange",
    "Plan",
    "PlanOptions",
    "PlanRequest",
    "PlannedAsset",
    "ReadThrough",
    "SourceObservation",
    "VersionLookup",
    "VersionRecord",
    "decide_asset",
    "effect_version",
    "fingerprint",
    "increment_version",
    "make_plan",
    "select",
    "stale_assets",
    "view_tombstone",
    "volatile_version",
    "with_recorded_code",
]
