# SPDX-License-Identifier: Apache-2.0
"""Runs: execute a plan, judge what came of it, publish it in one commit; undo what was published.

Knows a `Step` and a `Gate`, no kind of either. Called by `project`, which supplies both. Lazy: who
speaks of runs, or loads a project, does not import what carries them out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.types import lazily

if TYPE_CHECKING:
    from mainstem.runs.boundary import Boundary
    from mainstem.runs.cutting import Cutter, rows_outside
    from mainstem.runs.ended import OnEnd, RunEnding
    from mainstem.runs.event import (
        RunAsked,
        RunEvent,
        RunFinished,
        RunStarted,
        RunStatus,
        StepFinished,
        StepLogged,
        StepProgressed,
        StepRetried,
        StepStarted,
        StepStatus,
    )
    from mainstem.runs.execution import execute
    from mainstem.runs.facts import gather_facts, with_known_texts
    from mainstem.runs.identity import is_dead, own_identity
    from mainstem.runs.items import ItemJournal
    from mainstem.runs.options import RunControl, RunOptions
    from mainstem.runs.part_facts import (
        bounds_of_changes,
        with_partition_facts,
        with_partition_keys,
    )
    from mainstem.runs.recovery import bury, recover
    from mainstem.runs.reverting import Reverted, revert_commit
    from mainstem.runs.rows import bounds_of, layout_for, prune, required_condition
    from mainstem.runs.services import Services
    from mainstem.runs.slicing import PartitionSlice
    from mainstem.runs.step import CancelToken, Gate, Pending, Step, StepContext, StepOutcome
    from mainstem.runs.workers import Crew, Post

__all__ = [
    "Boundary",
    "CancelToken",
    "Crew",
    "Cutter",
    "Gate",
    "ItemJournal",
    "OnEnd",
    "PartitionSlice",
    "Pending",
    "Post",
    "Reverted",
    "RunAsked",
    "RunControl",
    "RunEnding",
    "RunEvent",
    "RunFinished",
    "RunOptions",
    "RunStarted",
    "RunStatus",
    "Services",
    "Step",
    "StepContext",
    "StepFinished",
    "StepLogged",
    "StepOutcome",
    "StepProgressed",
    "StepRetried",
    "StepStarted",
    "StepStatus",
    "bounds_of",
    "bounds_of_changes",
    "bury",
    "execute",
    "gather_facts",
    "is_dead",
    "layout_for",
    "own_identity",
    "prune",
    "recover",
    "required_condition",
    "revert_commit",
    "rows_outside",
    "with_known_texts",
    "with_partition_facts",
    "with_partition_keys",
]

_MODULES = {
    "Boundary": "boundary",
    "CancelToken": "step",
    "Crew": "workers",
    "Cutter": "cutting",
    "Gate": "step",
    "ItemJournal": "items",
    "OnEnd": "ended",
    "PartitionSlice": "slicing",
    "Pending": "step",
    "Post": "workers",
    "Reverted": "reverting",
    "RunAsked": "event",
    "RunControl": "options",
    "RunEnding": "ended",
    "RunEvent": "event",
    "RunFinished": "event",
    "RunOptions": "options",
    "RunStarted": "event",
    "RunStatus": "event",
    "Services": "services",
    "Step": "step",
    "StepContext": "step",
    "StepFinished": "event",
    "StepLogged": "event",
    "StepOutcome": "step",
    "StepProgressed": "event",
    "StepRetried": "event",
    "StepStarted": "event",
    "StepStatus": "event",
    "bounds_of": "rows",
    "bounds_of_changes": "part_facts",
    "bury": "recovery",
    "execute": "execution",
    "gather_facts": "facts",
    "is_dead": "identity",
    "layout_for": "rows",
    "own_identity": "identity",
    "prune": "rows",
    "recover": "recovery",
    "required_condition": "rows",
    "revert_commit": "reverting",
    "rows_outside": "cutting",
    "with_known_texts": "facts",
    "with_partition_facts": "part_facts",
    "with_partition_keys": "part_facts",
}

__getattr__ = lazily(__name__, _MODULES)
