# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments: what is published is whole, what was said is kept, life goes on."""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mainstem import state
from mainstem.runs import recover
from mainstem.types import AssetKey

CHILD = Path(__file__).with_name("killed_child.py")
TRIALS = 20


def _start(folder, content):
    child = subprocess.Popen(
        [sys.executable, str(CHILD), str(folder), content], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "ready\n"
    return child


def _assert_whole(world):
    """Every version on main was made from exactly the versions beside it."""
    entries = world.lake.entries("main")
    if not entries:
        return None
    assert {str(key) for key in entries} == {
        "raw.a",
        "staging.b",
        "staging.v",
        "marts.c",
        "marts.i",
    }
    source = entries[AssetKey.parse("raw.a")].provenance.data_version
    cursor = world.lake.cursor(AssetKey.parse("raw.a"))
    assert f"read:{cursor['content']}" == source
    for name in ("staging.b", "marts.i"):
        assert entries[AssetKey.parse(name)].provenance.inputs == {"raw.a": source}
    assert entries[AssetKey.parse("marts.c")].provenance.inputs == {
        "staging.b": entries[AssetKey.parse("staging.b")].provenance.data_version,
        "staging.v": world.lake.data_version(AssetKey.parse("staging.v")),
    }
    return source


@pytest.mark.slow
def test_runs_killed_at_random_moments_lose_nothing_and_show_nothing_partial(tmp_path):
    import importlib.util  # noqa: PLC0415

    spec = importlib.util.spec_from_file_location("killed_child", CHILD)
    helper = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(helper)
    world = helper.open_world(tmp_path)
    rng = random.Random(2)
    first = _start(tmp_path, "first")
    began = time.monotonic()
    first.communicate(timeout=60)
    duration = time.monotonic() - began
    recoveries = []
    for trial in range(TRIALS):
        before = _assert_whole(world)
        child = _start(tmp_path, f"content {trial}")
        time.sleep(rng.uniform(0, duration))
        child.kill()
        said, _ = child.communicate()
        after = _assert_whole(world)
        assert after in {before, f"read:content {trial}"}
        if "succeeded" in said:
            assert after == f"read:content {trial}"
        began = time.monotonic()
        recover(world.database, world.lake, world.clock)
        recoveries.append(time.monotonic() - began)
        world.sources["raw.a"] = f"content {trial}"
        finished = world.run(run={"wait": False})
        assert finished.status == "succeeded"
        assert _assert_whole(world) == f"read:content {trial}"
        with world.database.read() as transaction:
            assert state.unfinished_runs(transaction) == []
            assert state.leases(transaction, "main") == []
    assert statistics.median(recoveries) < 2
    with world.database.read() as transaction:
        crashed = [run for run in state.runs(transaction, limit=500) if run.status == "crashed"]
    assert crashed, "no kill hit a run: the trial proves nothing"
    assert all(world.lake.ref(run.run_branch).sealed for run in crashed if run.run_branch)
    world.database.close()
