# SPDX-License-Identifier: Apache-2.0
from mainstem.types import AssetKey


def _statuses(finished):
    return {str(step.key): step.status for step in finished.steps}


def test_a_run_reads_builds_and_publishes_in_one_commit(world):
    world.source("raw.a")
    world.add("staging.b", "raw.a")
    world.add("marts.c", "staging.b")

    finished = world.run()

    assert _statuses(finished) == {"raw.a": "read", "staging.b": "built", "marts.c": "built"}
    assert finished.status == "succeeded"
    assert set(world.lake.entries("main")) == {
        AssetKey.parse(name) for name in ("raw.a", "staging.b", "marts.c")
    }
    assert len(world.lake.log("main")) == 2


def test_a_second_run_finds_nothing_to_do_and_leaves_no_record(world):
    world.source("raw.a")
    world.add("staging.b", "raw.a")
    world.run()

    again = world.run()

    assert again.status == "nothing_to_do"
    assert again.run_id == 0
    assert world.executed == []
