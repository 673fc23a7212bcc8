# SPDX-License-Identifier: Apache-2.0
"""What a run is given by `project`: lake, records, and how assets become steps and gates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from mainstem.database import Database
from mainstem.graph import Asset, Graph, PlannedAsset
from mainstem.lake import Lake
from mainstem.records import Redactor, RunLogs
from mainstem.runs.ended import OnEnd
from mainstem.runs.step import Gate, Step
from mainstem.runs.workers import Crew, Threads
from mainstem.types import Clock, Engine, Pool, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All that a run reaches the world through."""

    graph: Graph
    lake: Lake
    database: Database
    """The one that the lake is in: tables and state move in one transaction."""
    step_of: Callable[[Asset, PlannedAsset], Step]
    """Called when the versions of all inputs are known; `PlannedAsset` says what is to be done."""
    gates_of: Callable[[Asset], Sequence[Gate]]
    """Called for each asset with work, when the run begins."""
    clock: Clock
    random: Callable[[], float]
    """Numbers from 0 to 1, for the jitter of retries."""
    pools: Mapping[str, Pool] = field(default_factory=dict)
    """By name; `memory` is the machine's."""
    logs: RunLogs | None = None
    """Where steps' logs go; without, nothing of them is kept."""
    redactor: Redactor = field(default_factory=Redactor)
    """Masks secrets in all that is told and kept of the run."""
    engine: Callable[[], Engine] | None = None
    """What rewrites data files of partitioned tables; called when that is needed. Where nothing is
    partitioned it can be left out."""
    on_end: OnEnd | None = None
    """Writes what else is to be known of a run that ends, also of one that is found dead."""
    crew: Callable[[Clock], Crew] = Threads
    """Makes what works on the attempts and gates of a run."""
