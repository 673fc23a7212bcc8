# SPDX-License-Identifier: Apache-2.0
"""Real servers as processes: killed, stopped, woken, overrun; on SQLite and on PostgreSQL.

Whatever happens, every launch ends once, every tick fires once, and nothing is left running.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from itertools import pairwise

import orjson
import pytest

from mainstem import state
from mainstem.automation import ticks
from mainstem.project import open_project
from mainstem.service import Backfills
from mainstem.state import LaunchRequest

pytestmark = pytest.mark.slow

MANUAL = LaunchRequest(origin="manual")
SLOW = """\
import pathlib
import time
import pyarrow as pa
from mainstem import asset


@asset(rebuild="always")
def slow() -> pa.Table:
    here = pathlib.Path(__file__).parents[1]
    with (here / "began").open("a") as began:
        began.write("x")
    while not (here / "go").exists():
        time.sleep(0.02)
    return pa.table({"a": [1]})
"""
SETTINGS = """\
name: shop
lake: {database: "%s"}
serve: {max_runs: 4, lease: 2s, grace: 1s}
"""


class Process:
    """`mainstem serve` as a process; its events are read as they come."""

    def __init__(self, folder, *words):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mainstem", "serve", "--no-http", "--json", *words],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.events = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.events.put(orjson.loads(line))

    def until(self, topic, name, **facts):
        """Give the next such event."""
        while True:
            event = self.events.get(timeout=180)
            known = {**event, **event["facts"]}
            if (event["topic"], event["name"]) == (topic, name) and facts.items() <= known.items():
                return event

    def send(self, number):
        os.kill(self.process.pid, number)

    def stop(self):
        """Have it sleep, and wait until all of its threads do."""
        self.send(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)

    def kill(self):
        self.send(signal.SIGKILL)
        self.process.wait()

    def end(self):
        if self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
            self.send(signal.SIGTERM)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def folder(tmp_path, database_url):
    (tmp_path / "mainstem.yml").write_text(SETTINGS % database_url)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "quick.sql").write_text("select 1 as a\n")
    (tmp_path / "models" / "slow.py").write_text(SLOW)
    return tmp_path


@pytest.fixture
def serve(folder):
    begun = []

    def start(*words):
        begun.append(Process(folder, *words))
        return begun[-1]

    yield start
    for process in begun:
        process.end()


@pytest.fixture
def project(folder):
    with open_project(folder) as opened:
        yield opened


def _enqueue(project, request):
    with project.services.database.write() as transaction:
        return state.enqueue(transaction, request, now=project.clock.now())


def _launches(project):
    with project.services.database.read() as transaction:
        return {one.id: one for one in state.launches(transaction, limit=1000)}


def _running(project):
    with project.services.database.read() as transaction:
        return state.unfinished_runs(transaction)


def _leader(project):
    with project.services.database.read() as transaction:
        return state.leader(transaction)


def _pair(serve):
    leader = serve()
    leader.until("server", "leading")
    other = serve()
    other.until("server", "standby")
    return leader, other


def test_a_killed_leader_is_followed_and_its_launch_is_run_again(serve, project, folder):
    leader, other = _pair(serve)
    launch = _enqueue(project, replace(MANUAL, select=("slow",), run_key="once"))
    leader.until("run", "StepStarted")

    leader.kill()
    other.until("server", "leading")
    other.until("launch", "requeued", launch_id=launch)
    other.until("run", "StepStarted", launch_id=launch)
    (folder / "go").touch()
    other.until("launch", "finished", launch_id=launch, status="succeeded")

    stored = _launches(project)[launch]
    assert (stored.status, stored.attempts) == ("succeeded", 2)
    assert [run.status for run in project.runs()] == ["succeeded", "crashed"]
    assert _running(project) == []


def test_ticks_fire_once_through_a_fail_over(serve, project, folder):
    (folder / "mainstem.yml").write_text(
        (folder / "mainstem.yml").read_text()
        + "jobs:\n  often: {select: quick, every: 1s, catchup: all}\n"
    )
    leader, other = _pair(serve)
    for _ in range(2):
        leader.until("launch", "finished")

    leader.kill()
    other.until("server", "leading")
    for _ in range(3):
        other.until("launch", "finished")
    other.send(signal.SIGTERM)
    other.process.wait(60)

    launches = [one for one in _launches(project).values() if one.request.origin == "schedule"]
    with project.services.database.read() as transaction:
        seen = sorted(tick.scheduled_for for tick in ticks(transaction, "schedule", limit=1000))
    gaps = {(after - before).total_seconds() for before, after in pairwise(seen)}
    assert gaps == {1.0}, "none is missing, none is there twice"
    keys = [one.request.run_key for one in launches]
    assert len(keys) == len(set(keys))
    assert {one.status for one in launches} <= {"succeeded", "queued"}


def test_a_zombie_that_wakes_after_its_lease_changes_nothing(serve, project, folder):
    leader, other = _pair(serve)
    launch = _enqueue(project, replace(MANUAL, select=("quick",)))
    leader.until("launch", "finished", launch_id=launch)

    before = _leader(project)
    with project.services.database.write():  # so that it stops in no transaction of its own
        leader.stop()
    other.until("server", "leading")
    later = _enqueue(project, replace(MANUAL, select=("quick",)))
    other.until("launch", "finished", launch_id=later)
    leader.send(signal.SIGCONT)
    leader.until("server", "standby")

    # Not who leads by now: on a machine this busy the lead may have moved on once more.
    assert _leader(project).fence > before.fence
    assert [one.attempts for one in _launches(project).values()] == [1, 1]


def test_a_hundred_launches_at_once_asked_twice_run_once_each(serve, project):
    leader, other = _pair(serve)
    request = replace(MANUAL, select=("quick",), origin="webhook", source="flood")

    ids = [_enqueue(project, replace(request, run_key=str(n % 100))) for n in range(200)]
    for _ in range(100):
        leader.until("launch", "finished", status="succeeded")

    assert [launch is None for launch in ids] == [False] * 100 + [True] * 100
    found = _launches(project)
    assert len(found) == 100
    assert {(one.status, one.attempts) for one in found.values()} == {("succeeded", 1)}
    assert other.process.poll() is None


def test_a_project_that_breaks_while_a_run_goes_on_lets_it_end(serve, project, folder):
    leader = serve()
    leader.until("server", "leading")
    first = _enqueue(project, replace(MANUAL, select=("slow",)))
    leader.until("run", "StepStarted")

    (folder / "models" / "quick.sql").write_text("select from where\n")
    broken = leader.until("project", "broken")
    (folder / "go").touch()
    leader.until("launch", "finished", launch_id=first, status="succeeded")
    second = _enqueue(project, replace(MANUAL, select=("quick",)))

    leader.until("launch", "finished", launch_id=second, status="succeeded")
    assert broken["facts"]["files"] == ["models/quick.sql"]


def test_a_stop_gives_runs_time_then_puts_their_launches_back(serve, project, folder):
    leader = serve()
    leader.until("server", "leading")
    launch = _enqueue(project, replace(MANUAL, select=("slow",)))
    leader.until("run", "StepStarted")

    leader.send(signal.SIGTERM)
    leader.until("launch", "requeued", launch_id=launch)
    assert leader.process.wait(40) == 0
    stored = _launches(project)[launch]
    (folder / "go").touch()
    after = serve()
    after.until("launch", "finished", launch_id=launch, status="succeeded")

    assert stored.status == "queued"
    assert _running(project) == []


def test_a_launch_is_cancelled_from_another_process(serve, project):
    leader = serve()
    leader.until("server", "leading")
    launch = _enqueue(project, replace(MANUAL, select=("slow",)))
    leader.until("run", "StepStarted")

    with project.services.database.write() as transaction:
        state.cancel_launch(transaction, launch, now=project.clock.now())

    leader.until("launch", "finished", launch_id=launch, status="cancelled")


MONTHLY = """/* ---
materialized: table
partitions: {by: month, column: month, start: 2013-01-01, end: 2014-01-01}
--- */
select unnest(range(timestamp '2013-01-01', timestamp '2014-01-01', interval 1 month)) as month
"""


def test_a_backfill_goes_on_where_a_killed_server_left_it(serve, folder):
    (folder / "models" / "monthly.sql").write_text(MONTHLY)
    with open_project(folder) as project:
        leader, other = _pair(serve)
        number = Backfills(project).create(["monthly"], pace={"chunk": 3}).backfill.id
        leader.until("launch", "finished", status="succeeded")

        leader.kill()
        other.until("server", "leading")
        while Backfills(project).show(number).backfill.status == "running":
            other.until("backfill", "changed")

        report = Backfills(project).show(number)
        assert (report.backfill.status, report.done, report.launches) == ("succeeded", 12, ())
        assert project.sql("select count(*) as n from monthly").to_pydict() == {"n": [12]}
        assert _running(project) == []
