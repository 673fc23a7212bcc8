# SPDX-License-Identifier: Apache-2.0
"""What a run does next: `decide(state, event) -> (state, instructions)`, no clock, no I/O.

The driver carries instructions out and feeds events back. Everything that is hard about a run is
here: who may start, what a failure takes with it, what another attempt waits for, what may be
published together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field

from mainstem.runs.closure import Closure
from mainstem.runs.event import RunStatus, StepStatus
from mainstem.runs.mark import ENDED, UNSTARTED, Mark, Moment
from mainstem.runs.moves import (
    AbandonAttempts,
    AttemptFailed,
    AttemptSucceeded,
    Begun,
    CancelAttempts,
    CancelExpired,
    CancelRequested,
    Claim,
    Claimed,
    Decide,
    Decided,
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
from mainstem.runs.persistent import Chunks, Draft, Heap, pushed
from mainstem.runs.shape import Shape
from mainstem.types import dataclass


@dataclass(frozen=True, slots=True)
class State:
    """A run between two events."""

    shape: Shape
    marks: Chunks[Mark]
    open: int = 0
    """Steps that have not ended,"""
    late: int = 0
    """and those of them that wait for the end."""
    ready: Heap | None = None
    """By priority, then by place; those that were left out since are passed over."""
    queues: Mapping[tuple[str, ...], Heap] = field(default_factory=dict)
    """Steps that wait for slots, by the pools that they need."""
    polled: frozenset[tuple[str, ...]] = frozenset()
    """Queues whose next step is called after a while, whatever happens here."""
    busy: int = 0
    """Steps that go on now."""
    slots: int = 4
    is_fail_fast: bool = False
    is_all_or_nothing: bool = False
    is_cancelled: bool = False
    is_paused: bool = False
    """What goes on goes on; nothing is started."""
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
        marks = Chunks.of(
            Mark(missing=len(node.parents), gate_missing=len(node.gate_waits))
            for node in shape.nodes
        )
        return cls(
            shape=shape,
            marks=marks,
            open=len(marks),
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
        self.marks: Draft[Mark] = state.marks.edit()
        self.open, self.late, self.busy = state.open, state.late, state.busy
        self.ready = state.ready
        self.queues = dict(state.queues)
        self.polled = state.polled
        self.is_paused = state.is_paused
        self.is_cancelled = state.is_cancelled
        self.closing = state.closing
        self.has_ended = False
        self.instructions: list[Instruction] = []

    def state(self) -> State:
        before = self.before
        return State(
            shape=self.shape,
            slots=before.slots,
            is_fail_fast=before.is_fail_fast,
            is_all_or_nothing=before.is_all_or_nothing,
            marks=self.marks.done(),
            open=self.open,
            late=self.late,
            ready=self.ready,
            queues=self.queues,
            polled=self.polled,
            busy=self.busy,
            is_paused=self.is_paused,
            is_cancelled=self.is_cancelled,
            closing=self.closing,
            has_ended=self.has_ended,
        )

    def take(self, event: Event) -> None:
        match event:
            case Begun():
                marks = enumerate(self.before.marks)
                self._make_ready(*(index for index, mark in marks if not mark.missing))
            case Decided():
                self._decided(event)
            case AttemptSucceeded():
                self._succeeded(event)
            case AttemptFailed():
                self._failed(event)
            case Claimed():
                self._claimed(event)
            case SlotDue(pools):
                self.polled -= {pools}
                self._call_next(pools)
            case PauseRequested():
                self.is_paused = True
            case ResumeRequested():
                self.is_paused = False
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
        if self.is_cancelled or self.is_paused:
            return
        while self.busy < self.before.slots:
            index = self._next_ready()
            if index is None:
                return
            self.busy += 1
            if self.marks[index].is_decided:
                self._claim_or_start(index)
            else:
                self._move(index, "deciding")
                self.instructions.append(Decide(index))

    def end_if_done(self) -> None:
        if self.open and self.open == self.late and not self.is_paused:
            for index in self._indexes({"late"}):
                self._judge(index, "late")
        if not self.open:
            self.end()

    def _indexes(self, moments: Iterable[str]) -> list[int]:
        return [index for index, mark in enumerate(self.marks) if mark.moment in moments]

    def _move(self, index: int, moment: Moment | StepStatus) -> Mark:
        """Let a step come to a moment, and give its mark to be changed further."""
        mark = self.marks.own(index)
        self.open += (mark.moment in ENDED) - (moment in ENDED)
        self.late += (moment == "late") - (mark.moment == "late")
        mark.moment = moment
        return mark

    def _make_ready(self, *indexes: int) -> None:
        nodes = self.shape.nodes
        for index in indexes:
            self._move(index, "ready")
        self.ready = pushed(self.ready, [(-nodes[index].priority, index) for index in indexes])

    def _next_ready(self) -> int | None:
        while (heap := self.ready) is not None:
            self.ready = heap.rest
            if self.marks[heap.first].moment == "ready":
                return heap.first
        return None

    def _claim_or_start(self, index: int) -> None:
        """Start, or ask for slots; whoever comes later than others that wait waits behind them."""
        mark, pools = self.marks[index], self.shape.nodes[index].pools
        if not mark.claims:
            self._start(index)
        elif mark.is_called or self._first_in(pools) is None:
            self._move(index, "claiming").is_called = False
            self.instructions.append(Claim(index, mark.attempt + 1))
        else:
            self._queue(index)

    def _claimed(self, event: Claimed) -> None:
        index = event.step
        if self.marks[index].moment != "claiming":
            return
        if self.is_cancelled or self.closing:
            self.busy -= 1
            self._leave_out(index, "cancelled" if self.is_cancelled else "skipped", self.closing)
        elif event.is_granted:
            self._start(index)
            self._call_next(self.shape.nodes[index].pools)
        else:
            self._queue(index)

    def _queue(self, index: int) -> None:
        """Let a step wait for slots; that takes no place from steps that can go on."""
        pools = self.shape.nodes[index].pools
        self.busy -= 1
        self._move(index, "pooled")
        order = -self.shape.nodes[index].priority
        heap = pushed(self.queues.get(pools), [(order, index)])
        assert heap is not None, "something was pushed"
        self.queues[pools] = heap
        if pools not in self.polled:
            self.polled |= {pools}
            self.instructions.append(WaitForSlot(pools))

    def _first_in(self, pools: tuple[str, ...]) -> int | None:
        """Give who is next in a queue; whoever was left out since is taken out of it."""
        heap = self.queues.get(pools)
        while heap is not None and self.marks[heap.first].moment != "pooled":
            heap = heap.rest
        if heap is None:
            self.queues.pop(pools, None)
            return None
        self.queues[pools] = heap
        return heap.first

    def _call_next(self, pools: tuple[str, ...]) -> None:
        index = self._first_in(pools)
        if index is not None:
            rest = self.queues[pools].rest
            if rest is None:
                del self.queues[pools]
            else:
                self.queues[pools] = rest
            self.marks.own(index).is_called = True
            self._make_ready(index)

    def _free_pools(self, index: int) -> None:
        """Its slots were given back: whoever waits for one of them may ask again."""
        if not self.marks[index].claims:
            return
        freed = set(self.shape.nodes[index].pools)
        for pools in [pools for pools in self.queues if freed.intersection(pools)]:
            self._call_next(pools)

    def _start(self, index: int) -> None:
        mark = self._move(index, "running")
        mark.attempt += 1
        self.instructions.append(StartAttempt(index, mark.attempt))

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
            mark = self.marks.own(index)
            mark.is_decided, mark.retry = True, event.retry
            mark.claims = event.claims and bool(self.shape.nodes[index].pools)
            self._claim_or_start(index)
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
        self._free_pools(event.step)
        if self.is_cancelled:
            self.busy -= 1
            self._leave_out(event.step, "cancelled")
        else:
            self._stage(event.step, has_changes=event.has_changes)

    def _stage(self, index: int, *, has_changes: bool) -> None:
        self._move(index, "staged").has_changes = has_changes
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
        self.marks.own(index).is_settled = True
        for waiter in self.shape.gate_waiters[index]:
            mark = self.marks.own(waiter)
            mark.gate_missing -= 1
            if not mark.gate_missing and mark.moment == "staged" and waiter != index:
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
        self._move(index, "judging" if moment == "early" else "judging_late")
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
            self._move(index, "late")
        else:
            self._finish(index, "unchanged" if self._only_judges(index) else "built")
        self._release_children(index)

    def _hold(self, index: int, reason: str) -> None:
        self._finish(index, "held", reason)
        self._skip_descendants(index)

    def _release_children(self, index: int) -> None:
        released = []
        for child in self.shape.children[index]:
            mark = self.marks.own(child)
            mark.missing -= 1
            if not mark.missing and mark.moment == "waiting" and not self.is_cancelled:
                released.append(child)
        self._make_ready(*released)

    def _failed(self, event: AttemptFailed) -> None:
        index = event.step
        mark = self.marks[index]
        if mark.moment != "running" or mark.attempt != event.attempt:
            return
        self.busy -= 1
        self._free_pools(index)
        if self.is_cancelled:
            self._settle(index)
            self._finish(index, "cancelled")
        elif event.is_retryable and mark.retry.may_follow(mark.attempt) and not self.closing:
            delay = mark.retry.delay_after(mark.attempt, event.jitter)
            self._move(index, "retrying")
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
            if self.marks[child].moment in {"waiting", "ready", "pooled"}:
                self._leave_out(child, "skipped", f"needs {name}")
                pending.extend(self.shape.children[child])

    def _skip_waiting(self, reason: str) -> None:
        for index in self._indexes(UNSTARTED):
            self._leave_out(index, "failed" if self.marks[index].attempt else "skipped", reason)

    def _leave_out(self, index: int, status: StepStatus, reason: str = "") -> None:
        self._settle(index)
        self._finish(index, status, reason)

    def _finish(self, index: int, status: StepStatus, reason: str = "") -> None:
        self._move(index, status).reason = reason
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
        for index in self._indexes(UNSTARTED | {"staged", "late"}):
            self._leave_out(index, "cancelled")
        if self.open:
            self.instructions.append(CancelAttempts())

    def _abandon(self) -> None:
        if not self.is_cancelled:
            return
        self.instructions.append(AbandonAttempts())
        for index in [index for index, mark in enumerate(self.marks) if mark.moment not in ENDED]:
            self._leave_out(index, "cancelled")
        self.busy = 0

    def hold_at_the_end(self, index: int, reason: str) -> None:
        self._finish(index, "held", reason)

    def end(self) -> None:
        self.has_ended = True
        if self.is_cancelled:
            self.instructions.append(EndRun("cancelled", ()))
            return
        marks = list(self.marks)
        closure = Closure(self.shape, marks)
        publish = set(closure.publish)
        held = {
            index: closure.why_not(index)
            for index, mark in enumerate(marks)
            if mark.has_changes and mark.moment == "built" and index not in publish
        }
        for index, reason in held.items():
            self._finish(index, "held", reason)
        moments = {mark.moment for mark in self.marks}
        status: RunStatus = (
            "failed" if "failed" in moments else "held" if "held" in moments else "succeeded"
        )
        if status != "succeeded" and self.before.is_all_or_nothing:
            for index in sorted(publish):
                self._finish(index, "held", "published all or nothing")
            publish = set()
        self.instructions.append(EndRun(status, tuple(sorted(publish))))
