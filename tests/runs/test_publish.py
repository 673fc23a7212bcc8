# SPDX-License-Identifier: Apache-2.0
"""What a run publishes, what it holds back, and what happens when the target moves meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mainstem import state
from mainstem.errors import BranchConflict, SourceUnavailable, StepFailed
from mainstem.runs import StepFinished
from mainstem.types import AssetKey, Execution, Provenance, Retry, TableWrite

RAISED = StepFailed("A6015", "it broke.")


def _statuses(finished):
    return {str(step.key): step.status for step in finished.steps}


def _fail(_step, _context):
    raise RAISED


def _append(world, name, branch="main"):
    """Write to a table beside any run."""
    key = AssetKey.parse(name)
    target = world.lake.target(branch, key, _schema(world, name), attempt="hand", replaces=False)
    world.lake.commit(
        branch,
        [
            TableWrite(
                key=key,
                operation="append",
                provenance=Provenance(origin="manual", data_version="by hand"),
                schema=target.schema,
                table_id=target.table_id,
            )
        ],
        message="by hand",
    )


def _schema(world, name):
    return world.lake.relation(AssetKey.parse(name), "main").schema


def test_what_failed_and_all_that_needs_it_changes_nothing(world):
    world.source("raw.a")
    world.add("staging.b", "raw.a")
    world.add("marts.c", "staging.b")
    world.add("marts.d", "raw.a")
    world.scripts["staging.b"] = _fail

    finished = world.run()

    assert finished.status == "failed"
    assert finished.exit_code == 2
    assert _statuses(finished) == {
        "raw.a": "read",
        "staging.b": "failed",
        "marts.c": "skipped",
        "marts.d": "built",
    }
    assert {str(key) for key in world.lake.entries("main")} == {"raw.a", "marts.d"}


def test_a_failed_gate_holds_the_new_version_while_readers_keep_the_old(world):
    world.source("raw.a")
    world.add("staging.b", "raw.a")
    check = world.gate("staging.b")
    world.run()
    before = world.version("staging.b")
    world.add("staging.b", "raw.a", code="2")
    world.verdicts[check] = False

    finished = world.run()

    assert finished.status == "held"
    assert finished.published == ()
    assert world.version("staging.b") == before
    assert world.version("staging.b", finished.run_branch) != before
    assert finished.held_readers_keep[AssetKey.parse("staging.b")].startswith("the version of run")


def test_the_branch_of_a_failed_run_is_sealed_and_kept_for_30_days(world):
    world.source("raw.a")
    world.add("staging.b", "raw.a")
    world.verdicts[world.gate("staging.b")] = False

    finished = world.run()

    ref = world.lake.ref(finished.run_branch)
    assert ref.sealed
    assert finished.kept_days == 30
    assert round((ref.expires_at - world.clock.now()).total_seconds() / 86400) == 30


def test_the_branch_of_a_good_run_expires_after_14_days(world):
    world.source("raw.a")

    finished = world.run()

    ref = world.lake.ref(finished.run_branch)
    assert not ref.sealed
    assert round((ref.expires_at - world.clock.now()).total_seconds() / 86400) == 14


def test_an_asset_whose_check_relied_on_a_held_one_is_held_with_it(world):
    world.source("raw.a")
    world.add("staging.b", "raw.a")
    world.add("staging.c", "raw.a")
    world.gate("staging.b", "equal_to", "staging.c")
    world.verdicts[world.gate("staging.c")] = False

    finished = world.run()

    assert _statuses(finished) == {"raw.a": "read", "staging.b": "held", "staging.c": "held"}
    assert {str(key) for key in world.lake.entries("main")} == {"raw.a"}


def test_a_gate_that_reads_what_is_built_later_is_evaluated_late(world):
    world.source("raw.a")
    world.add("staging.b", "raw.a")
    check = world.gate("raw.a", "complete", "staging.b")
    world.verdicts[check] = lambda seen: seen["staging.b"].row_count == 10

    finished = world.run()

    assert finished.status == "succeeded"
    assert world.evaluated == [check]


def test_gates_of_a_view_judge_new_data_and_hold_it(world):
    world.source("raw.a")
    world.add("staging.v", "raw.a", materialized="view")
    check = world.gate("staging.v")
    world.run()
    before = world.version("raw.a")
    world.sources["raw.a"] = "two"
    world.verdicts[check] = False

    finished = world.run()

    assert _statuses(finished) == {"raw.a": "held", "staging.v": "held"}
    assert world.version("raw.a") == before


def test_a_view_is_not_rebuilt_because_data_came_but_what_reads_it_is(world):
    world.source("raw.a")
    world.add("staging.v", "raw.a", materialized="view")
    world.add("marts.t", "staging.v")
    world.run()
    world.sources["raw.a"] = "two"

    world.run()

    assert world.executed == ["raw.a", "marts.t"]


def test_a_cursor_moves_with_its_rows_or_not_at_all(world):
    world.source("raw.a")
    world.verdicts[world.gate("raw.a")] = False

    world.run()

    assert world.lake.cursor(AssetKey.parse("raw.a"), "main") is None


def test_a_publish_onto_a_moved_target_keeps_both(world):
    world.source("raw.a")
    world.source("raw.other")
    world.run()
    world.sources["raw.a"] = "two"
    world.scripts["raw.a"] = lambda _step, _context: _append(world, "raw.other")

    finished = world.run("raw.a")

    assert finished.status == "succeeded"
    assert world.version("raw.a") == "read:two"
    assert world.version("raw.other") == "by hand"


def test_gates_whose_reads_moved_are_evaluated_again_on_the_merged_result(world):
    world.source("raw.a")
    world.source("raw.other")
    check = world.gate("raw.a", "equal_to", "raw.other")
    world.run()
    world.sources["raw.a"] = "two"
    world.scripts["raw.a"] = lambda _step, _context: _append(world, "raw.other")

    finished = world.run("raw.a")

    assert finished.status == "succeeded"
    assert world.evaluated == [check, check]
    assert [ref.name for ref in world.lake.refs() if "candidate" in ref.name] == []


def test_what_fails_on_the_merged_result_is_held(world):
    world.source("raw.a")
    world.source("raw.other")
    check = world.gate("raw.a", "equal_to", "raw.other")
    world.run()
    before = world.version("raw.a")
    world.sources["raw.a"] = "two"
    world.scripts["raw.a"] = lambda _step, _context: _append(world, "raw.other")
    world.verdicts[check] = lambda seen: seen["raw.other"].data_version != "by hand"

    finished = world.run("raw.a")

    assert finished.status == "held"
    assert world.version("raw.a") == before
    assert "on what main is by now" in finished.steps[-1].reason


def test_a_publish_that_loses_three_times_gives_up_and_loses_nothing(world, monkeypatch):
    world.source("raw.a")
    world.source("raw.other")
    world.run()
    world.sources["raw.a"] = "two"
    honest, looks = world.lake.ref, []

    def raced(name):
        # Looks in turn: when the run begins, then before and within each try to publish.
        found = honest(name)
        looks.append(name)
        if len(looks) % 2 == 0:
            _append(world, "raw.other")
        return found

    monkeypatch.setattr(world.lake, "ref", raced)
    with pytest.raises(BranchConflict) as caught:
        world.run("raw.a")

    assert caught.value.code == "A6014"
    assert world.version("raw.a") == "read:one"


def test_a_step_that_cannot_be_committed_fails_alone(world):
    world.source("raw.a")
    world.add("staging.b")
    world.add("staging.c")

    def stale(step, context):
        outcome = step.write(context)
        changes = tuple(
            TableWrite(
                **{
                    **{name: getattr(change, name) for name in change.__slots__},
                    "base_version": "a version that never was",
                }
            )
            for change in outcome.changes
        )
        return type(outcome)(changes=changes)

    world.scripts["staging.b"] = stale

    finished = world.run()

    assert _statuses(finished)["staging.b"] == "failed"
    assert _statuses(finished)["staging.c"] == "built"


def test_an_effect_runs_each_time_and_publishes_nothing(world):
    world.source("raw.a")
    world.add("ops.mail", "raw.a", kind="python", materialized="none")
    world.run()

    again = world.run()

    assert world.executed == ["ops.mail"]
    assert again.status == "succeeded"
    assert (again.commit_id, again.run_branch) == ("", "")


def test_a_group_is_built_by_one_step(world):
    for name in ("g.x", "g.y"):
        world.add(name, kind="python", group="both")

    finished = world.run()

    assert world.executed == ["g.x"]
    assert _statuses(finished) == {"g.x": "built", "g.y": "built"}


def test_a_flaky_step_is_tried_again_and_says_so(world):
    world.source("raw.a")
    world.step_options["raw.a"] = Execution(retry=Retry(count=2, delay_s=4.0))
    failures = [SourceUnavailable("A3001", "not now."), SourceUnavailable("A3001", "not now.")]

    def flaky(_step, _context):
        if failures:
            raise failures.pop()

    world.scripts["raw.a"] = flaky

    finished = world.run()

    assert finished.status == "succeeded"
    retried = [event for event in world.events if type(event).__name__ == "StepRetried"]
    assert [event.delay_s for event in retried] == [3.0, 6.0]


def test_every_step_ends_with_an_event_and_the_summary_comes_last(world):
    world.source("raw.a")
    world.add("staging.b", "raw.a")

    finished = world.run()

    ended = [str(event.key) for event in world.events if isinstance(event, StepFinished)]
    assert ended == ["raw.a", "staging.b"]
    assert world.events[-1] is finished


def test_whatever_a_step_raises_is_a_failure_of_that_step(world):
    world.add("staging.a")
    world.add("staging.b")

    def leave(_step, _context):
        raise SystemExit(3)

    world.scripts["staging.a"] = leave

    finished = world.run()

    assert _statuses(finished) == {"staging.a": "failed", "staging.b": "built"}
    error = finished.steps[0].error or finished.steps[1].error
    assert "SystemExit" in error.details


def test_a_step_that_writes_to_another_asset_fails(world):
    world.add("staging.a")
    world.add("staging.b")
    world.scripts["staging.a"] = lambda step, context: step.write(
        context, key=AssetKey.parse("staging.b")
    )

    finished = world.run("staging.a")

    assert _statuses(finished) == {"staging.a": "failed"}


def test_what_a_step_prints_is_kept_with_the_run(world):
    world.source("raw.a")

    def chatty(_step, context):
        context.log("hello", stream="stdout")
        context.log("trouble", stream="stderr")

    world.scripts["raw.a"] = chatty

    finished = world.run()

    lines = world.logs.tail(finished.run_id, "raw.a").lines
    assert [(line.kind, line.attempt, line.text) for line in lines] == [
        ("stdout", 1, "hello"),
        ("stderr", 1, "trouble"),
    ]


def test_a_log_says_what_each_attempt_failed_with_and_what_followed(world):
    world.source("raw.a")
    world.step_options["raw.a"] = Execution(retry=Retry(count=1))
    attempts = iter([True, False])

    def flaky(_step, context):
        context.log("working", stream="stdout")
        if next(attempts):
            raise StepFailed("A7110", "raw.a raised it.", details="Traceback: a line", hint="Try.")

    world.scripts["raw.a"] = flaky

    finished = world.run()

    lines = world.logs.tail(finished.run_id, "raw.a").lines
    assert finished.status == "succeeded"
    assert [(line.attempt, line.kind, line.text) for line in lines] == [
        (1, "stdout", "working"),
        (1, "failed", "error[A7110]: raw.a raised it.\nTraceback: a line\nTry."),
        (1, "retried", "attempt 2 follows in 0.75 s"),
        (2, "stdout", "working"),
    ]


def test_the_database_keeps_no_lines_of_steps(world):
    world.source("raw.a")

    def chatty(_step, context):
        for number in range(100):
            context.log(f"line {number}")

    world.scripts["raw.a"] = chatty

    finished = world.run()

    with world.database.read() as transaction:
        kinds = [kind for _at, kind, _asset, _text in state.events(transaction, finished.run_id)]
    assert kinds == ["published"]


def test_what_a_step_tells_is_masked_wherever_it_goes(world):
    world.secrets = ("s3cr3t-word",)
    world.source("raw.a")
    world.source("raw.b")
    world.messages[world.gate("raw.b")] = "found s3cr3t-word"

    def fails(_step, context):
        context.log("login s3cr3t-word")
        context.progress(note="with s3cr3t-word")
        raise ValueError("no s3cr3t-word")

    def notes(step, context):
        return replace(step.read(context), notes=("s3cr3t-word",), warnings=("also s3cr3t-word",))

    world.scripts["raw.a"] = fails
    world.scripts["raw.b"] = notes

    finished = world.run()

    assert finished.status in {"failed", "held"}
    assert "s3cr3t" not in repr(world.events)
    assert "s3cr3t" not in repr(finished)
    for file in world.folder.rglob("*"):
        assert not file.is_file() or b"s3cr3t" not in file.read_bytes(), file


def test_selecting_one_member_of_a_group_builds_the_group(world):
    for name in ("g.x", "g.y"):
        world.add(name, kind="python", group="both")

    finished = world.run("g.y")

    assert _statuses(finished) == {"g.x": "built", "g.y": "built"}


def test_of_a_group_only_what_differs_is_linked(world):
    world.source("raw.a")
    world.source("raw.b")
    for name, source in (("g.x", "raw.a"), ("g.y", "raw.b")):
        world.add(name, source, kind="python", group="both")
    world.run()
    world.add("g.x", "raw.a", kind="python", group="both", code="2")
    world.run()
    world.add("g.x", "raw.a", kind="python", group="both", code="1")

    finished = world.run()

    assert world.executed == []
    assert _statuses(finished) == {"g.x": "linked", "g.y": "unchanged"}


def test_all_or_nothing_publishes_nothing_after_a_failure(world):
    world.source("raw.a")
    world.add("staging.b", "raw.a")
    world.scripts["staging.b"] = _fail

    finished = world.run(run={"all_or_nothing": True})

    assert finished.published == ()
    assert dict(world.lake.entries("main")) == {}
    assert _statuses(finished) == {"raw.a": "held", "staging.b": "failed"}


def test_the_records_of_a_run_tell_what_happened(world):
    world.source("raw.a")
    world.add("staging.b", "raw.a")
    check = world.gate("staging.b")

    finished = world.run()

    with world.database.read() as transaction:
        run = state.run_of(transaction, finished.run_id)
        steps = state.steps(transaction, finished.run_id)
        results = state.check_results(transaction, finished.run_id)
        plan = state.plan_of(transaction, finished.run_id)
    assert (run.status, run.commit_id) == ("succeeded", finished.commit_id)
    assert [(str(step.key), step.status, step.row_count) for step in steps] == [
        ("raw.a", "read", 10),
        ("staging.b", "built", 10),
    ]
    assert [result.check_id for result in results] == [check]
    assert [str(item.key) for item in plan.work] == ["raw.a", "staging.b"]


def test_a_reader_during_a_run_sees_only_whole_commits(world):
    world.source("raw.a")
    world.add("staging.b", "raw.a")
    world.run()
    world.sources["raw.a"] = "two"
    seen = []
    world.scripts["staging.b"] = lambda _step, _context: seen.append(
        (world.version("raw.a"), world.version("staging.b"))
    )
    before = (world.version("raw.a"), world.version("staging.b"))

    world.run()

    assert seen == [before]
    assert world.version("raw.a") == "read:two"


def test_what_is_older_than_its_published_inputs_is_reported_as_stale(world):
    world.source("raw.a")
    world.add("staging.b", "raw.a")
    world.add("marts.c", "staging.b")
    world.run()
    world.sources["raw.a"] = "two"
    world.scripts["staging.b"] = _fail

    finished = world.run()

    assert [str(key) for key in finished.stale] == ["staging.b"]


def test_nothing_is_stale_after_a_good_run(world):
    world.source("raw.a")
    world.add("staging.v", "raw.a", materialized="view")
    world.add("marts.c", "staging.v")
    world.run()
    world.sources["raw.a"] = "two"

    assert world.run().stale == ()
