# SPDX-License-Identifier: Apache-2.0
"""Random runs with random luck: they end, never start too much, and publish what is closed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mainstem.runs import moves
from mainstem.runs.machine import State, decide
from mainstem.runs.mark import ENDED
from mainstem.runs.shape import Node, Shape, early_gate_reads
from mainstem.types import Retry


@st.composite
def _states(draw):
    count = draw(st.integers(1, 7))
    parents = [
        tuple(sorted(draw(st.sets(st.integers(0, index - 1), max_size=3)))) if index else ()
        for index in range(count)
    ]
    wanted = draw(
        st.lists(
            st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(
                lambda pair: pair[0] != pair[1]
            ),
            max_size=5,
            unique=True,
        )
    )
    gated = draw(st.sets(st.integers(0, count - 1)))
    judges = {index for index in draw(st.sets(st.integers(0, count - 1))) if parents[index]}
    accepted = early_gate_reads(parents, wanted)
    nodes = []
    for index in range(count):
        reads = {read for owner, read in wanted if owner == index}
        early = {read for read in reads if (index, read) in accepted}
        nodes.append(
            Node(
                name=f"s{index}",
                parents=parents[index],
                early_gates=bool(early) or index in gated,
                late_gates=bool(reads - early),
                gate_reads=tuple(sorted(reads)),
                gate_waits=tuple(sorted(early)),
                judges_only=index in judges,
                priority=draw(st.integers(-1, 1)),
                pools=draw(st.sampled_from([(), (), ("a",), ("a", "b")])),
            )
        )
    return State.of(
        Shape.of(nodes),
        slots=draw(st.integers(1, 3)),
        is_fail_fast=draw(st.booleans()),
        is_all_or_nothing=draw(st.booleans()),
    )


class _World:
    """Carries instructions out with luck drawn by Hypothesis, and watches."""

    def __init__(self, state, data):
        self.state, self.data = state, data
        self.open, self.end, self.final = [], None, {}
        self.attempting = set()
        self.holding = set()
        self.limit = {"a": data.draw(st.integers(1, 2)), "b": 1}
        self.due = set()
        self.polls = 0
        self.came_through = set()

    def tell(self, *events):
        pending = list(events)
        while pending:
            given, marks = self.state, [mark.copy() for mark in self.state.marks]
            self.state, instructions = decide(given, *pending)
            assert list(given.marks) == marks
            pending = [answer for item in instructions for answer in self._carry_out(item)]
        for index, mark in enumerate(self.state.marks):
            if mark.moment in {"built", "unchanged", "skipped", "late", "judging_late"}:
                self.came_through.add(index)
        assert len(self.attempting) <= self.state.slots
        for pool, limit in self.limit.items():
            assert self._used(pool) <= limit
        marks = [mark.moment for mark in self.state.marks]
        assert self.state.open == sum(moment not in ENDED for moment in marks)
        assert self.state.late == marks.count("late")
        if not self.state.is_paused and self.state.busy < self.state.slots and not self.end:
            assert "ready" not in marks

    def _used(self, pool):
        nodes = self.state.shape.nodes
        return sum(pool in nodes[step].pools for step in self.holding)

    def _carry_out(self, item):
        match item:
            case moves.Claim(step, _attempt):
                pools = self.state.shape.nodes[step].pools
                has_room = all(self._used(pool) < self.limit[pool] for pool in pools)
                if has_room:
                    self.holding.add(step)
                yield moves.Claimed(step, is_granted=has_room)
            case moves.WaitForSlot(pools):
                assert pools not in self.due
                self.due.add(pools)
                self.open.append(item)
            case moves.StartAttempt(step, _attempt):
                node = self.state.shape.nodes[step]
                assert set(node.parents) <= self.came_through
                assert step in self.holding or not node.pools
                self.attempting.add(step)
                self.open.append(item)
            case moves.Decide() | moves.WaitForRetry() | moves.EvaluateGates():
                self.open.append(item)
            case moves.AbandonAttempts():
                self.open.clear()
                self.attempting.clear()
                self.holding.clear()
            case moves.FinishStep(step, status, _reason):
                self.holding.discard(step)
                self.final[step] = status
            case moves.EndRun():
                assert self.end is None
                self.end = item

    def answer(self):
        # Who waits for a slot may ask in vain, but not for ever.
        patient = [item for item in self.open if not isinstance(item, moves.WaitForSlot)]
        choice = patient if patient and self.polls > 20 else self.open
        item = choice[self.data.draw(st.integers(0, len(choice) - 1))]
        self.open.remove(item)
        if isinstance(item, moves.WaitForSlot):
            self.due.discard(item.pools)
            self.polls += 1
            return moves.SlotDue(item.pools)
        step = item.step
        match item:
            case moves.Decide():
                if self.state.shape.nodes[step].judges_only:
                    return moves.Decided(step, "judge")
                action = self.data.draw(
                    st.sampled_from(["attempt", "attempt", "attempt", "unchanged", "skip"])
                )
                return moves.Decided(
                    step, action, retry=Retry(count=self.data.draw(st.integers(0, 2)))
                )
            case moves.StartAttempt(_step, attempt):
                self.attempting.discard(step)
                self.holding.discard(step)
                luck = self.data.draw(st.integers(0, 4))
                if luck == 0:
                    return moves.AttemptFailed(step, attempt, is_retryable=True)
                if luck == 1:
                    return moves.AttemptFailed(step, attempt)
                return moves.AttemptSucceeded(step, attempt, has_changes=luck != 2)
            case moves.WaitForRetry():
                return moves.RetryDue(step)
            case moves.EvaluateGates(_step, moment):
                held = "1 of 1 check failed" if self.data.draw(st.booleans()) else ""
                return moves.GatesEvaluated(step, moment, held)
        raise AssertionError(item)


@settings(max_examples=2 * settings().max_examples, deadline=None)
@given(_states(), st.data())
def test_whatever_happens_a_run_ends_and_publishes_a_closed_set(state, data):
    world = _World(state, data)
    world.tell(moves.Begun())
    cancel_after = data.draw(st.integers(1, 200))
    pause_after = data.draw(st.integers(0, 60))
    overtime_after = data.draw(st.integers(1, 100))
    for number in range(500):
        if world.end is not None:
            break
        if number == cancel_after:
            world.tell(moves.CancelRequested())
            continue
        if number == overtime_after:
            world.tell(moves.RunTimedOut("the run took too long"))
            assert all(mark.moment != "ready" for mark in world.state.marks)
            continue
        if number == pause_after:
            world.tell(moves.PauseRequested())
            continue
        if world.state.is_paused and (not world.open or number == pause_after + 10):
            world.tell(moves.ResumeRequested())
            continue
        assert world.open, "nobody will ever say anything again"
        world.tell(world.answer())

    assert world.end is not None
    nodes, marks = world.state.shape.nodes, world.state.marks
    published = set(world.end.publish)
    assert set(world.final) == set(range(len(nodes)))
    for index in published:
        assert world.final[index] == "built"
        for other in {*nodes[index].parents, *nodes[index].gate_reads}:
            assert not marks[other].has_changes or other in published
    for index, node in enumerate(nodes):
        if node.judges_only and world.final[index] == "held":
            assert not published & set(node.parents)
    if world.end.status in {"failed", "held"} and state.is_all_or_nothing:
        assert not published
    if world.end.status == "cancelled":
        assert not published
    assert decide(world.state, moves.RetryDue(0)) == (world.state, ())
