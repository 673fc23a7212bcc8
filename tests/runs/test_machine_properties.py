# SPDX-License-Identifier: Apache-2.0
"""Random runs with random luck: they end, never start too much, and publish what is closed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mainstem.runs import moves
from mainstem.runs.machine import State, decide
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
        self.came_through = set()

    def tell(self, *events):
        self.state, instructions = decide(self.state, *events)
        for item in instructions:
            match item:
                case moves.StartAttempt(step, _attempt):
                    node = self.state.shape.nodes[step]
                    assert set(node.parents) <= self.came_through
                    self.attempting.add(step)
                    self.open.append(item)
                case moves.Decide() | moves.WaitForRetry() | moves.EvaluateGates():
                    self.open.append(item)
                case moves.AbandonAttempts():
                    self.open.clear()
                    self.attempting.clear()
                case moves.FinishStep(step, status, _reason):
                    self.final[step] = status
                case moves.EndRun():
                    assert self.end is None
                    self.end = item
        for index, mark in enumerate(self.state.marks):
            if mark.moment in {"built", "unchanged", "skipped", "late", "judging_late"}:
                self.came_through.add(index)
        assert len(self.attempting) <= self.state.slots

    def answer(self):
        index = self.data.draw(st.integers(0, len(self.open) - 1))
        item = self.open.pop(index)
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


@settings(max_examples=400, deadline=None)
@given(_states(), st.data())
def test_whatever_happens_a_run_ends_and_publishes_a_closed_set(state, data):
    world = _World(state, data)
    world.tell(moves.Begun())
    cancel_after = data.draw(st.integers(1, 200))
    overtime_after = data.draw(st.integers(1, 100))
    for number in range(500):
        if world.end is not None:
            break
        if number == cancel_after:
            world.tell(moves.CancelRequested())
            continue
        if number == overtime_after:
            world.tell(moves.RunTimedOut("the run took too long"))
            assert not world.state.ready
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
