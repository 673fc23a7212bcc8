# SPDX-License-Identifier: Apache-2.0
"""Event scripts: each file of tests/cases/runs says what the machine answers to what it is told.

Above `---`: one step a line, `name <- parents`, then `gates` or `late` (with the steps that they
read in parentheses), `judge`, `pool(names)`, `priority N`; and options. Below: `> event`, followed
by the instructions expected.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mainstem.runs import moves
from mainstem.runs.machine import State, decide
from mainstem.runs.shape import Node, Shape
from mainstem.types import Retry

CASES = sorted((Path(__file__).parents[1] / "cases" / "runs").glob("*.txt"))
_STEP = re.compile(
    r"(?P<name>\w+)(?: <- (?P<parents>\w+(?: \w+)*?))?"
    r"(?P<early> gates(?:\((?P<early_reads>[\w ]*)\))?)?"
    r"(?P<late> late(?:\((?P<late_reads>[\w ]*)\))?)?(?P<judge> judge)?"
    r"(?: pool\((?P<pools>[\w ]*)\))?(?: priority (?P<priority>-?\d+))?"
)


def _shape(lines):
    names, nodes, options = [], [], {}
    parsed = []
    for line in lines:
        if line.startswith("slots "):
            options["slots"] = int(line.split()[1])
        elif line in {"fail_fast", "all_or_nothing"}:
            options[f"is_{line}"] = True
        else:
            match = _STEP.fullmatch(line)
            assert match, line
            names.append(match["name"])
            parsed.append(match)
    number = {name: index for index, name in enumerate(names)}

    def indexes(text):
        return tuple(sorted(number[name] for name in (text or "").split()))

    for match in parsed:
        early, late = indexes(match["early_reads"]), indexes(match["late_reads"])
        nodes.append(
            Node(
                name=match["name"],
                parents=indexes(match["parents"]),
                early_gates=bool(match["early"]),
                late_gates=bool(match["late"]),
                gate_reads=tuple(sorted({*early, *late})),
                gate_waits=early,
                judges_only=bool(match["judge"]),
                pools=tuple((match["pools"] or "").split()),
                priority=int(match["priority"] or 0),
            )
        )
    return names, State.of(Shape.of(nodes), **options)


def _event(text, number):
    words = text.split()
    kind, rest = words[0], words[1:]
    step = number.get(rest[0], -1) if rest else -1
    match kind:
        case "begun":
            return moves.Begun()
        case "decided":
            if rest[2:] == ["links"]:
                return moves.Decided(step, rest[1], "as told", claims=False)
            told = dict(zip(rest[2::2], rest[3::2], strict=True))
            retry = Retry(
                count=int(told.get("retries", 0)),
                delay_s=float(told.get("delay", 0)),
                backoff=told.get("backoff", "exponential"),
                factor=float(told.get("factor", 2)),
                max_delay_s=float(told.get("max", 300)),
                jitter=float(told.get("jitter", 0.5)),
            )
            return moves.Decided(step, rest[1], "as told", retry)
        case "granted" | "refused":
            return moves.Claimed(step, is_granted=kind == "granted")
        case "slot":
            return moves.SlotDue(tuple(rest))
        case "pause":
            return moves.PauseRequested()
        case "resume":
            return moves.ResumeRequested()
        case "succeeded":
            return moves.AttemptSucceeded(step, int(rest[1]), rest[2:] != ["empty"])
        case "failed":
            return moves.AttemptFailed(
                step, int(rest[1]), rest[2:] == ["retryable"], jitter=0.5, reason="it broke"
            )
        case "due":
            return moves.RetryDue(step)
        case "passed":
            return moves.GatesEvaluated(step, "late" if rest[1:] == ["late"] else "early")
        case "held":
            moment = "late" if rest[1:] == ["late"] else "early"
            return moves.GatesEvaluated(step, moment, "1 of 1 check failed")
        case "overtime":
            return moves.RunTimedOut("the run took too long")
        case "cancel":
            return moves.CancelRequested()
        case "expired":
            return moves.CancelExpired()
    raise AssertionError(text)


def _said(instruction, names):
    match instruction:
        case moves.Decide(step):
            return f"decide {names[step]}"
        case moves.Claim(step, attempt):
            return f"claim {names[step]} {attempt}"
        case moves.WaitForSlot(pools):
            return f"wait for {' '.join(pools)}"
        case moves.StartAttempt(step, attempt):
            return f"start {names[step]} {attempt}"
        case moves.WaitForRetry(step, attempt, delay):
            return f"wait {names[step]} {attempt} {delay:g}"
        case moves.EvaluateGates(step, moment):
            return f"judge {names[step]} {moment}"
        case moves.CancelAttempts():
            return "cancel attempts"
        case moves.StopAttempts():
            return "stop attempts"
        case moves.AbandonAttempts():
            return "abandon attempts"
        case moves.FinishStep(step, status, reason):
            return f"finish {names[step]} {status}" + (f": {reason}" if reason else "")
        case moves.EndRun(status, publish):
            told = " ".join(names[step] for step in publish) or "nothing"
            return f"end {status}, publish {told}"
    raise AssertionError(instruction)


def _run(case):
    lines = [line.rstrip() for line in case.read_text().splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    divide = lines.index("---")
    names, state = _shape(lines[:divide])
    number = {name: index for index, name in enumerate(names)}
    answered = []
    for line in lines[divide + 1 :]:
        if line.startswith("> "):
            events = [_event(part, number) for part in line[2:].split(" & ")]
            state, instructions = decide(state, *events)
            answered.append(line)
            answered.extend(_said(item, names) for item in instructions)
    return lines[divide + 1 :], answered


@pytest.mark.parametrize("case", CASES, ids=[case.stem for case in CASES])
def test_the_machine_answers_as_scripted(case):
    expected, answered = _run(case)

    assert answered == expected
