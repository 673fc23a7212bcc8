# SPDX-License-Identifier: Apache-2.0
"""What is built, linked, left alone and kept away, run after run."""

from __future__ import annotations

from mainstem.types import AssetKey


def _statuses(finished):
    return {str(step.key): step.status for step in finished.steps}


def _chain(world):
    world.source("raw.a")
    world.add("staging.b", "raw.a")
    world.add("marts.c", "staging.b")


def test_an_edit_builds_the_asset_and_what_reads_it(world):
    _chain(world)
    world.run()
    world.add("staging.b", "raw.a", code="2")

    world.run()

    assert world.executed == ["staging.b", "marts.c"]


def test_undoing_an_edit_links_what_was_built_before(world):
    _chain(world)
    world.run()
    world.add("staging.b", "raw.a", code="2")
    world.run()
    world.add("staging.b", "raw.a", code="1")

    finished = world.run()

    assert world.executed == []
    assert _statuses(finished) == {"staging.b": "linked", "marts.c": "linked"}


def test_what_a_branch_built_is_linked_on_main_and_judged_anew(world):
    _chain(world)
    world.run()
    world.lake.create_branch("dev", at="main")
    check = world.gate("staging.b")
    world.add("staging.b", "raw.a", code="2")
    world.run(branch="dev")

    finished = world.run()

    assert world.executed == []
    assert world.evaluated == [check]
    assert _statuses(finished) == {"staging.b": "linked", "marts.c": "linked"}
    assert world.version("marts.c") == world.version("marts.c", "dev")


def test_a_plan_says_on_which_branch_a_link_was_built(world):
    _chain(world)
    world.run()
    world.lake.create_branch("dev", at="main")
    world.add("staging.b", "raw.a", code="2")
    world.run(branch="dev")

    actions = world.actions()

    assert actions["staging.b"] == ("link", "built on dev from the same code and inputs")
    assert actions["marts.c"][0] == "link"


def test_what_a_failed_run_built_is_linked_by_the_next(world):
    _chain(world)
    check = world.gate("marts.c")
    world.verdicts[check] = False
    world.run()
    world.verdicts[check] = True

    finished = world.run()

    assert world.executed == []
    assert _statuses(finished) == {"marts.c": "linked"}
    assert finished.status == "succeeded"


def test_a_touched_but_equal_source_builds_nothing(world):
    _chain(world)
    world.run()
    plan_with = world._observe
    world._observe = lambda asset: type(plan_with(asset))(is_fresh=False, summary="1 file touched")

    finished = world.run()

    assert world.executed == ["raw.a"]
    assert _statuses(finished) == {
        "raw.a": "unchanged",
        "staging.b": "unchanged",
        "marts.c": "unchanged",
    }


def test_an_incremental_model_gets_new_rows_only_while_its_inputs_are_appended_to(world):
    world.source("raw.a")
    world.add("marts.i", "raw.a", materialized="incremental", on_code_change="forward")
    world.run()
    first = world.lake.entry(AssetKey.parse("marts.i"))
    world.sources["raw.a"] = "two"

    finished = world.run()

    second = world.lake.entry(AssetKey.parse("marts.i"))
    assert (first.row_count, second.row_count) == (10, 20)
    assert finished.steps[-1].is_increment


def test_an_incremental_model_reads_through_views(world):
    world.source("raw.a")
    world.add("staging.v", "raw.a", materialized="view")
    world.add("marts.i", "staging.v", materialized="incremental", on_code_change="forward")
    world.run()
    world.sources["raw.a"] = "two"

    world.run()

    assert world.lake.entry(AssetKey.parse("marts.i")).row_count == 20


def test_an_incremental_model_is_built_anew_when_an_input_was_replaced(world):
    world.source("raw.a")
    world.add("staging.t", "raw.a")
    world.add("marts.i", "staging.t", materialized="incremental", on_code_change="forward")
    world.run()
    world.sources["raw.a"] = "two"

    world.run()

    assert world.lake.entry(AssetKey.parse("marts.i")).row_count == 10


def test_upstream_mutable_keeps_the_increment(world):
    world.source("raw.a")
    world.add("staging.t", "raw.a")
    world.add(
        "marts.i",
        "staging.t",
        materialized="incremental",
        on_code_change="forward",
        upstream_mutable=True,
    )
    world.run()
    world.sources["raw.a"] = "two"

    world.run()

    assert world.lake.entry(AssetKey.parse("marts.i")).row_count == 20


def test_changed_code_goes_forward_and_says_that_old_rows_keep_the_old_logic(world):
    world.source("raw.a")
    world.add("marts.i", "raw.a", materialized="incremental", on_code_change="forward")
    world.run()
    world.add("marts.i", "raw.a", code="2", materialized="incremental", on_code_change="forward")

    planned = world.plan().assets[-1]
    world.run()

    assert not planned.is_full_rebuild
    assert "old rows keep the old logic" in planned.details[0]
    assert world.lake.entry(AssetKey.parse("marts.i")).row_count == 20


def test_rebuild_makes_all_rows_anew(world):
    world.source("raw.a")
    world.add("marts.i", "raw.a", materialized="incremental", on_code_change="forward")
    world.run()
    world.add("marts.i", "raw.a", code="2", materialized="incremental", on_code_change="forward")
    world.run()

    world.run(rebuild=True)

    assert world.lake.entry(AssetKey.parse("marts.i")).row_count == 10
    assert world.run().status == "nothing_to_do"


def test_an_increment_without_rows_is_not_tried_again(world):
    world.source("raw.a")
    world.add("marts.i", "raw.a", materialized="incremental", on_code_change="forward")
    world.add("marts.t", "marts.i")
    world.run()
    world.sources["raw.a"] = "two"

    def nothing_new(step, _context):
        from mainstem.runs import StepOutcome  # noqa: PLC0415

        return StepOutcome(unchanged=step.outputs)

    world.scripts["marts.i"] = nothing_new
    finished = world.run()
    again = world.run()

    assert _statuses(finished) == {
        "raw.a": "read",
        "marts.i": "unchanged",
        "marts.t": "unchanged",
    }
    assert again.status == "nothing_to_do"


def test_rebuild_builds_what_is_fresh(world):
    _chain(world)
    world.run()

    finished = world.run(rebuild=True)

    assert _statuses(finished) == {"staging.b": "built", "marts.c": "built"}
    assert world.run().status == "nothing_to_do"


def test_a_volatile_asset_runs_each_time_and_so_does_what_reads_it(world):
    world.add("staging.r", volatile="calls random()")
    world.add("marts.c", "staging.r")
    world.run()

    world.run()

    assert world.executed == ["staging.r", "marts.c"]


def test_after_a_revert_the_result_stays_away(world):
    _chain(world)
    world.run()
    world.add("staging.b", "raw.a", code="2")
    finished = world.run()
    before = world.version("marts.c")

    world.revert(finished.commit_id)
    again = world.run()

    assert again.status == "nothing_to_do"
    assert world.executed == []
    assert world.version("marts.c") != before
    assert {str(step.key): step.status for step in again.steps} == {"staging.b": "skipped"}


def test_a_plan_says_why_a_reverted_result_is_left_out(world):
    _chain(world)
    world.run()
    world.add("staging.b", "raw.a", code="2")
    world.revert(world.run().commit_id)

    action, reason = world.actions()["staging.b"]

    assert action == "skip"
    assert "reverted" in reason
    assert "--force" in reason


def test_force_brings_a_reverted_result_back(world):
    _chain(world)
    world.run()
    world.add("staging.b", "raw.a", code="2")
    finished = world.run()
    version = world.version("marts.c")
    world.revert(finished.commit_id)

    world.run(force=True)

    assert world.version("marts.c") == version


def test_after_force_the_result_is_at_home_again(world):
    _chain(world)
    world.run()
    world.add("staging.b", "raw.a", code="2")
    world.revert(world.run().commit_id)
    world.run(force=True)

    again = world.run()

    assert again.status == "nothing_to_do"
    assert again.steps == ()


def test_an_edit_after_a_revert_is_built(world):
    _chain(world)
    world.run()
    world.add("staging.b", "raw.a", code="2")
    world.revert(world.run().commit_id)
    world.add("staging.b", "raw.a", code="3")

    finished = world.run()

    assert _statuses(finished) == {"staging.b": "built", "marts.c": "built"}


def test_reverted_source_rows_are_read_but_not_taken_in_again(world):
    _chain(world)
    world.run()
    world.sources["raw.a"] = "two"
    world.revert(world.run().commit_id)

    finished = world.run()

    assert world.version("raw.a") == "read:one"
    assert _statuses(finished)["raw.a"] == "unchanged"
    assert "reverted" in finished.steps[0].reason


def test_a_reverted_view_stays_away(world):
    world.source("raw.a")
    world.add("staging.v", "raw.a", materialized="view")
    world.run()
    world.add("staging.v", "raw.a", materialized="view", code="2")
    world.revert(world.run().commit_id)
    world.sources["raw.a"] = "two"

    finished = world.run()

    assert _statuses(finished)["staging.v"] == "skipped"
    assert world.executed == ["raw.a"]


def test_the_lake_and_the_plan_agree_on_the_version_of_a_view(world):
    world.source("raw.a")
    world.add("staging.v", "raw.a", materialized="view")
    world.add("staging.w", "staging.v", materialized="view")
    world.add("marts.t", "staging.w")
    world.run()

    recorded = world.lake.entry(AssetKey.parse("marts.t")).provenance.inputs

    assert recorded == {"staging.w": world.lake.data_version(AssetKey.parse("staging.w"))}
