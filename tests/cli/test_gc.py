# SPDX-License-Identifier: Apache-2.0
"""`mainstem gc`: what nothing leads to goes, with all that was kept long enough; the rest stays."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

import mainstem as api
from mainstem.project import collect
from mainstem.types import SystemClock

DAY = timedelta(days=1)


class Clock(SystemClock):
    """The machine's, set forward."""

    ahead = timedelta()

    def now(self):
        return super().now() + self.ahead


@pytest.fixture
def edited(built, mainstem):
    """A project whose tables were built twice: there is something to forget."""
    (built / "data/orders.csv").write_text("id,customer,amount\n1,ann,10\n2,bob,50\n")
    assert mainstem("run").code == 0
    return built


def _collect(folder, ahead, *, dry_run=False, during=None):
    clock = Clock()
    clock.ahead = ahead
    with api.open(folder, clock=clock) as project:
        if during is not None:
            during(project)
        return collect(project.services, project.recording, dry_run=dry_run)


def _files(folder):
    return {path for path in (folder / ".mainstem").rglob("*") if path.is_file()}


def test_there_is_nothing_to_remove_from_what_is_young(edited, mainstem):
    before = _files(edited)

    done = mainstem("gc")

    assert (done.code, done.out) == (0, "There is nothing to remove.\n")
    assert {path for path in before if path.suffix in {".parquet", ".json", ".avro"}} <= _files(
        edited
    )


def test_expired_branches_of_runs_go_and_what_is_published_stays(edited, mainstem):
    collected = _collect(edited, 40 * DAY)

    assert {"run/1", "run/2"} <= set(collected.branches)
    assert collected.file_bytes > 0
    assert collected.commits > 0
    assert mainstem("query", "select * from main.total", "--json").document == [
        {"orders": 2, "amount": 80}
    ]
    assert mainstem("query", "select * from main.total", "--at", "main~1", "--json").code == 0


def test_a_dry_run_tells_the_same_and_removes_nothing(edited, mainstem):
    (edited / "models/total.sql").write_text(
        "/* ---\nmaterialized: table\n--- */\nselect error('x')"
    )
    assert mainstem("run").code == 2
    before = _files(edited)
    told = _collect(edited, 500 * DAY, dry_run=True)
    after = {path for path in _files(edited) if not path.name.startswith("mainstem.db")}
    done = _collect(edited, 500 * DAY)

    assert {path for path in before if not path.name.startswith("mainstem.db")} <= after
    assert (told.branches, told.files, told.file_bytes) == (
        done.branches, done.files, done.file_bytes,
    )  # fmt: skip
    assert told.is_dry_run
    assert told.failures == done.failures == 1


def test_old_logs_and_history_go_by_their_retention(edited):
    log = edited / ".mainstem/logs/run-1/main.total-1.log"
    log.parent.mkdir(parents=True)
    log.write_text("{}\n" * 100)
    os.utime(log, (1, 1))
    old = edited / ".mainstem/history/2020-01-01.jsonl"
    old.write_text("{}\n" * 10)

    collected = _collect(edited, timedelta())

    assert not log.exists()
    assert not old.exists()
    assert (collected.pruned.logs, collected.pruned.log_bytes) == (1, 300)
    assert (collected.pruned.days, collected.pruned.day_bytes) == (1, 30)
    assert collected.size_bytes == 330


def test_what_a_run_that_goes_on_has_written_stays_however_long_it_takes(edited, mainstem):
    """A run of forty days: what it wrote at first is older than the grace time."""
    with api.open(edited) as project, project.services.database.write() as transaction:
        transaction.execute(
            "insert into run (id, branch, environment, status, base_commit, started_at, "
            "logical_time, owner, host, boot_id, pid, process_started) "
            "select 99, branch, environment, 'running', commit_id, started_at, logical_time, "
            "owner, host, boot_id, pid, process_started from run where id = 1"
        )
    parts = set(Path(edited, ".mainstem").rglob("*.parquet"))

    collected = _collect(edited, 40 * DAY)

    assert collected.files == 0
    assert set(Path(edited, ".mainstem").rglob("*.parquet")) == parts


def test_what_expired_a_moment_ago_stays_for_the_run_that_may_be_linking_it(edited):
    with api.open(edited) as project, project.services.database.write() as transaction:
        (now,) = transaction.execute("select max(created_at) from version")[0]
        transaction.execute("update version set expires_at = ? where commit_id <> ''", (now,))

    young = _collect(edited, timedelta(minutes=50), dry_run=True)
    old = _collect(edited, timedelta(minutes=70), dry_run=True)

    assert young.versions == 0
    assert old.versions > 0


def test_a_project_goes_on_after_it_was_swept(edited, mainstem):
    _collect(edited, 400 * DAY)
    (edited / "data/orders.csv").write_text("id,customer,amount\n7,zoe,70\n")

    again = mainstem("run")

    assert again.code == 0, again.err
    assert mainstem("query", "select amount from main.total", "--json").document == [
        {"amount": 150}
    ]


def test_the_command_says_what_it_did(edited, mainstem, monkeypatch):
    done = mainstem("gc", "--dry-run", "--json")

    assert done.document["is_dry_run"] is True
    assert done.document["size_bytes"] == 0
