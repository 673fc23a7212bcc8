# SPDX-License-Identifier: Apache-2.0
"""The loop of a run: hands events to the machine and carries its instructions out.

One thread, the caller's, owns all state and makes all commits. Attempts and gates run in threads
and report through the inbox. What changes no table is written in one transaction per turn; each
table change is staged in one of its own, so that a conflict fails that step alone.
"""

from __future__ import annotations

import heapq
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from queue import Empty, SimpleQueue

from mainstem import state
from mainstem.database import Transaction
from mainstem.errors import LeaseLost, MainstemError, StepFailed
from mainstem.graph import Plan, VersionLookup
from mainstem.lake import Commit
from mainstem.runs.boundary import Boundary
from mainstem.runs.cancelling import Cancellation
from mainstem.runs.context import AttemptContext, RunBranch
from mainstem.runs.deciding import Decider, PreparedStep
from mainstem.runs.event import RunEvent, RunFinished, StepFinished, StepRetried, StepStarted
from mainstem.runs.facts import gather_facts
from mainstem.runs.judging import evaluate
from mainstem.runs.machine import State, decide, reconsider
from mainstem.runs.moves import (
    AbandonAttempts,
    AttemptFailed,
    AttemptSucceeded,
    Begun,
    CancelAttempts,
    CancelExpired,
    CancelRequested,
    Decide,
    EndRun,
    EvaluateGates,
    Event,
    FinishStep,
    GateMoment,
    GatesEvaluated,
    Instruction,
    RetryDue,
    StartAttempt,
    WaitForRetry,
)
from mainstem.runs.options import RunOptions
from mainstem.runs.publishing import Candidate, conclude, publish
from mainstem.runs.reporting import Course, finished, gate_reason, record
from mainstem.runs.services import Services
from mainstem.runs.staging import Staged, Stamp, stage_links, stage_outcome, view_records
from mainstem.runs.step import Gate, StepOutcome
from mainstem.runs.wiring import Wiring
from mainstem.runs.workers import Threads
from mainstem.state import Held, RunRecord
from mainstem.types import AssetKey, CheckResult, Relation


@dataclass(frozen=True, slots=True)
class _AttemptDone:
    step: int
    attempt: int
    outcome: StepOutcome | None
    error: MainstemError | None


@dataclass(frozen=True, slots=True)
class _GatesDone:
    step: int
    moment: GateMoment
    results: tuple[CheckResult, ...]


@dataclass(frozen=True, slots=True)
class _Interrupted:
    pass


@dataclass(frozen=True, slots=True)
class _Lost:
    error: MainstemError


@dataclass(frozen=True, slots=True)
class _TimedOut:
    step: int
    attempt: int


@dataclass(frozen=True, slots=True)
class _Overdue:
    """A timed out attempt did not stop within its grace."""

    step: int
    attempt: int


_Message = _AttemptDone | _GatesDone | _Interrupted | _Lost | _TimedOut | _Overdue | Event


@dataclass(slots=True)
class _Live:
    """What runs in a thread for one step now."""

    attempt: int
    cancel: Cancellation
    timeout_s: float | None = None


@dataclass(slots=True)
class _Ledger:
    """What the next flush writes."""

    steps: dict[AssetKey, state.StepRecord] = field(default_factory=dict)
    checks: list[CheckResult] = field(default_factory=list)
    lines: list[tuple[str, str, str]] = field(default_factory=list)
    """Kind, asset, text."""


class Driver:
    """One run, from its leases to its end."""

    def __init__(
        self,
        plan: Plan,
        services: Services,
        *,
        wiring: Wiring,
        lease: tuple[RunRecord, Held],
        options: RunOptions,
        emit: Callable[[RunEvent], None],
    ) -> None:
        self.plan = plan
        self.services = services
        self.wiring = wiring
        self.options = options
        self.run_record, self.held = lease
        self.emit = emit
        clock, lake = services.clock, services.lake
        self.clock = clock
        self.entries = lake.entries(self.run_record.base_commit)
        self.lookup = VersionLookup(services.graph.effective, self.entries)
        facts = gather_facts(
            services.database, entries=self.entries, branch=plan.branch, clock=clock
        )
        self.facts = self.lookup.with_records(facts)
        kept = timedelta(days=options.kept_days_after_failure)
        self.stamp = Stamp(
            run_id=self.run_record.id,
            branch=plan.branch,
            now=self.run_record.started_at,
            expires_at=self.run_record.started_at + timedelta(days=options.kept_days),
        )
        self.branch = RunBranch(
            lake,
            run_id=self.run_record.id,
            base_commit=self.run_record.base_commit,
            kept=kept,
            clock=clock,
        )
        self.state = State.of(
            wiring.shape,
            slots=options.slots,
            is_fail_fast=options.fail_fast,
            is_all_or_nothing=options.all_or_nothing,
        )
        self.decider = Decider(services, self.facts, self.lookup, options.plan)
        self.courses = [Course() for _ in wiring.units]
        self.prepared: dict[int, PreparedStep] = {}
        self.live: dict[int, _Live] = {}
        self.inbox: SimpleQueue[_Message] = SimpleQueue()
        self.timers: list[tuple[float, int, _Message]] = []
        self.timer_count = 0
        self.threads = Threads()
        self.ledger = _Ledger()
        self.done: dict[AssetKey, StepFinished] = {}
        self.end: EndRun | None = None
        self.began_s = clock.monotonic_s()

    def interrupt(self) -> None:
        """Cancel; from any thread or signal handler."""
        self.inbox.put(_Interrupted())

    def lose(self, error: MainstemError) -> None:
        """Give up, because the leases are gone; from the heartbeat."""
        self.inbox.put(_Lost(error))

    def run(self, skipped: Sequence[StepFinished]) -> RunFinished:
        """Drive to the end and publish."""
        try:
            self._turn([Begun()])
            while not self.state.has_ended:
                self._turn([event for message in self._wait() for event in self._receive(message)])
            commit = self._publish()
        except BaseException as error:
            self._give_up(error)
            raise
        finally:
            for live in self.live.values():
                live.cancel.cancel("cancelled")
            self.threads.close()
        return self._finished(commit, skipped)

    def _turn(self, events: list[Event]) -> None:
        starts: list[Callable[[], None]] = []
        while events:
            self.state, instructions = decide(self.state, *events)
            events = []
            for instruction in instructions:
                events.extend(self._carry_out(instruction, starts))
        # What runs is on record before it runs: else a crash could hide an effect.
        self._flush()
        for start in starts:
            start()

    def _carry_out(
        self, instruction: Instruction, starts: list[Callable[[], None]]
    ) -> Iterator[Event]:
        match instruction:
            case Decide(index):
                yield self._decide(index)
            case StartAttempt(index, attempt):
                yield from self._start_attempt(index, attempt, starts)
            case WaitForRetry(index, attempt, delay_s):
                self._wait_for_retry(index, attempt, delay_s)
            case EvaluateGates(index, moment):
                starts.append(partial(self._start_gates, index, moment))
            case CancelAttempts():
                for live in list(self.live.values()):
                    live.cancel.cancel("cancelled")
                self._after(self.options.grace_s, CancelExpired())
            case AbandonAttempts():
                self.live.clear()
            case FinishStep():
                self._finish_step(instruction)
            case EndRun():
                self.end = instruction

    def _wait(self) -> list[_Message]:
        """Give what arrived or became due, at least one message."""
        try:
            return self._wait_uninterrupted()
        except KeyboardInterrupt:
            return [_Interrupted()]

    def _wait_uninterrupted(self) -> list[_Message]:
        found: list[_Message] = []
        while not found:
            now = self.clock.monotonic_s()
            while self.timers and self.timers[0][0] <= now:
                found.append(heapq.heappop(self.timers)[2])
            left = self.timers[0][0] - now if self.timers else None
            if not found and not self.live and left is not None:
                # Nothing but delays: let the clock pass them, which in simulations is at once.
                self.clock.sleep(min(left, 0.1))
            elif not found:
                try:
                    found.append(self.inbox.get(timeout=left))
                except Empty:
                    continue
            while not self.inbox.empty():
                found.append(self.inbox.get())
        return found

    def _after(self, delay_s: float, message: _Message) -> None:
        self.timer_count += 1
        due = self.clock.monotonic_s() + delay_s
        heapq.heappush(self.timers, (due, self.timer_count, message))

    def _receive(self, message: _Message) -> Iterator[Event]:
        match message:
            case _AttemptDone():
                yield from self._attempt_done(message)
            case _GatesDone():
                yield from self._gates_done(message)
            case _Interrupted():
                yield CancelRequested()
            case _Lost(error):
                raise error
            case _TimedOut(index, attempt):
                live = self.live.get(index)
                if live is not None and live.attempt == attempt:
                    live.cancel.cancel("timeout")
                    self._after(self.options.grace_s, _Overdue(index, attempt))
            case _Overdue(index, attempt):
                yield from self._attempt_done(_AttemptDone(index, attempt, None, None))
            case _:
                yield message

    def _decide(self, index: int) -> Event:
        course = self.courses[index]
        course.started_at = self.clock.now()
        course.started_s = self.clock.monotonic_s()
        prepared = self.decider.prepare(self.wiring.units[index])
        course.works = prepared.works
        course.links = prepared.links
        self.prepared[index] = prepared
        return prepared.decided(index)

    def _start_attempt(
        self, index: int, attempt: int, starts: list[Callable[[], None]]
    ) -> Iterator[Event]:
        course, prepared = self.courses[index], self.prepared[index]
        course.attempts = attempt
        if prepared.error is not None:
            course.error = prepared.error
            yield AttemptFailed(index, attempt, reason=prepared.error.summary)
        elif prepared.links:
            yield self._stage(index, attempt, None)
        else:
            unit = self.wiring.units[index]
            for key in unit.keys:
                self.emit(StepStarted(key=key, attempt=attempt))
            self._note_step(index, "running")
            starts.append(partial(self._start_thread, index, attempt))

    def _start_thread(self, index: int, attempt: int) -> None:
        step = self.prepared[index].step
        assert step is not None, "an attempt starts only with a step"
        context = self._context(index, attempt)
        self.live[index] = _Live(attempt, context.cancellation, step.timeout_s)
        if step.timeout_s is not None:
            self._after(step.timeout_s, _TimedOut(index, attempt))

        def attempt_it() -> None:
            outcome: StepOutcome | None = None
            with Boundary() as boundary:
                outcome = step.execute(context)
            error = boundary.as_known(lambda unknown: _unexpected(step.outputs[0], unknown))
            self.inbox.put(_AttemptDone(index, attempt, outcome, error))

        self.threads.submit(attempt_it)

    def _context(self, index: int, attempt: int) -> AttemptContext:
        unit, works = self.wiring.units[index], self.courses[index].works
        is_full = any(
            work.decision.is_full_rebuild
            for work in works
            if work.asset.materialized == "incremental" and work.asset.kind != "file"
        )
        return AttemptContext(
            self.branch,
            run_id=self.run_record.id,
            key=unit.key,
            attempt=attempt,
            logical_time=self.run_record.logical_time,
            full_refresh=is_full,
            names=(self.plan.environment, self.plan.branch),
            services=(self._fenced, self.emit),
        )

    def _attempt_done(self, message: _AttemptDone) -> Iterator[Event]:
        index = message.step
        live = self.live.get(index)
        if live is None or live.attempt != message.attempt:
            return
        del self.live[index]
        error = message.error
        if live.cancel.reason == "timeout":
            error = self._timeout_error(index, live)
        if error is None and message.outcome is not None:
            yield self._stage(index, message.attempt, message.outcome)
        else:
            yield self._attempt_failed(index, message.attempt, error)

    def _attempt_failed(
        self, index: int, attempt: int, error: MainstemError | None
    ) -> AttemptFailed:
        course = self.courses[index]
        course.error = error
        course.elapsed_s = self.clock.monotonic_s() - course.started_s
        may_retry = error is not None and (error.is_retryable or isinstance(error, StepFailed))
        return AttemptFailed(
            index,
            attempt,
            is_retryable=may_retry,
            jitter=self.services.random(),
            reason=error.summary if error is not None else "",
        )

    def _wait_for_retry(self, index: int, attempt: int, delay_s: float) -> None:
        course = self.courses[index]
        assert course.error is not None, "only what failed is tried again"
        key = self.wiring.units[index].key
        self.emit(StepRetried(key=key, attempt=attempt, error=course.error, delay_s=delay_s))
        self.ledger.lines.append(("retried", str(key), course.error.summary))
        self._after(delay_s, RetryDue(index))

    def _timeout_error(self, index: int, live: _Live) -> StepFailed:
        key = self.wiring.units[index].key
        return StepFailed(
            "A6003",
            f"{key} did not finish within its timeout of {live.timeout_s:g} s (attempt "
            f"{live.attempt}).",
            hint="Give it a longer `timeout`, or less to do.",
        )

    def _stage(self, index: int, attempt: int, outcome: StepOutcome | None) -> Event:
        """Commit what an attempt produced, on the run's branch, with the step's row."""
        course = self.courses[index]
        course.outcome = outcome
        course.elapsed_s = self.clock.monotonic_s() - course.started_s
        try:
            staged = self._staged(course, outcome)
            if staged.changes:
                self._commit(index, staged)
        except LeaseLost:
            raise
        except MainstemError as error:
            return self._attempt_failed(index, attempt, error)
        course.error = None
        course.published = staged.keys
        course.versions = staged.settled
        defined = {asset.key for asset in staged.defined}
        course.changed = frozenset(staged.settled) | defined
        for key, version in staged.settled.items():
            self.lookup.settle(key, version)
        for asset in staged.defined:
            self.lookup.define(asset)
        return AttemptSucceeded(index, attempt, has_changes=bool(staged.keys))

    def _staged(self, course: Course, outcome: StepOutcome | None) -> Staged:
        if outcome is None:
            return stage_links(course.links, course.works, facts=self.facts, stamp=self.stamp)
        staged = stage_outcome(outcome, course.works, facts=self.facts, stamp=self.stamp)
        for key, version in staged.settled.items():
            if not self.options.plan.force and self.facts.is_tombstone(key, version):
                # Only reading could tell that it is what was reverted here: it stays away.
                course.reverted = "what it read was reverted here; --force takes it in again"
                return Staged()
        return staged

    def _commit(self, index: int, staged: Staged) -> None:
        course, unit = self.courses[index], self.wiring.units[index]
        self.branch.ensure(self._fenced)
        inputs = [key for work in course.works for key in work.inputs]
        versions = [*staged.versions, *view_records(inputs, self.lookup, self.stamp)]
        with self._fenced() as transaction:
            commit: Commit = self.services.lake.commit(
                self.branch.name,
                staged.changes,
                message=f"run {self.run_record.id}: {unit.key}",
                author=self.options.author,
                meta={"run": self.run_record.id, "step": str(unit.key)},
                transaction=transaction,
            )
            state.add_versions(
                transaction,
                [
                    item if item.operation == "view" else replace(item, commit_id=commit.id)
                    for item in versions
                ],
            )
            state.save_parts(
                transaction,
                [
                    (work.asset.key, work.asset.code_version, work.asset.change_summary)
                    for work in course.works
                ],
            )
            self._note_step(index, "staged")
            state.save_steps(transaction, self.run_record.id, self._take_steps(unit.keys))
        self.branch.tip = commit.id

    @contextmanager
    def _fenced(self) -> Iterator[Transaction]:
        """Open a transaction that only the holder of the leases can commit."""
        with self.services.database.write() as transaction:
            state.compare_fences(transaction, self.held)
            yield transaction

    def _start_gates(self, index: int, moment: GateMoment) -> None:
        unit = self.wiring.units[index]
        gates = unit.early if moment == "early" else unit.late
        cancel = Cancellation()
        self.live[index] = _Live(0, cancel)
        tip, lake = self.branch.tip, self.services.lake

        def relation(key: AssetKey) -> Relation:
            return lake.relation(key, tip)

        def judge_it() -> None:
            results = tuple(evaluate(gate, relation, cancel) for gate in gates)
            self.inbox.put(_GatesDone(index, moment, results))

        self.threads.submit(judge_it)

    def _gates_done(self, message: _GatesDone) -> Iterator[Event]:
        if self.live.pop(message.step, None) is None:
            return
        course = self.courses[message.step]
        course.checks.extend(message.results)
        course.elapsed_s = self.clock.monotonic_s() - course.started_s
        self.ledger.checks.extend(message.results)
        yield GatesEvaluated(message.step, message.moment, gate_reason(course.checks))

    def _note_step(self, index: int, status: str, event: StepFinished | None = None) -> None:
        unit, course = self.wiring.units[index], self.courses[index]
        for key in unit.keys:
            if event is None or event.key == key:
                self.ledger.steps[key] = record(
                    self.services.graph.effective[key],
                    course,
                    self.services.graph.positions[key],
                    action=self._action(index, key),
                    status=status,
                    event=event,
                    now=self.clock.now() if event is not None else None,
                )

    def _action(self, index: int, key: AssetKey) -> str:
        for work in self.courses[index].works:
            if work.asset.key == key:
                return work.decision.action
        return self.wiring.units[index].planned[key].action

    def _finish_step(self, instruction: FinishStep) -> None:
        index = instruction.step
        unit, course = self.wiring.units[index], self.courses[index]
        for key in unit.keys:
            event = finished(
                self.services.graph.effective[key],
                course,
                instruction.status,
                instruction.reason,
                self.entries.get(key),
            )
            self.done[key] = event
            self.emit(event)
            self._note_step(index, event.status, event)

    def _take_steps(self, keys: Sequence[AssetKey]) -> list[state.StepRecord]:
        return [self.ledger.steps.pop(key) for key in keys if key in self.ledger.steps]

    def _flush(self, transaction: Transaction | None = None) -> None:
        ledger = self.ledger
        if not (ledger.steps or ledger.checks or ledger.lines):
            return
        if transaction is None:
            with self.services.database.write() as opened:
                self._flush(opened)
            return
        now, run_id = self.clock.now(), self.run_record.id
        state.save_steps(transaction, run_id, ledger.steps.values())
        state.add_check_results(transaction, run_id, ledger.checks, at=now)
        for kind, asset, text in ledger.lines:
            state.add_event(transaction, run_id, kind, text, at=now, asset=asset)
        self.ledger = _Ledger()

    def _candidate(self, end: EndRun) -> Candidate:
        keys = [key for index in end.publish for key in self.courses[index].published]
        gates: list[tuple[int, Gate]] = [
            (index, gate)
            for index in end.publish
            for gate in (*self.wiring.units[index].early, *self.wiring.units[index].late)
        ]
        return Candidate(
            run=self.run_record,
            held=self.held,
            run_branch=self.branch.name if self.branch.exists else "",
            keys=tuple(dict.fromkeys(keys)),
            gates=gates,
            status=end.status,
            message=f"run {self.run_record.id}: {_some(keys)}",
        )

    def _publish(self) -> Commit | None:
        while True:
            assert self.end is not None, "a run that has ended says how"
            candidate = self._candidate(self.end)
            if not candidate.keys:
                with self.services.database.write() as transaction:
                    conclude(transaction, candidate, self.services, self.options)
                return None
            commit, held = publish(candidate, self.services, self.options, self._judge_merged)
            if commit is not None:
                return commit
            self.state, instructions = reconsider(self.state, held)
            for instruction in instructions:
                for _event in self._carry_out(instruction, []):
                    pass
            self._flush()

    def _judge_merged(
        self,
        gates: Sequence[tuple[int, Gate]],
        relation: Callable[[AssetKey], Relation],
    ) -> Mapping[int, str]:
        held: dict[int, str] = {}
        for index, gate in gates:
            result = evaluate(gate, relation, Cancellation())
            course = self.courses[index]
            course.checks = [item for item in course.checks if item.check_id != result.check_id]
            course.checks.append(result)
            self.ledger.checks.append(result)
            if result.holds_publishing:
                held[index] = f"{gate_reason(course.checks)} on what {self.plan.branch} is by now"
        return held

    def _finished(self, commit: Commit | None, skipped: Sequence[StepFinished]) -> RunFinished:
        assert self.end is not None, "a run that has ended says how"
        published = self._candidate(self.end).keys if commit is not None else ()
        held = [key for key, event in self.done.items() if event.status in {"held", "failed"}]
        is_good = self.end.status == "succeeded"
        days = self.options.kept_days if is_good else self.options.kept_days_after_failure
        return RunFinished(
            run_id=self.run_record.id,
            status=self.end.status,
            branch=self.plan.branch,
            published=tuple(key for key in published if key in self.services.graph),
            commit_id=commit.id if commit is not None else "",
            run_branch=self.branch.name if self.branch.exists else "",
            kept_days=days if self.branch.exists else 0,
            elapsed_s=self.clock.monotonic_s() - self.began_s,
            steps=(*skipped, *self.done.values()),
            held_readers_keep=self._kept_versions(held),
        )

    def _kept_versions(self, keys: Sequence[AssetKey]) -> dict[AssetKey, str]:
        found: dict[AssetKey, str] = {}
        with self.services.database.read() as transaction:
            for key in keys:
                entry = self.entries.get(key)
                if entry is None:
                    continue
                run = state.run_of(transaction, entry.provenance.run_id)
                if run is not None and run.finished_at is not None:
                    found[key] = f"the version of run {run.id} ({run.finished_at:%Y-%m-%d %H:%M})"
                else:
                    found[key] = "the version of before"
        return found

    def _give_up(self, error: BaseException) -> None:
        """Leave order behind when the run itself cannot go on."""
        candidate = replace(
            self._candidate(EndRun("failed", ())),
            status="cancelled" if isinstance(error, KeyboardInterrupt) else "failed",
        )
        try:
            with self.services.database.write() as transaction:
                self._flush(transaction)
                conclude(
                    transaction, candidate, self.services, self.options, error=str(error)[:2000]
                )
        except MainstemError as second:
            # The next run finds the dead one and clears up; the first error is what matters.
            error.add_note(f"and then: {second}")


def _unexpected(key: AssetKey, error: BaseException) -> StepFailed:
    return StepFailed(
        "A6006",
        f"{key} failed: {type(error).__name__}: {error}",
        details="".join(traceback.format_exception(error)),
    )


def _some(keys: Sequence[AssetKey]) -> str:
    names = [str(key) for key in dict.fromkeys(keys)]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
