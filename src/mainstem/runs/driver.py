# SPDX-License-Identifier: Apache-2.0
"""The loop of a run: hands events to the machine and carries its instructions out.

One thread, the caller's, owns all state and makes all commits. Attempts and gates run in threads
and report through the inbox. What changes no table is written in one transaction per turn; each
table change is staged in one of its own, so that a conflict fails that step alone.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeGuard

from mainstem.errors import EngineUnavailable, LeaseLost, MainstemError, StepFailed
from mainstem.runs.book import Book
from mainstem.runs.boundary import Boundary
from mainstem.runs.cancelling import Cancellation
from mainstem.runs.context import AttemptContext
from mainstem.runs.deciding import Decider, PreparedStep
from mainstem.runs.ending import give_up, publish_run, summary
from mainstem.runs.event import (
    RunAsked,
    RunEvent,
    RunFinished,
    StepFinished,
    StepLogged,
    StepProgressed,
    StepRetried,
    StepStarted,
)
from mainstem.runs.inbox import (
    Asked,
    AttemptDone,
    Audible,
    GatesDone,
    Inbox,
    Interrupted,
    Lost,
    Message,
    Overdue,
    SlotLost,
    TimedOut,
)
from mainstem.runs.items import ItemFolder
from mainstem.runs.judging import evaluate
from mainstem.runs.machine import State, decide
from mainstem.runs.meter import Mark, Meter
from mainstem.runs.moves import (
    AbandonAttempts,
    AttemptFailed,
    AttemptSucceeded,
    Begun,
    CancelAttempts,
    CancelExpired,
    CancelRequested,
    Claim,
    Decide,
    EndRun,
    EvaluateGates,
    Event,
    FinishStep,
    GateMoment,
    GatesEvaluated,
    Instruction,
    PauseRequested,
    ResumeRequested,
    RetryDue,
    RunTimedOut,
    SlotDue,
    StartAttempt,
    StopAttempts,
    WaitForRetry,
    WaitForSlot,
)
from mainstem.runs.portions import view_of_gates
from mainstem.runs.reporting import gate_reason
from mainstem.runs.retrying import may_retry
from mainstem.runs.scope import Scope
from mainstem.runs.slots import Slots
from mainstem.runs.stager import Stager
from mainstem.runs.step import LightStep, Pending, Step, StepOutcome
from mainstem.state import ControlRequest, RequestKind
from mainstem.types import AssetKey, Relation


@dataclass(slots=True)
class _Live:
    """What runs in a thread for one step now."""

    attempt: int
    """0: not an attempt but its gates."""
    cancel: Cancellation
    timeout_s: float | None = None
    pending: Pending | None = None
    """It is not in a thread: another process does it, and the inbox listens."""
    mark: Mark | None = None


_ANSWER: Mapping[RequestKind, Event] = {
    "pause": PauseRequested(),
    "resume": ResumeRequested(),
    "cancel": CancelRequested(),
}


class Driver:
    """One run, from its leases to its end."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.clock = scope.services.clock
        options = scope.options
        self.state = State.of(
            scope.wiring.shape,
            slots=options.slots,
            is_fail_fast=options.fail_fast,
            is_all_or_nothing=options.all_or_nothing,
        )
        self.book = Book(scope)
        self.stager = Stager(scope, self.book)
        self.decider = Decider(scope.services, scope.facts, scope.lookup, options)
        self.prepared: dict[int, PreparedStep] = {}
        self.live: dict[int, _Live] = {}
        self.crew = scope.services.crew(self.clock)
        self.inbox = Inbox(self.clock, self.crew.post())
        self.meter = Meter(self.clock)
        services = scope.services
        folder = Path(services.lake.warehouse) if services.logs is None else services.logs.folder
        self.items = ItemFolder(folder, scope.run.id, services.database, self.clock)
        self.slots = Slots(scope, lambda asset: self.inbox.put(SlotLost(asset)))
        self.end: EndRun | None = None

    def interrupt(self) -> None:
        """Cancel; from any thread or signal handler."""
        self.inbox.put(Interrupted())

    def ask(self, request: ControlRequest) -> None:
        """Pause, resume or cancel; from the heartbeat."""
        self.inbox.put(Asked(request))

    def lose(self, error: MainstemError) -> None:
        """Give up, because the leases are gone; from the heartbeat."""
        self.inbox.put(Lost(error))

    def run(self, skipped: Sequence[StepFinished]) -> RunFinished:
        """Drive to the end and publish."""
        began_s = self.clock.monotonic_s()
        try:
            timeout_s = self.scope.options.run_timeout_s
            if timeout_s is not None:
                reason = f"the run took longer than its timeout of {timeout_s:g} s"
                self.inbox.after(timeout_s, RunTimedOut(reason))
            self._turn([Begun()])
            while not self.state.has_ended:
                messages = self.inbox.wait(is_idle=not self.live)
                events = [self._receive(message) for message in messages]
                self._turn([event for event in events if event is not None])
            assert self.end is not None, "a run that has ended says how"
            end, commit = publish_run(self.scope, self.book, self.state, self.end)
        except BaseException as error:
            give_up(self.scope, self.book, error)
            raise
        finally:
            for index, live in self.live.items():
                live.cancel.cancel("cancelled")
                self._see_through(index, live)
            self.inbox.close()
            self.crew.close()
            self.items.remove()
        elapsed_s = self.clock.monotonic_s() - began_s
        return summary(self.scope, self.book, end, commit, skipped=skipped, elapsed_s=elapsed_s)

    def _turn(self, events: list[Event]) -> None:
        starts: list[Callable[[], None]] = []
        while events:
            self.state, instructions = decide(self.state, *events)
            answers = [self._carry_out(instruction, starts) for instruction in instructions]
            events = [answer for answer in answers if answer is not None]
        # What runs is on record before it runs: else a crash could hide an effect.
        self.book.flush()
        for start in starts:
            start()

    def _carry_out(
        self, instruction: Instruction, starts: list[Callable[[], None]]
    ) -> Event | None:
        match instruction:
            case Decide(index):
                return self._decide(index)
            case StartAttempt(index, attempt):
                return self._start_attempt(index, attempt, starts)
            case FinishStep(index):
                self.slots.release(index)
                self.book.finish(instruction)
            case Claim(index, attempt):
                return self.slots.claim(index, attempt)
            case WaitForSlot(pools):
                self.inbox.after(self.slots.wait_s(pools), SlotDue(pools))
            case WaitForRetry(index, attempt, delay_s):
                self._wait_for_retry(index, attempt, delay_s)
            case EvaluateGates(index, moment):
                starts.append(partial(self._start_gates, index, moment))
            case CancelAttempts():
                for live in list(self.live.values()):
                    live.cancel.cancel("cancelled")
                self.inbox.after(self.scope.options.grace_s, CancelExpired())
            case StopAttempts():
                for index, live in list(self.live.items()):
                    self._stop(index, live, "run_timeout")
            case AbandonAttempts():
                for index, live in self.live.items():
                    self._see_through(index, live)
                self.live.clear()
            case EndRun():
                self.end = instruction
        return None

    def _receive(self, message: Message) -> Event | None:
        match message:
            case AttemptDone():
                return self._attempt_done(message)
            case GatesDone():
                return self._gates_done(message)
            case Audible(index, attempt):
                self._hear(index, attempt)
            case Interrupted():
                return CancelRequested()
            case Asked(request):
                self.scope.emit(RunAsked(request=request.kind, by=request.asked_by))
                return _ANSWER[request.kind]
            case Lost(error):
                raise error
            case SlotLost(asset):
                for index, live in list(self.live.items()):
                    if live.attempt and self.scope.wiring.units[index].name == asset:
                        self._stop(index, live, "slot")
            case TimedOut(index, attempt):
                timed_out = self.live.get(index)
                if timed_out is not None and timed_out.attempt == attempt:
                    self._stop(index, timed_out, "timeout")
            case Overdue(index, 0):
                judging = self.live.get(index)
                if judging is not None and judging.attempt == 0:
                    del self.live[index]
                    return GatesEvaluated(index, held_because="its checks did not end in time")
            case Overdue(index, attempt):
                return self._attempt_done(AttemptDone(index, attempt, None, None))
            case _:
                return message
        return None

    def _stop(self, index: int, live: _Live, reason: str) -> None:
        live.cancel.cancel(reason)
        self.inbox.after(self.scope.options.grace_s, Overdue(index, live.attempt))

    def _decide(self, index: int) -> Event:
        course = self.book.courses[index]
        course.started_at = self.clock.now()
        course.started_s = self.clock.monotonic_s()
        prepared = self.decider.prepare(self.scope.wiring.units[index])
        course.works = prepared.works
        course.links = prepared.links
        self.prepared[index] = prepared
        return prepared.decided(index)

    def _start_attempt(
        self, index: int, attempt: int, starts: list[Callable[[], None]]
    ) -> Event | None:
        prepared = self.prepared[index]
        self.book.courses[index].attempts = attempt
        if prepared.error is not None:
            return self._failed(index, attempt, prepared.error)
        if prepared.links:
            return self._stage(index, attempt, None)
        unit = self.scope.wiring.units[index]
        for key in unit.keys:
            self.scope.emit(StepStarted(key=key, attempt=attempt, partition=unit.partition))
        self.book.note(index, "running")
        starts.append(partial(self._start_thread, index, attempt))
        return None

    def _start_thread(self, index: int, attempt: int) -> None:
        step = self.prepared[index].step
        assert step is not None, "an attempt starts only with a step"
        context = self._context(index, attempt)
        unit = self.scope.wiring.units[index]
        own = self.scope.services.graph.assets[unit.key].execution.timeout_s
        timeout_s = own if own is not None else self.scope.options.timeout_s
        live = self.live[index] = _Live(attempt, context.cancellation, timeout_s)
        if timeout_s is not None:
            self.inbox.after(timeout_s, TimedOut(index, attempt))
        live.mark = self.meter.begin()
        with Boundary():  # what is raised here is raised in `execute`, too
            live.pending = step.begin(context) if _is_light(step) else None
        if live.pending is not None:
            self.inbox.listen(live.pending.fileno(), Audible(index, attempt))
        else:
            self.crew.submit(partial(self._attempt, index, live, partial(step.execute, context)))

    def _attempt(self, index: int, live: _Live, work: Callable[[], StepOutcome]) -> None:
        """Do an attempt, or what is left of it, and report."""
        outcome: StepOutcome | None = None
        with Boundary() as boundary:
            outcome = work()
        step = self.prepared[index].step
        assert step is not None, "an attempt starts only with a step"
        error = boundary.as_known(lambda unknown: _unexpected(step.outputs[0], unknown))
        told = self.scope.journal.outcome(outcome)
        assert live.mark is not None, "it was measured from its beginning"
        usage = self.meter.end(live.mark, known=None if told is None else told.usage)
        self.inbox.put(AttemptDone(index, live.attempt, told, error, usage))

    def _hear(self, index: int, attempt: int) -> None:
        """Take in what an attempt says that no thread waits for."""
        live = self.live.get(index)
        if live is None or live.attempt != attempt or live.pending is None:
            return
        match live.pending.hear():
            case "waits":
                self.inbox.listen(live.pending.fileno(), Audible(index, attempt))
            case "answered":
                pending, live.pending = live.pending, None
                self._attempt(index, live, pending.finish)
            case "talks":
                self._see_through(index, live)

    def _see_through(self, index: int, live: _Live) -> None:
        """Let a thread wait for an attempt that none waited for."""
        pending, live.pending = live.pending, None
        if pending is not None:
            self.inbox.ignore(pending.fileno())
            self.crew.submit(partial(self._attempt, index, live, pending.finish))

    def _context(self, index: int, attempt: int) -> AttemptContext:
        scope = self.scope
        is_full = any(
            work.decision.is_full_rebuild and work.asset.materialized == "incremental"
            for work in self.book.courses[index].works
            if work.asset.kind != "file"
        )
        context = AttemptContext(
            scope.branch,
            run_id=scope.run.id,
            key=scope.wiring.units[index].key,
            attempt=attempt,
            logical_time=scope.run.logical_time,
            full_refresh=is_full,
            names=(scope.plan.environment, scope.plan.branch),
            services=(scope.fenced, partial(self._tell, attempt), self.items),
        )
        for work in self.book.courses[index].works:
            if work.slice is not None:
                context.restrict(work.slice)
        return context

    def _tell(self, attempt: int, event: RunEvent) -> None:
        """Pass on what a step says, from its own thread; what it logs is kept first."""
        journal = self.scope.journal
        if isinstance(event, StepLogged):
            event = journal.logged(event)
            journal.line(event.key, attempt, event.stream, event.text)
        elif isinstance(event, StepProgressed):
            event = journal.progressed(event)
        self.scope.emit(event)

    def _attempt_done(self, message: AttemptDone) -> Event | None:
        index = message.step
        live = self.live.get(index)
        if live is None or live.attempt != message.attempt:
            # It was abandoned, and another attempt or the end of the run came since.
            return None
        del self.live[index]
        self.book.courses[index].usage = message.usage
        self.slots.release(index)
        error = message.error
        if live.cancel.reason == "slot":
            error = self._slot_error(index)
        if live.cancel.reason in {"timeout", "run_timeout"}:
            error = self._timeout_error(index, live)
        if error is None and message.outcome is not None:
            return self._stage(index, message.attempt, message.outcome)
        return self._failed(index, message.attempt, error)

    def _stage(self, index: int, attempt: int, outcome: StepOutcome | None) -> Event:
        self._measure(index)
        self.scope.journal.end(self.scope.wiring.units[index].key, attempt)
        try:
            has_changes = self.stager.stage(index, outcome)
        except LeaseLost:
            raise
        except MainstemError as error:
            return self._failed(index, attempt, error)
        return AttemptSucceeded(index, attempt, has_changes=has_changes)

    def _failed(self, index: int, attempt: int, error: MainstemError | None) -> AttemptFailed:
        if isinstance(error, LeaseLost):
            raise error
        self._measure(index)
        self.book.courses[index].error = self.scope.journal.error(error)
        key = self.scope.wiring.units[index].key
        if error is not None:
            self.scope.journal.failed(key, attempt, error)
        self.scope.journal.end(key, attempt)
        return AttemptFailed(
            index,
            attempt,
            is_retryable=error is not None and may_retry(self.prepared[index].retry, error),
            jitter=self.scope.services.random(),
            reason=error.summary if error is not None else "",
        )

    def _measure(self, index: int) -> None:
        course = self.book.courses[index]
        course.elapsed_s = self.clock.monotonic_s() - course.started_s

    def _wait_for_retry(self, index: int, attempt: int, delay_s: float) -> None:
        error = self.book.courses[index].error
        assert error is not None, "only what failed is tried again"
        key = self.scope.wiring.units[index].key
        self.scope.emit(StepRetried(key=key, attempt=attempt, error=error, delay_s=delay_s))
        again = f"attempt {attempt + 1} follows in {delay_s:.3g} s"
        self.scope.journal.line(key, attempt, "retried", again)
        self.scope.journal.end(key, attempt)
        self.inbox.after(delay_s, RetryDue(index))

    def _slot_error(self, index: int) -> EngineUnavailable:
        key = self.scope.wiring.units[index].key
        return EngineUnavailable(
            "A6017",
            f"{key} lost its slot of a pool: this process was silent for longer than a lease.",
            hint="It was stopped or suspended, or the database could not be written. Run again.",
        )

    def _timeout_error(self, index: int, live: _Live) -> StepFailed:
        key = self.scope.wiring.units[index].key
        if live.cancel.reason == "run_timeout":
            return StepFailed(
                "A6016",
                f"{key} was stopped: the run took longer than its timeout of "
                f"{self.scope.options.run_timeout_s:g} s.",
                hint="What had passed is published. Run again: only the rest is left.",
            )
        return StepFailed(
            "A6012",
            f"{key} did not finish within its timeout of {live.timeout_s:g} s "
            f"(attempt {live.attempt}).",
            hint="Give it a longer `timeout`, or less to do.",
            raised=("TimeoutError",),
        )

    def _start_gates(self, index: int, moment: GateMoment) -> None:
        unit = self.scope.wiring.units[index]
        gates = unit.early if moment == "early" else unit.late
        cancel = Cancellation()
        self.live[index] = _Live(0, cancel)
        tip, lake = self.scope.branch.tip, self.scope.services.lake

        @functools.cache  # gates ask for the same few again and again, and must see one state
        def find(key: AssetKey) -> Relation:
            return lake.relation(key, tip)

        relation = view_of_gates(self.book.courses[index].works, find)

        def judge_it() -> None:
            results = tuple(evaluate(gate, relation, cancel) for gate in gates)
            self.inbox.put(GatesDone(index, moment, self.scope.journal.results(results)))

        self.crew.submit(judge_it)

    def _gates_done(self, message: GatesDone) -> Event | None:
        index = message.step
        if self.live.pop(index, None) is None:
            return None
        self._measure(index)
        self.book.add_results(index, message.results)
        reason = gate_reason(self.book.courses[index].checks)
        return GatesEvaluated(index, message.moment, reason)


def _is_light(step: Step) -> TypeGuard[LightStep]:
    return _is_kind_light(type(step))


@functools.cache  # asking a Protocol costs as much as sending the step to a worker
def _is_kind_light(kind: type) -> bool:
    return issubclass(kind, LightStep)


def _unexpected(key: AssetKey, error: BaseException) -> StepFailed:
    return StepFailed(
        "A6015",
        f"{key} failed: {type(error).__name__}: {error}",
        details="".join(traceback.format_exception(error)),
    )
