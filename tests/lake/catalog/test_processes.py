# SPDX-License-Identifier: Apache-2.0
"""Several processes at once lose nothing; a process killed at any moment leaves whole commits."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mainstem.types import AssetKey

_OPENS = """
import os, sys
from mainstem.database import open_database
from mainstem.lake import Lake
from mainstem.types import AssetKey, SystemClock
lake = Lake.open(open_database(sys.argv[1]), sys.argv[2], clock=SystemClock())
number, count = int(sys.argv[3]), int(sys.argv[4])
"""

_WRITES = (
    _OPENS
    + """
lake.create_branch(f"own{number}")
for i in range(count):
    row = {"id": [number * 1000 + i], "by": [str(number)]}
    lake.append("raw.shared", row)
    lake.append(f"raw.own{number}", row)
    lake.upsert("raw.keyed", {"id": [i], "by": [str(number)]}, on=["id"])
    lake.append("raw.shared", {"id": [10_000 + number * 1000 + i], "by": ["b"]},
                branch=f"own{number}")
    if i % 5 == 4:
        result = lake.merge(f"own{number}", "main")
        assert not result.conflicts, result.conflicts
"""
)

# A second of imports (pyarrow brings pandas with its first rows) is spent once, not for each kill.
_COMMITS_UNTIL_KILLED = (
    """
import os, sys
import pandas, psycopg, pyarrow.parquet
import mainstem.lake.arrow_types, mainstem.lake.editing, mainstem.lake.reader, mainstem.lake.writer
for _ in sys.stdin:
    if not (child := os.fork()):
        print(os.getpid(), flush=True)
        break
    os.waitpid(child, 0)
    print("gone", flush=True)
else:
    sys.exit()
"""
    + _OPENS
    + """
i = 0
while True:
    with lake.transaction(message=f"{i}") as changes:
        changes.append("raw.a", {"id": [i]})
        changes.append("raw.b", {"id": [i]})
        changes.cursor("raw.a", {"at": i})
    print(i, flush=True)
    i += 1
"""
)


def _start(program, lake, number=0, count=0, **options):
    arguments = [sys.executable, "-c", program, lake.database.url, lake.warehouse]
    return subprocess.Popen([*arguments, str(number), str(count)], text=True, **options)


class Committers:
    """Processes that commit until they are killed, one after the other."""

    def __init__(self, lake):
        self._parent = _start(
            _COMMITS_UNTIL_KILLED, lake, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def kill_one(self, after_s=0.0):
        """Let one commit, and kill it; gives how many commits it acknowledged."""
        self._parent.stdin.write("one more\n")
        self._parent.stdin.flush()
        child = int(self._parent.stdout.readline())
        said = [self._parent.stdout.readline()]
        time.sleep(after_s)  # a moment nobody can foresee is what is tested
        os.kill(child, signal.SIGKILL)
        while said[-1] != "gone\n":
            said.append(self._parent.stdout.readline())
        return len(said) - 1

    def close(self):
        self._parent.communicate(timeout=60)


@pytest.fixture
def committers(lake):
    made = Committers(lake)
    yield made
    made.close()


@pytest.mark.parametrize(
    "count", [5, pytest.param(20, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_four_processes_at_once_lose_nothing(lake, count):
    lake.upsert("raw.keyed", {"id": [-1], "by": [""]}, on=["id"])
    writers = [_start(_WRITES, lake, number, count) for number in range(4)]

    assert [writer.wait(timeout=240) for writer in writers] == [0] * 4
    shared = sorted(lake.arrow("raw.shared")["id"].to_pylist())
    assert shared == sorted(
        start + number * 1000 + i
        for number in range(4)
        for i in range(count)
        for start in (0, 10_000)
    )
    for number in range(4):
        assert lake.arrow(f"raw.own{number}").num_rows == count
    assert sorted(lake.arrow("raw.keyed")["id"].to_pylist()) == [-1, *range(count)]
    assert lake.verify() == []
    snapshots = {
        entry.snapshot_id
        for commit in lake.log("main", limit=10_000, key=AssetKey.parse("raw.shared"))
        if (entry := lake.entry(AssetKey.parse("raw.shared"), commit.id)) is not None
    }
    assert len(snapshots) == len(lake.log("main", limit=10_000, key=AssetKey.parse("raw.shared")))


def test_threads_of_one_process_lose_nothing(lake):
    def write(number):
        for i in range(8):
            lake.append("raw.shared", {"id": [number * 100 + i]})
            lake.upsert("raw.keyed", {"id": [number * 100 + i]}, on=["id"])
            assert lake.arrow("raw.shared").num_rows > i

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))

    expected = sorted(number * 100 + i for number in range(4) for i in range(8))
    for key in ("raw.shared", "raw.keyed"):
        assert sorted(lake.arrow(key)["id"].to_pylist()) == expected


@pytest.mark.parametrize(
    "trials", [4, pytest.param(25, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_a_process_killed_while_it_commits_leaves_whole_commits(lake, committers, trials):
    moment = random.Random(trials)
    for _ in range(trials):
        before = lake.resolve("main").generation

        said = committers.kill_one(after_s=moment.random() * 0.1)

        made = lake.resolve("main").generation - before
        assert said > 0
        assert made - said in {0, 1}, "a commit that was acknowledged is there"
        assert lake.arrow("raw.a")["id"] == lake.arrow("raw.b")["id"]
        last = lake.arrow("raw.a")["id"].to_pylist()[-1]
        assert lake.cursor(AssetKey.parse("raw.a")) == {"at": last}
        assert lake.verify() == []


def test_what_a_killed_process_left_is_swept(lake, clock, committers):
    committers.kill_one()
    orphan = lake.target(
        "main", AssetKey.parse("raw.a"), lake.relation(AssetKey.parse("raw.a")).schema, attempt="x"
    )
    Path(orphan.warehouse, orphan.directory, f"{orphan.prefix}0.parquet").write_bytes(b"half")
    clock.sleep(10 * 365 * 24 * 3600)
    swept = lake.sweep(dry_run=False)

    assert f"{orphan.directory}/{orphan.prefix}0.parquet" in swept.files
    referenced = {
        file.path for key in ("raw.a", "raw.b") for file in lake.relation(AssetKey.parse(key)).files
    }
    root = Path(lake.warehouse)
    assert {str(path.relative_to(root)) for path in root.rglob("*.parquet")} == referenced
