# SPDX-License-Identifier: Apache-2.0
"""The run's own record: how each step fares, what was told of it, what the next flush writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mainstem import state
from mainstem.database import Transaction
from mainstem.graph import PartitionSet
from mainstem.runs.event import StepFinished
from mainstem.runs.moves import FinishStep
from mainstem.runs.reporting import Course, finished, record
from mainstem.runs.scope import Scope
from mainstem.runs.tally import Tally
from mainstem.types import AssetKey, CheckResult


@dataclass(slots=True)
class _Pending:
    """What the next flush writes."""

    steps: dict[AssetKey, state.StepRecord] = field(default_factory=dict)
    checks: list[CheckResult] = field(default_factory=list)
    partitions: dict[tuple[AssetKey, str], state.PartitionStep] = field(default_factory=dict)
    failures: dict[tuple[AssetKey, str], tuple[str, str]] = field(default_factory=dict)
    """By asset and partition: status and reason."""
    well: dict[AssetKey, PartitionSet] = field(default_factory=dict)
    """Partitions that came through: what failed before is forgotten."""


class Book:
    """Kept by the driver's thread alone; rows are collected, and written once per turn."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._pending = _Pending()
        self.courses = [Course() for _ in scope.wiring.units]
        self.done: dict[tuple[AssetKey, str], StepFinished] = {}
        """By asset and partitions, the last that was told of it."""
        self._tallies: dict[AssetKey, Tally] = {}

    def note(self, index: int, status: str) -> None:
        """Note how far a step is."""
        for key in self._scope.wiring.units[index].keys:
            self._put(index, key, self._record(index, key, status, None))

    def add_results(self, index: int, results: Sequence[CheckResult]) -> None:
        """Note results of checks; a later one of the same check takes the place of the former."""
        course, unit = self.courses[index], self._scope.wiring.units[index]
        if unit.some is not None:
            # The same check judges each partition: its results are told apart.
            results = [_of_partition(one, unit.partition) for one in results]
        again = {result.check_id for result in results}
        course.checks = [item for item in course.checks if item.check_id not in again]
        course.checks.extend(results)
        self._pending.checks.extend(results)

    def finish(self, instruction: FinishStep) -> None:
        """Tell and note how a step ended."""
        index = instruction.step
        scope = self._scope
        unit = scope.wiring.units[index]
        partition = unit.partition
        for key in unit.keys:
            event = finished(
                scope.services.graph.effective[key],
                self.courses[index],
                instruction.status,
                instruction.reason,
                scope.entries.get(key),
                partition,
            )
            self.done[key, partition] = event
            scope.emit(event)
            self._put(index, key, self._record(index, key, event.status, event))
            if unit.some is not None:
                self._note_outcome(index, unit.some, event)

    def save_steps(self, transaction: Transaction, keys: Sequence[AssetKey]) -> None:
        """Write the rows of some steps within a transaction that also does more."""
        steps = self._pending.steps
        rows = [steps.pop(key) for key in keys if key in steps]
        state.save_steps(transaction, self._scope.run.id, rows)
        self._save_partitions(transaction)

    def flush(self, transaction: Transaction | None = None) -> None:
        """Write what was noted, in one transaction."""
        pending = self._pending
        if transaction is None:
            if not (pending.steps or pending.checks):
                return
            with self._scope.services.database.write() as opened:
                self.flush(opened)
            return
        now, run_id = self._scope.services.clock.now(), self._scope.run.id
        state.save_steps(transaction, run_id, pending.steps.values())
        if pending.checks:
            state.add_check_results(transaction, run_id, pending.checks, at=now)
        self._save_partitions(transaction)
        self._pending = _Pending()

    def _put(self, index: int, key: AssetKey, record: state.StepRecord) -> None:
        """Note the record of a step; those of one partitioned asset make up one row."""
        unit = self._scope.wiring.units[index]
        if unit.some is not None:
            self._pending.partitions[key, unit.partition] = state.PartitionStep(
                key=key,
                partitions=unit.partition,
                status=record.status,
                reason=record.reason,
                row_count=record.row_count,
                elapsed_s=record.elapsed_s,
                error=record.error,
                started_at=record.started_at,
                finished_at=record.finished_at,
            )
            record = self._tallies.setdefault(key, Tally()).put(unit.partition, record)
        self._pending.steps[key] = record

    def _note_outcome(self, index: int, some: PartitionSet, event: StepFinished) -> None:
        """Note for each partition that its last attempt failed, or that it is well again."""
        if event.status in {"failed", "held"}:
            # When its turn came, some may have turned out to be up to date.
            slices = [work.slice for work in self.courses[index].works if work.slice is not None]
            some = slices[0].some if slices else some
            reason = _why(event)
            for one in some.each():
                self._pending.failures[event.key, one.text()] = (event.status, reason)
        elif event.status in {"built", "linked", "unchanged"}:
            known = self._pending.well.get(event.key)
            self._pending.well[event.key] = some if known is None else known | some

    def _save_partitions(self, transaction: Transaction) -> None:
        pending, run, now = self._pending, self._scope.run, self._scope.services.clock.now()
        if pending.partitions:
            state.save_partition_steps(transaction, run.id, pending.partitions.values())
            pending.partitions = {}
        for key, some in pending.well.items():
            # There may be a hundred thousand that are well, and few that ever failed.
            failed = state.partition_failures(transaction, key, branch=run.branch)
            if some.count < len(failed):
                cured = [one.text() for one in some.each()]
            else:
                cured = [
                    item.partition
                    for item in failed
                    if PartitionSet.parse(item.partition, some.definition, is_stored=True) <= some
                ]
            state.forget_failures(transaction, key, cured, branch=run.branch)
        for (key, name), (status, reason) in pending.failures.items():
            failure = state.PartitionFailure(
                partition=name, status=status, run_id=run.id, reason=reason, failed_at=now
            )
            state.note_failures(transaction, key, [failure], branch=run.branch)
        pending.failures, pending.well = {}, {}

    def _record(
        self, index: int, key: AssetKey, status: str, event: StepFinished | None
    ) -> state.StepRecord:
        graph = self._scope.services.graph
        return record(
            graph.effective[key],
            self.courses[index],
            graph.positions[key],
            action=self._action(index, key),
            status=status,
            event=event,
            now=self._scope.services.clock.now() if event is not None else None,
        )

    def _action(self, index: int, key: AssetKey) -> str:
        for work in self.courses[index].works:
            if work.asset.key == key:
                return work.decision.action
        return self._scope.wiring.units[index].planned[key].action


def _why(event: StepFinished) -> str:
    """Say what a partition failed with: an error, or what the checks saw that hold it."""
    if event.error is not None:
        return event.error.summary
    said = [
        result.message.removeprefix(f"{event.partition}: ")
        for result in event.checks
        if result.holds_publishing
    ]
    return "; ".join(said) or event.reason


def _of_partition(result: CheckResult, partition: str) -> CheckResult:
    message = f"{partition}: {result.message}" if result.message else partition
    return replace(result, check_id=f"{result.check_id} [{partition}]", message=message)
