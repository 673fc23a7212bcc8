# SPDX-License-Identifier: Apache-2.0
"""What is told and stored of steps as they end: from what happened to events and records. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mainstem.errors import MainstemError
from mainstem.graph import Asset
from mainstem.lake import Entry
from mainstem.runs.event import StepFinished, StepStatus
from mainstem.runs.staging import Work
from mainstem.runs.step import StepOutcome
from mainstem.state import StepRecord
from mainstem.types import AssetKey, CheckResult, TableWrite, Usage


@dataclass(slots=True)
class Course:
    """How one unit of a run fares; changed by the driver alone."""

    works: list[Work] = field(default_factory=list)
    links: Mapping[AssetKey, Entry] = field(default_factory=dict)
    """Set: all outputs are taken over from here."""
    outcome: StepOutcome | None = None
    changed: frozenset[AssetKey] = frozenset()
    """Outputs for which something new was staged."""
    published: list[AssetKey] = field(default_factory=list)
    """All keys that publishing has to move, side tables and cursors included."""
    versions: Mapping[AssetKey, str] = field(default_factory=dict)
    checks: list[CheckResult] = field(default_factory=list)
    error: MainstemError | None = None
    reverted: str = ""
    """Why a result was thrown away: it was reverted on the target."""
    attempts: int = 0
    started_at: datetime | None = None
    started_s: float = 0.0
    elapsed_s: float = 0.0
    usage: Usage | None = None


def finished(
    asset: Asset,
    course: Course,
    status: StepStatus,
    reason: str,
    before: Entry | None,
    partition: str,
) -> StepFinished:
    """Tell of one asset, or of some partitions of it, how it ended."""
    key = asset.key
    outcome = course.outcome
    rows = outcome.rows.get(key) if outcome is not None else None
    if key in course.links:
        rows = course.links[key].row_count
    is_first = not course.works or course.works[0].asset.key == key
    actual = _status(asset, course, status)
    return StepFinished(
        key=key,
        status=actual,
        partition=partition,
        rows=rows if actual != "unchanged" else None,
        rows_before=before.row_count if before is not None else None,
        is_increment=_is_increment(key, outcome),
        elapsed_s=course.elapsed_s,
        size_bytes=_size_bytes(key, outcome),
        usage=course.usage if is_first else None,
        checks=tuple(result for result in course.checks if result.asset == key),
        notes=outcome.notes if outcome is not None and is_first else (),
        warnings=outcome.warnings if outcome is not None and is_first else (),
        reason=reason or course.reverted,
        error=course.error if status in {"failed", "cancelled"} else None,
    )


def _status(asset: Asset, course: Course, status: StepStatus) -> StepStatus:
    if status != "built":
        return status
    if asset.key in course.links:
        return "linked"
    if asset.materialized == "none":
        return "built"
    if asset.key not in course.changed:
        return "unchanged"
    return "read" if asset.kind == "file" else "built"


def _is_increment(key: AssetKey, outcome: StepOutcome | None) -> bool:
    return outcome is not None and any(
        isinstance(change, TableWrite) and change.key == key and change.operation == "append"
        for change in outcome.changes
    )


def _size_bytes(key: AssetKey, outcome: StepOutcome | None) -> int | None:
    """Sum what was written for an asset; nothing if it is no table, or was not written."""
    sizes = [
        sum(file.size_bytes for file in change.added)
        for change in (outcome.changes if outcome is not None else ())
        if isinstance(change, TableWrite) and change.key == key
    ]
    return sum(sizes) if sizes else None


def record(
    asset: Asset,
    course: Course,
    position: int,
    *,
    action: str,
    status: str,
    event: StepFinished | None = None,
    now: datetime | None = None,
) -> StepRecord:
    """Make the row of one asset, while it runs or at its end."""
    work = next((item for item in course.works if item.asset.key == asset.key), None)
    return StepRecord(
        key=asset.key,
        position=position,
        action=action,
        status=status,
        reason=event.reason if event is not None else "",
        attempts=course.attempts,
        row_count=event.rows if event is not None else None,
        row_count_before=event.rows_before if event is not None else None,
        is_increment=event.is_increment if event is not None else False,
        data_version=course.versions.get(asset.key, ""),
        fingerprint=work.decision.fingerprint if work is not None else "",
        started_at=course.started_at,
        finished_at=now,
        elapsed_s=course.elapsed_s,
        size_bytes=event.size_bytes if event is not None else None,
        usage=event.usage if event is not None else None,
        notes=event.notes if event is not None else (),
        warnings=event.warnings if event is not None else (),
        error=course.error.to_json()
        if event is not None and event.error and course.error
        else None,
    )


def gate_reason(results: list[CheckResult]) -> str:
    """Say in half a sentence why results hold an asset back; empty if they do not."""
    holding = [result for result in results if result.holds_publishing]
    if not holding:
        return ""
    noun = "check" if len(results) == 1 else "checks"
    return f"{len(holding)} of {len(results)} {noun} failed"
