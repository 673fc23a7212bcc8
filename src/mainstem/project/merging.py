# SPDX-License-Identifier: Apache-2.0
"""What a merge leaves to do, as the next plan will see it: the lake knows no code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mainstem.graph import Graph, Plan
from mainstem.lake import Entry, MergeResult
from mainstem.types import AssetKey


def merged_entries(
    result: MergeResult, ours: Mapping[AssetKey, Entry], theirs: Mapping[AssetKey, Entry]
) -> dict[AssetKey, Entry]:
    """Lay what a merge would take over what the target has: a dry run leaves no commit to read."""
    taken = {key: theirs[key] for key in result.merged if key in theirs}
    return {key: entry for key, entry in ours.items() if key not in result.merged} | taken


def with_work_left(
    result: MergeResult, plan: Plan, graph: Graph, entries: Mapping[AssetKey, Entry]
) -> MergeResult:
    """Name what the next run builds because of a merge, and what of the merge it would undo.

    Recorded inputs alone say too much: what reads none of the columns that came is kept.

    Args:
        result: By the lake.
        plan: On the merged state.
        graph: That the plan was made from.
        entries: Of the merged state.
    """
    actions = {item.key: item.action for item in plan.assets}
    touched = [key for key in (*result.merged, *result.stale) if key in graph]
    near = {*touched, *graph.downstream(touched)}
    changed = {key for key in near if actions.get(key) in {"build", "link"}}
    stale = {key for key in changed if actions[key] == "build"}
    if result.commit is None:
        # A dry run's plan takes tables that are merged by content for those of the source.
        stale |= {key for key in result.stale if actions.get(key) == "fresh"}
    other = [
        str(key)
        for key in result.merged
        if key in changed
        and key in entries
        and entries[key].provenance.origin == "derived"
        and entries[key].provenance.code_version != graph.effective[key].code_version
    ]
    note = f"the next run would undo {', '.join(other)}: built by other code than this project's"
    return replace(
        result,
        stale=tuple(sorted(stale)),
        notes=(*result.notes, note) if other else result.notes,
    )
