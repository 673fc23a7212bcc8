# SPDX-License-Identifier: Apache-2.0
"""Runs as text, to the character (GRAMMAR 6)."""

from datetime import UTC, datetime
from pathlib import Path

from mainstem.cli.render.look import PLAIN, Look
from mainstem.cli.render.run import finished_lines, retry_line, started_line, step_line
from mainstem.errors import StepFailed
from mainstem.runs import RunFinished, RunStarted, StepFinished, StepRetried
from mainstem.types import AssetKey, CheckResult

CASES = Path(__file__).parents[1] / "cases" / "cli"
TERMINAL = Look(has_glyphs=True)
RAW = AssetKey.parse("raw.flights")
STAGING = AssetKey.parse("staging.flights")
FACT = AssetKey.parse("marts.fct_flights")
DELAYS = AssetKey.parse("marts.delays")


def expected(name):
    return (CASES / name).read_text().splitlines()


def _result(key, title, verdict="passed", severity="error", message="", sample=(), failed=None):
    return CheckResult(
        check_id=f"{key}/{title}",
        asset=key,
        verdict=verdict,
        severity=severity,
        message=message,
        sample=sample,
        failed_count=failed,
    )


def _steps():
    warned = _result(
        STAGING,
        "relationships(dest)",
        verdict="warned",
        severity="warn",
        message="relationships(dest -> raw.airports.faa): 7,602 of 336,776 rows (2.3 %), 4 values",
        sample=(
            {"dest": "SJU", "rows": 5819},
            {"dest": "BQN", "rows": 896},
            {"dest": "STT", "rows": 522},
            {"dest": "PSE", "rows": 365},
        ),
    )
    held = _result(
        FACT,
        "row_count",
        verdict="failed",
        message="row_count(equal_to raw.flights): 284,170 rows, expected 336,776; 52,606 missing",
    )
    return (
        StepFinished(
            key=RAW, status="read", rows=12410, is_increment=True, elapsed_s=1.1, notes=("2 files",)
        ),
        StepFinished(
            key=STAGING,
            status="built",
            rows=336776,
            elapsed_s=0.4,
            checks=(warned, *(_result(STAGING, f"c{n}") for n in range(7))),
        ),
        StepFinished(
            key=FACT,
            status="held",
            rows=284170,
            elapsed_s=0.9,
            checks=(held, _result(FACT, "a"), _result(FACT, "b")),
        ),
        StepFinished(key=DELAYS, status="skipped", reason="needs marts.fct_flights"),
    )


def test_a_run_begins_with_where_it_acts():
    started = RunStarted(
        run_id=13,
        environment="local",
        branch="main",
        step_count=4,
        check_count=13,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
    )

    line = started_line(started, PLAIN)

    assert line == "run 13 · local · branch main · 4 steps, 13 checks · Ctrl-C stops cleanly"


def test_steps_read_as_the_grammar_says():
    lines = [step_line(step, TERMINAL, key_width=17) for step in _steps()]

    assert lines == expected("steps.txt")


def test_without_a_terminal_words_stand_for_glyphs():
    marks = [step_line(step, PLAIN, key_width=17)[2:6] for step in _steps()]

    assert marks == ["ok  ", "warn", "fail", "skip"]


def test_a_held_run_reads_as_the_grammar_says():
    finished = RunFinished(
        run_id=13,
        status="held",
        branch="main",
        published=(RAW, STAGING),
        commit_id="9be1f04cdeadbeef",
        run_branch="run/13",
        kept_days=30,
        elapsed_s=2.6,
        steps=_steps(),
        held_readers_keep={FACT: "the version of run 12 (yesterday 03:02)"},
    )

    lines = finished_lines(finished, TERMINAL)

    assert lines == expected("held.txt")


def test_a_failed_step_shows_its_error_and_the_users_traceback():
    error = StepFailed("A7020", "delays raised ValueError: no", details="Traceback\n  model.py:3")
    finished = RunFinished(
        run_id=2,
        status="failed",
        branch="main",
        steps=(StepFinished(key=DELAYS, status="failed", error=error, elapsed_s=0.2),),
        run_branch="run/2",
    )

    lines = finished_lines(finished, PLAIN)

    assert lines[0] == "Published nothing to main, 0.0 s."
    assert lines[1] == "  FAIL  marts.delays   delays raised ValueError: no"
    assert "          model.py:3" in lines
    assert lines[-1] == (
        "        readers see nothing of it; fix and: mainstem run    more: mainstem explain A7020"
    )


def test_a_retry_says_when_the_next_attempt_begins():
    event = StepRetried(key=RAW, attempt=1, error=StepFailed("A7021", "timed out"), delay_s=2.0)

    line = retry_line(event, PLAIN, key_width=11)

    assert line.endswith("attempt 1 failed, again in 2.0 s: timed out")


def test_nothing_to_do_and_cancelled_are_one_line():
    nothing = RunFinished(run_id=0, status="nothing_to_do", branch="main", elapsed_s=0.3)
    cancelled = RunFinished(
        run_id=4, status="cancelled", branch="main", elapsed_s=1.0, run_branch="run/4"
    )

    assert finished_lines(nothing, PLAIN) == [
        "Nothing to do: everything selected is up to date on main, 0.3 s."
    ]
    assert " ".join(finished_lines(cancelled, PLAIN)).startswith(
        "Cancelled after 1.0 s: nothing was published to main. What was finished is on branch run/4"
    )


def test_what_may_not_run_is_said_though_nothing_ran():
    skipped = StepFinished(key=DELAYS, status="skipped", reason="needs marts.fct_flights")
    event = RunFinished(run_id=0, status="nothing_to_do", branch="main", steps=(skipped,))

    assert finished_lines(event, PLAIN) == [
        "  skip marts.delays    not built        needs marts.fct_flights",
        "Nothing was done on main: 1 asset skipped, 0.0 s.",
    ]


def test_what_was_left_behind_is_named_unless_it_was_told_already():
    event = RunFinished(
        run_id=3,
        status="succeeded",
        branch="main",
        published=(RAW,),
        commit_id="9be1f04cdeadbeef",
        steps=(
            StepFinished(key=RAW, status="read", rows=1),
            StepFinished(key=DELAYS, status="skipped", reason="needs marts.fct_flights"),
        ),
        stale=(STAGING, DELAYS),
    )

    lines = finished_lines(event, PLAIN)

    assert lines[-1] == "  STALE staging.flights was made from older inputs: mainstem run"
