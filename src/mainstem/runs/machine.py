# SPDX-License-Identifier: Apache-2.0
"""What a run does next: `decide(state, event) -> (state, instructions)`, no clock, no I/O.

The driver carries instructions out and feeds events back. Everything that is hard about a run is
here: who may start, what a failure takes with it, what another attempt waits for, what may be
published together.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from mainstem.runs.event import RunStatus, StepStatus
from mainstem.runs.moves import (
    AbandonAttempts,
    AttemptFailed,
    AttemptSucceeded,
    Begun,
    CancelAttempts,
    CancelExpired,
    CancelRequested,
    Decide,
    Decided,
    EndRun,
    EvaluateGates,
    Event,
    FinishStep,
    GateMoment,
    GatesEvaluated,
    Instruction,
    RetryDue,
    RunTimedOut,
    StartAttempt,
    StopAttempts,
    WaitForRetry,
)
from mainstem.runs.shape import Shape
from mainstem.types import Retry

Moment = Literal[
    "waiting",  # for its parents
    "ready",  # for a free slot
    "deciding",
    "running",
    "retrying",  # waits for its delay
    "staged",  # waits for tables that its early gates read
    "judging",
    "late",  # waits for the end, where its late gates are evaluated
    "judging_late",
]
_ENDED = frozenset(get_args(StepStatus))


@dataclass(frozen=True, slots=True)
class Mark:
    """How far one step is."""

    moment: Moment | StepStatus = "waiting"
    missing: int = 0
    """Parents that have not come through yet."""
    gate_missing: int = 0
    """Tables that its early gates read and that are not staged yet."""
    attempt: int = 0
    retry: Retry = field(default_factory=Retry)
    has_changes: bool = False
    is_settled: bool = False
    """Its table is what it will be in this run."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """A run between two events."""

    shape: Shape
    marks: tuple[Mark, ...]
    ready: tuple[int, ...] = ()
    busy: int = 0
    """Slots in use."""
    slots: int = 4
    is_fail_fast: bool = False
    is_all_or_nothing: bool = False
    is_cancelled: bool = False
    closing: str = ""
    """Why nothing more is started, though what has passed is published: the run timed out."""
    has_ended: bool = False

    @classmethod
    def of(
        cls,
        shape: Shape,
        *,
        slots: int = 4,
        is_fail_fast: bool = False,
        is_all_or_nothing: bool = False,
    ) -> State:
        """Give the state of a run that has not begun."""
        marks = tuple(
            Mark(missing=len(node.parents), gate_missing=len(node.gate_waits))
            for node in shape.nodes
        )
        return cls(
            shape=shape,
            marks=marks,
            slots=slots,
            is_fail_fast=is_fail_fast,
            is_all_or_nothing=is_all_or_nothing,
        )


def decide(state: State, *events: Event) -> tuple[State, tuple[Instruction, ...]]:
    """Take in events, in order, and say what to do; events of things long over are ignored."""
    if state.has_ended:
        return state, ()
    turn = _Turn(state)
    for event in events:
        turn.take(event)
    turn.fill_slots()
    turn.end_if_done()
    return turn.state(), tuple(turn.instructions)


def reconsider(state: State, held: Mapping[int, str]) -> tuple[State, tuple[Instruction, ...]]:
    """Hold steps of a run that has ended back from publishing, with all that relies on them.

    For gates that failed on the merged candidate, because the target had moved.
    """
    turn = _Turn(state)
    for index, reason in held.items():
        turn.hold_at_the_end(index, reason)
    turn.end()
    return turn.state(), tuple(turn.instructions)


class _Turn:
    """One call of `decide`: a mutable copy of the state, thrown away afterwards."""

    def __init__(self, state: State) -> None:
        self.before = state
        self.shape = state.shape
        self.marks = list(state.marks)
        self.ready = list(state.ready)
        self.busy = state.busy
        self.is_cancelled = state.is_cancelled
        self.closing = state.closing
        self.has_ended = False
        self.instructions: list[Instruction] = []

    def state(self) -> State:
        return replace(
            self.before,
            marks=tuple(self.marks),
            ready=tuple(self.ready),
            busy=self.busy,
            is_cancelled=self.is_cancelled,
            closing=self.closing,
            has_ended=self.has_ended,
        )

    def take(self, event: Event) -> None:
        match event:
            case Begun():
                for index, mark in enumerate(self.marks):
                    if not mark.missing:
                        self._make_ready(index)
            case Decided():
                self._decided(event)
            case AttemptSucceeded():
                self._succeeded(event)
            case AttemptFailed():
                self._failed(event)
            case RetryDue(step):
                if self.marks[step].moment == "retrying":
                    self._make_ready(step)
            case GatesEvaluated():
                self._judged(event)
            case RunTimedOut(reason):
                self._close(reason)
            case CancelRequested():
                self._cancel()
            case CancelExpired():
                self._abandon()

    def fill_slots(self) -> None:
        if self.is_cancelled:
            return
        while self.ready and self.busy < self.before.slots:
            index = self.ready.pop(0)
            self.busy += 1
            mark = self.marks[index]
            if mark.attempt:
                self._start(index)
            else:
                self._set(index, moment="deciding")
                self.instructions.append(Decide(index))

    def end_if_done(self) -> None:
        if self.busy or self.ready:
            return
        moments = {mark.moment for mark in self.marks}
        if moments <= _ENDED:
            self.end()
        elif moments <= _ENDED | {"late"}:
            for index, mark in enumerate(self.marks):
                if mark.moment == "late":
                    self._judge(index, "late")

    def _set(self, index: int, **changes: Any) -> None:
        self.marks[index] = replace(self.marks[index], **changes)

    def _make_ready(self, index: int) -> None:
        self._set(index, moment="ready")
        insort(self.ready, index)

    def _start(self, index: int) -> None:
        attempt = self.marks[index].attempt + 1
        self._set(index, moment="running", attempt=attempt)
        self.instructions.append(StartAttempt(index, attempt))

    def _decided(self, event: Decided) -> None:
        index = event.step
        if self.marks[index].moment != "deciding":
            return
        if self.is_cancelled:
            self.busy -= 1
            self._leave_out(index, "cancelled")
        elif self.closing:
            self.busy -= 1
            self._leave_out(index, "skipped", self.closing)
        elif event.action == "attempt":
            self._set(index, retry=event.retry)
            self._start(index)
        elif event.action == "judge":
            self._stage(index, has_changes=False)
        else:
            self.busy -= 1
            self._settle(index)
            self._finish(
                index, "unchanged" if event.action == "unchanged" else "skipped", event.reason
            )
            self._release_children(index)

    def _succeeded(self, event: AttemptSucceeded) -> None:
        mark = self.marks[event.step]
        if mark.moment != "running" or mark.attempt != event.attempt:
            return
        if self.is_cancelled:
            self.busy -= 1
            self._leave_out(event.step, "cancelled")
        else:
            self._stage(event.step, has_changes=event.has_changes)

    def _stage(self, index: int, *, has_changes: bool) -> None:
        self._set(index, has_changes=has_changes, moment="staged")
        self._settle(index)
        node = self.shape.nodes[index]
        if not node.early_gates:
            self.busy -= 1
            self._pass_early(index)
        elif self.marks[index].gate_missing:
            # Waiting takes no slot, or two steps could wait for a third that never gets one.
            self.busy -= 1
        else:
            self._judge(index, "early")

    def _settle(self, index: int) -> None:
        """Tell gates that read this step's table that it will not change any more."""
        if self.marks[index].is_settled:
            return
        self._set(index, is_settled=True)
        for waiter in self.shape.gate_waiters[index]:
            left = self.marks[waiter].gate_missing - 1
            self._set(waiter, gate_missing=left)
            if not left and self.marks[waiter].moment == "staged" and waiter != index:
                self.busy += 1
                self._judge(waiter, "early")

    def _judge(self, index: int, moment: GateMoment) -> None:
        if self.closing:
            # What was never judged is not published.
            self.busy -= moment == "early"
            self._hold(index, self.closing)
            return
        if moment == "late":
            self.busy += 1
        self._set(index, moment="judging" if moment == "early" else "judging_late")
        self.instructions.append(EvaluateGates(index, moment))

    def _judged(self, event: GatesEvaluated) -> None:
        index = event.step
        moment = self.marks[index].moment
        if moment not in {"judging", "judging_late"}:
            return
        self.busy -= 1
        if self.is_cancelled:
            self._finish(index, "cancelled")
        elif event.held_because:
            self._hold(index, event.held_because)
        elif moment == "judging":
            self._pass_early(index)
        else:
            self._finish(index, "unchanged" if self._only_judges(index) else "built")

    def _only_judges(self, index: int) -> bool:
        return self.shape.nodes[index].judges_only

    def _pass_early(self, index: int) -> None:
        if self.shape.nodes[index].late_gates:
            self._set(index, moment="late")
        else:
            self._finish(index, "unchanged" if self._only_judges(index) else "built")
        self._release_children(index)

    def _hold(self, index: int, reason: str) -> None:
        self._finish(index, "held", reason)
        self._skip_descendants(index)

    def _release_children(self, index: int) -> None:
        for child in self.shape.children[index]:
            left = self.marks[child].missing - 1
            self._set(child, missing=left)
            if not left and self.marks[child].moment == "waiting" and not self.is_cancelled:
                self._make_ready(child)

    def _failed(self, event: AttemptFailed) -> None:
        index = event.step
        mark = self.marks[index]
        if mark.moment != "running" or mark.attempt != event.attempt:
            return
        self.busy -= 1
        if self.is_cancelled:
            self._settle(index)
            self._finish(index, "cancelled")
        elif event.is_retryable and mark.retry.may_follow(mark.attempt) and not self.closing:
            delay = mark.retry.delay_after(mark.attempt, event.jitter)
            self._set(index, moment="retrying")
            self.instructions.append(WaitForRetry(index, mark.attempt, delay))
        else:
            self._settle(index)
            self._finish(index, "failed", event.reason)
            self._skip_descendants(index)
            if self.before.is_fail_fast:
                self._skip_waiting("another step failed, and --fail-fast")

    def _skip_descendants(self, index: int) -> None:
        name = self.shape.nodes[index].name
        pending = list(self.shape.children[index])
        while pending:
            child = pending.pop()
            if self.marks[child].moment in {"waiting", "ready"}:
                self._leave_out(child, "skipped", f"needs {name}")
                pending.extend(self.shape.children[child])

    def _skip_waiting(self, reason: str) -> None:
        for index, mark in enumerate(self.marks):
            if mark.moment in {"waiting", "ready", "retrying"}:
                self._leave_out(index, "failed" if mark.attempt else "skipped", reason)

    def _leave_out(self, index: int, status: StepStatus, reason: str = "") -> None:
        if index in self.ready:
            self.ready.remove(index)
        self._settle(index)
        self._finish(index, status, reason)

    def _finish(self, index: int, status: StepStatus, reason: str = "") -> None:
        self._set(index, moment=status, reason=reason)
        self.instructions.append(FinishStep(index, status, reason))

    def _close(self, reason: str) -> None:
        if self.is_cancelled or self.closing:
            return
        self.closing = reason
        self._skip_waiting(reason)
        if self.busy:
            self.instructions.append(StopAttempts(reason))

    def _cancel(self) -> None:
        if self.is_cancelled:
            self._abandon()
            return
        self.is_cancelled = True
        for index, mark in enumerate(self.marks):
            if mark.moment in {"waiting", "ready", "retrying", "staged", "late"}:
                self._leave_out(index, "cancelled")
        if any(mark.moment not in _ENDED for mark in self.marks):
            self.instructions.append(CancelAttempts())

    def _abandon(self) -> None:
        if not self.is_cancelled:
            return
        self.instructions.append(AbandonAttempts())
        for index, mark in enumerate(self.marks):
            if mark.moment not in _ENDED:
                self._leave_out(index, "cancelled")
        self.busy = 0

    def hold_at_the_end(self, index: int, reason: str) -> None:
        self._finish(index, "held", reason)

    def end(self) -> None:
        self.has_ended = True
        if self.is_cancelled:
            self.instructions.append(EndRun("cancelled", ()))
            return
        publish = self._publish_set()
        for index, mark in enumerate(self.marks):
            if mark.has_changes and mark.moment == "built" and index not in publish:
                self._finish(index, "held", self._why_not_published(index, publish))
        moments = {mark.moment for mark in self.marks}
        status: RunStatus = (
            "failed" if "failed" in moments else "held" if "held" in moments else "succeeded"
        )
        if status != "succeeded" and self.before.is_all_or_nothing:
            for index in sorted(publish):
                self._finish(index, "held", "published all or nothing")
            publish = set()
        self.instructions.append(EndRun(status, tuple(sorted(publish))))

    def _publish_set(self) -> set[int]:
        """What moves to the target: closed under inputs, and under all that passing gates read."""
        publish = {
            index
            for index, mark in enumerate(self.marks)
            if mark.has_changes and mark.moment == "built"
        }
        publish -= self._held_by_views()
        while True:
            torn = {
                index
                for index in publish
                if any(
                    self.marks[other].has_changes and other not in publish
                    for other in self._relied_on(index)
                )
            }
            if not torn:
                return publish
            publish -= torn

    def _relied_on(self, index: int) -> set[int]:
        node = self.shape.nodes[index]
        found = {*node.parents, *node.gate_reads}
        # A view that only judges has no version of its own: what it reads counts in its place.
        for other in list(found):
            if self.shape.nodes[other].judges_only:
                found |= set(self.shape.nodes[other].parents)
        return found - {index}

    def _held_by_views(self) -> set[int]:
        """What failing views read: publishing it would change what their readers see."""
        found: set[int] = set()
        for index, mark in enumerate(self.marks):
            if mark.moment == "held" and self._only_judges(index):
                pending = list(self.shape.nodes[index].parents)
                while pending:
                    parent = pending.pop()
                    found.add(parent)
                    if self._only_judges(parent):
                        pending.extend(self.shape.nodes[parent].parents)
        return found

    def _why_not_published(self, index: int, publish: set[int]) -> str:
        for view, mark in enumerate(self.marks):
            is_judge = mark.moment == "held" and self._only_judges(view)
            if is_judge and index in self.shape.nodes[view].parents:
                return f"its reader {self.shape.nodes[view].name} is held"
        for other in sorted(self._relied_on(index)):
            if self.marks[other].has_changes and other not in publish:
                verb = "needs" if other in self.shape.nodes[index].parents else "its checks read"
                return f"{verb} {self.shape.nodes[other].name}, which is held"
        return "what it relies on is held"
