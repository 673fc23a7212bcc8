# SPDX-License-Identifier: Apache-2.0
"""The run's own record: how each step fares, what was told of it, what the next flush writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mainstem import state
from mainstem.database import Transaction
from mainstem.runs.event import StepFinished
from mainstem.runs.moves import FinishStep
from mainstem.runs.reporting import Course, finished, record
from mainstem.runs.scope import Scope
from mainstem.types import AssetKey, CheckResult


@dataclass(slots=True)
class _Pending:
    """What the next flush writes."""

    steps: dict[AssetKey, state.StepRecord] = field(default_factory=dict)
    checks: list[CheckResult] = field(default_factory=list)


class Book:
    """Kept by the driver's thread alone; rows are collected, and written once per turn."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._pending = _Pending()
        self.courses = [Course() for _ in scope.wiring.units]
        self.done: dict[AssetKey, StepFinished] = {}
        """By asset, the last that was told of it."""

    def note(self, index: int, status: str) -> None:
        """Note how far a step is."""
        for key in self._scope.wiring.units[index].keys:
            self._pending.steps[key] = self._record(index, key, status, None)

    def add_results(self, index: int, results: Sequence[CheckResult]) -> None:
        """Note results of checks; a later one of the same check takes the place of the former."""
        course = self.courses[index]
        again = {result.check_id for result in results}
        course.checks = [item for item in course.checks if item.check_id not in again]
        course.checks.extend(results)
        self._pending.checks.extend(results)

    def finish(self, instruction: FinishStep) -> None:
        """Tell and note how a step ended."""
        index = instruction.step
        scope = self._scope
        for key in scope.wiring.units[index].keys:
            event = finished(
                scope.services.graph.effective[key],
                self.courses[index],
                instruction.status,
                instruction.reason,
                scope.entries.get(key),
            )
            self.done[key] = event
            scope.emit(event)
            self._pending.steps[key] = self._record(index, key, event.status, event)

    def save_steps(self, transaction: Transaction, keys: Sequence[AssetKey]) -> None:
        """Write the rows of some steps within a transaction that also does more."""
        steps = self._pending.steps
        rows = [steps.pop(key) for key in keys if key in steps]
        state.save_steps(transaction, self._scope.run.id, rows)

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
        state.add_check_results(transaction, run_id, pending.checks, at=now)
        self._pending = _Pending()

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
