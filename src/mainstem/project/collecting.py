# SPDX-License-Identifier: Apache-2.0
"""Garbage collection of a project: what nothing leads to any more, and what was kept long enough.

Safe beside running runs: what they began with and have written since is younger than the grace
time, which is stretched for those that have run for longer.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from mainstem.lake import Swept
from mainstem.observers import forget_alerts, forget_failures
from mainstem.project.recording import Recording
from mainstem.project.services import Services
from mainstem.records import Pruned
from mainstem.state import (
    expire_versions,
    linkable_commits,
    partition_commits,
    prune_history,
    prune_partitions,
    unfinished_runs,
)

GRACE = timedelta(days=7)
_LINKING = timedelta(hours=1)
"""A run may be about to link what it found a moment before that expired; who is stopped for so long
loses its leases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What was removed, or would be."""

    branches: tuple[str, ...] = ()
    """Branches of runs, and others whose time had come."""
    files: int = 0
    """Data files and Iceberg metadata,"""
    file_bytes: int = 0
    """and what they hold."""
    commits: int = 0
    objects: int = 0
    versions: int = 0
    """Versions that are linked no more."""
    pruned: Pruned
    failures: int = 0
    alerts: int = 0
    is_dry_run: bool = True

    @property
    def size_bytes(self) -> int:
        """All that was given back."""
        return self.file_bytes + self.pruned.log_bytes + self.pruned.day_bytes


def collect(services: Services, recording: Recording, *, dry_run: bool) -> Collected:
    """Remove garbage; with `dry_run` only tell what would go."""
    database, lake = services.database, services.lake
    now = services.clock.now()
    expired = now - _LINKING
    with database.read() as transaction:
        running = unfinished_runs(transaction)
        keep = {run.base_commit for run in running} | linkable_commits(transaction, now=expired)
        keep |= partition_commits(transaction, now=expired)
    retention = recording.retention
    versions = failures = alerts = 0
    with contextlib.suppress(_OnlyAsked), database.write() as transaction:
        versions = expire_versions(transaction, now=expired)
        prune_history(transaction, before=now - retention.steps)
        prune_partitions(transaction, before=now - retention.steps, now=expired)
        failures = forget_failures(transaction, before=now - retention.history)
        alerts = forget_alerts(transaction, before=now - retention.logs)
        if dry_run:
            raise _OnlyAsked
    grace = max(GRACE, *(_age(run.started_at, now) for run in running), timedelta())
    swept: Swept = lake.sweep(dry_run=dry_run, grace=grace, keep=keep)
    return Collected(
        branches=swept.branches,
        files=len(swept.files),
        file_bytes=swept.size_bytes,
        commits=swept.commits,
        objects=swept.objects,
        versions=versions,
        pruned=recording.prune(dry_run=dry_run),
        failures=failures,
        alerts=alerts,
        is_dry_run=dry_run,
    )


class _OnlyAsked(Exception):  # not an error
    """Rolls back what a dry run would have done."""


def _age(started_at: datetime, now: datetime) -> timedelta:
    return now - started_at + timedelta(hours=1)
