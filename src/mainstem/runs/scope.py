# SPDX-License-Identifier: Apache-2.0
"""What all parts of one run share and none of them changes: plan, leases, base, services."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from mainstem import state
from mainstem.database import Transaction
from mainstem.graph import Facts, Plan, VersionLookup
from mainstem.lake import Entry
from mainstem.runs.context import RunBranch
from mainstem.runs.cutting import Cutter
from mainstem.runs.event import RunEvent
from mainstem.runs.facts import gather_facts, with_known_texts
from mainstem.runs.journal import Journal
from mainstem.runs.options import RunOptions
from mainstem.runs.part_facts import with_partition_facts
from mainstem.runs.services import Services
from mainstem.runs.staging import Stamp
from mainstem.runs.wiring import Wiring
from mainstem.types import AssetKey, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One run."""

    plan: Plan
    services: Services
    wiring: Wiring
    run: state.RunRecord
    held: state.Held
    options: RunOptions
    emit: Callable[[RunEvent], None]
    entries: Mapping[AssetKey, Entry]
    """What the target had when the run began."""
    lookup: VersionLookup
    """Versions by now: the base, overlaid by what the run has staged."""
    facts: Facts
    branch: RunBranch
    stamp: Stamp
    journal: Journal

    def cutter(self, branch: str) -> Cutter:
        """Give what cuts data files for a branch of the run."""
        services = self.services
        return Cutter(
            lake=services.lake, engine=services.engine, branch=branch, attempt=f"r{self.run.id}-c"
        )

    @contextmanager
    def fenced(self) -> Iterator[Transaction]:
        """Open a transaction that only the holder of the leases can commit."""
        with self.services.database.write() as transaction:
            state.compare_fences(transaction, self.held)
            yield transaction


def open_scope(
    plan: Plan,
    services: Services,
    *,
    wiring: Wiring,
    lease: tuple[state.RunRecord, state.Held],
    options: RunOptions,
    emit: Callable[[RunEvent], None],
) -> Scope:
    """Pin what a run starts from."""
    run, held = lease
    clock, lake = services.clock, services.lake
    entries = lake.entries(run.base_commit)
    graph = with_known_texts(services.graph, services.database, entries)
    services = replace(services, graph=graph)
    lookup = VersionLookup(graph.effective, entries)
    facts = gather_facts(services.database, entries=entries, branch=plan.branch, clock=clock)
    facts = with_partition_facts(facts, lake, services.database, branch=plan.branch, clock=clock)
    return Scope(
        plan=plan,
        services=services,
        wiring=wiring,
        run=run,
        held=held,
        options=options,
        emit=emit,
        entries=entries,
        lookup=lookup,
        facts=lookup.with_records(facts),
        branch=RunBranch(
            lake,
            run_id=run.id,
            base_commit=run.base_commit,
            kept=timedelta(days=options.kept_days_after_failure),
            clock=clock,
        ),
        journal=Journal(run.id, logs=services.logs, redactor=services.redactor),
        stamp=Stamp(
            run_id=run.id,
            branch=plan.branch,
            now=run.started_at,
            expires_at=run.started_at + timedelta(days=options.kept_days),
        ),
    )
