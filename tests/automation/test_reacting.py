"""Conditions and promises over a real project: what runs, merges and failures lead to."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest

import mainstem
from mainstem.automation import ticks
from mainstem.project import switch_condition
from mainstem.service.automatic import AssetConditions, FreshnessPromises, project_triggers
from mainstem.state import launches


class Manual:
    def __init__(self, now):
        self.time = now

    def now(self):
        return self.time

    def monotonic_s(self):
        return self.time.timestamp()

    def sleep(self, seconds):
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock(utc):
    return Manual(utc("2026-01-01 00:00"))


@pytest.fixture
def folder(tmp_path):
    for name, text in {
        "mainstem.yml": "name: shop\n",
        "data/orders.csv": "id,amount\n1,10\n",
        "ingest/shop.yml": "type: files\npath: data/\ntables: {orders: orders*.csv}\n",
        "models/big.sql": "/* ---\nmaterialized: table\nrun_when: eager\n--- */\n"
        "select id, amount from shop.orders",
        "models/total.sql": "/* ---\nmaterialized: table\nrun_when: eager\n"
        "freshness: {within: 6h}\n--- */\nselect sum(amount) as amount from big",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def project(folder, clock):
    with mainstem.open(folder, clock=clock) as opened:
        yield opened


class Server:
    """Turns the triggers of a project, and runs what they launch."""

    def __init__(self, project):
        self.project = project
        self.trigger = AssetConditions(project)
        self.database = project.services.database

    @contextmanager
    def write(self):
        with self.database.write() as transaction:
            yield transaction

    def turn(self):
        """Give the assets of each launch that this turn asked for."""
        self.project.clock.time += timedelta(seconds=10)
        before = len(self.launches)
        self.trigger.turn(self.write, self.project.clock.time)
        return [launch.request.select for launch in self.launches[before:]]

    @property
    def launches(self):
        with self.database.read() as transaction:
            return launches(transaction, origin="condition")[::-1]

    def end(self, status="succeeded"):
        with self.database.write() as transaction:
            transaction.execute("update launch set status = ?", (status,))


@pytest.fixture
def server(project):
    return Server(project)


def grow(folder, name="orders2.csv"):
    (folder / "data" / name).write_text("id,amount\n2,20\n")


def test_a_condition_that_is_off_launches_nothing_then_or_later(server, project, folder):
    project.run()
    server.turn()
    switch_condition(project, "big", on=False)
    grow(folder)
    project.run(["shop.orders"])

    # What is downstream of it was to come with it, and comes alone.
    assert server.turn() == [("main.total",)]
    server.end()
    switch_condition(project, "big", on=True)
    assert server.turn() == []
    with server.database.read() as transaction:
        (missed,) = ticks(transaction, "condition", name="main.big")
    assert (missed.outcome, missed.launch_id) == ("skipped", None)
    assert missed.reason == "is off; shop.orders was updated"
    grow(folder, "orders3.csv")
    project.run(["shop.orders"])
    assert server.turn() == [("main.big", "main.total")]


def test_a_source_that_moved_launches_what_reads_it_as_one(server, project, folder):
    project.run()
    assert server.turn() == []
    grow(folder)
    project.run(["shop.orders"])

    assert server.turn() == [("main.big", "main.total")]
    (launch,) = server.launches
    assert launch.request.branch == "main"
    assert launch.request.cause["facts"]["main.big"] == ["shop.orders was updated"]
    with server.database.read() as transaction:
        found = ticks(transaction, "condition", name="main.big")
    assert [(tick.outcome, tick.launch_id) for tick in found] == [("launched", launch.id)]


def test_what_was_launched_and_ran_is_not_launched_again(server, project, folder):
    project.run()
    server.turn()
    grow(folder)
    project.run(["shop.orders"])
    server.turn()

    assert server.turn() == []
    project.run(["main.big", "main.total"])
    server.end()
    assert server.turn() == []
    assert server.turn() == []


def test_what_is_missing_is_launched_at_first_sight_once_its_inputs_are_there(server, project):
    assert server.turn() == []

    project.run(["shop.orders"])

    assert server.turn() == [("main.big",)]


def test_a_server_that_takes_over_goes_on_where_the_other_was(server, project, folder, clock):
    project.run()
    server.turn()
    grow(folder)
    project.run(["shop.orders"])
    other = Server(project)

    assert len(other.turn()) == 1
    assert server.turn() == []


def test_a_revert_counts_like_a_run(server, project, folder):
    project.run()
    grow(folder)
    project.run(["shop.orders"])
    server.turn()
    server.end()
    project.revert(project.lake.resolve("main").id)

    assert len(server.turn()) == 1


def test_what_failed_is_not_launched_again_by_itself(server, project, folder):
    project.run()
    server.turn()
    (folder / "data/orders2.csv").write_text("id,amount\n2,20\n")
    project.run(["shop.orders"])
    assert len(server.turn()) == 1
    server.end("failed")

    assert server.turn() == []
    assert server.turn() == []


def test_a_clock_that_was_set_back_silences_no_cron_of_a_condition(folder, clock):
    (folder / "models/big.sql").write_text(
        "/* ---\nmaterialized: table\nrun_when: 'cron(\"0 * * * *\")'\n--- */\nselect 1 as amount"
    )
    with mainstem.open(folder, clock=clock) as project:
        server = Server(project)
        server.turn()
        clock.time += timedelta(days=400)
        assert server.turn() == [("main.big",)]
        server.turn()
        clock.time -= timedelta(days=400)

        server.turn()
        clock.time += timedelta(hours=1)

        assert server.turn() == [("main.big",)]


def test_a_transaction_that_was_lost_is_made_up_for(server, project, folder):
    project.run()
    server.turn()
    grow(folder)
    project.run(["shop.orders"])

    @contextmanager
    def broken():
        with server.database.write() as transaction:
            yield transaction
            raise RuntimeError

    with pytest.raises(RuntimeError):
        server.trigger.turn(broken, project.clock.time)
    assert server.launches == []

    assert server.turn() == [("main.big", "main.total")]


def test_conditions_of_the_project_are_triggers_of_the_server(project):
    names = [trigger.name for trigger in project_triggers(project)]

    assert names == ["schedules", "conditions", "promises"]


def test_a_condition_that_cannot_be_read_is_told_with_its_file(folder, clock):
    (folder / "models/big.sql").write_text("/* ---\nrun_when: eger\n--- */\nselect 1 as n")

    with mainstem.open(folder, clock=clock) as opened:
        (problem,) = opened.problems

    assert problem.code == "A2220"
    assert problem.where.file == "models/big.sql"
    assert "eager" in problem.hint


def test_a_condition_and_a_promise_are_no_part_of_what_data_is_made_of(project, folder, clock):
    project.run()
    text = (folder / "models/total.sql").read_text()
    edited = text.replace("eager", "on_missing").replace("6h", "7h")
    (folder / "models/total.sql").write_text(edited)

    with mainstem.open(folder, clock=clock) as opened:
        assert opened.plan().work == ()


def test_a_promise_is_late_once_and_recovers(project, clock):
    project.run()
    promises, write = FreshnessPromises(project), Server(project).write

    def statuses(hours):
        clock.time += timedelta(hours=hours)
        found = project.automation.promises.turn(write, clock.time)
        return [(one.freshness.status, one.change) for one in found]

    assert promises.turn(write, clock.time) is not None
    assert statuses(5) == [("fresh", "")]
    assert statuses(2) == [("late", "late")]
    assert statuses(1) == [("late", "")]
    project.run(["total"], rebuild=True)
    assert statuses(0) == [("fresh", "recovered")]


def test_a_run_that_finds_nothing_to_do_keeps_a_promise(project, clock):
    project.run()
    promises, write = project.automation.promises, Server(project).write
    promises.turn(write, clock.time)

    clock.time += timedelta(hours=5)
    assert project.run().status == "nothing_to_do"
    clock.time += timedelta(hours=5)

    (standing,) = promises.turn(write, clock.time)
    assert standing.freshness.status == "fresh"


def test_the_promise_of_a_partitioned_asset_is_about_its_latest_complete_partition(
    folder, clock, utc
):
    (folder / "models/daily.sql").write_text(
        "/* ---\nmaterialized: incremental\nfreshness: {within: 6h}\n"
        "partitions: {by: day, column: day, start: 2025-12-30}\n--- */\n"
        "select date '2025-12-30' as day, 1 as n"
    )
    with mainstem.open(folder, clock=clock) as project:

        def standing():
            (found,) = [one for one in project.automation.promises.all() if one.key.name == "daily"]
            return found.freshness.status, found.freshness.due_at

        project.automation.promises.turn(Server(project).write, clock.time)
        clock.time += timedelta(hours=1)
        project.run(["daily"], partitions="2025-12-30")
        assert standing() == ("fresh", utc("2026-01-01 06:00"))
        clock.time += timedelta(hours=6)
        assert standing()[0] == "late"
        project.run(["daily"])
        assert standing()[0] == "fresh"
