"""Conditions over partitions of a real project: exactly what is concerned is launched."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest

import mainstem
from mainstem.automation import ticks
from mainstem.project import add_partitions, delete_partitions
from mainstem.service.automatic import AssetConditions
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
    return Manual(utc("2026-01-12 00:00"))


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


def model(query, **options):
    lines = "\n".join(f"{name}: {value}" for name, value in options.items())
    return f"/* ---\nmaterialized: table\n{lines}\n--- */\n{query}\n"


DAYS = "{by: day, column: day, start: 2026-01-05}"


@pytest.fixture
def folder(tmp_path):
    days = "".join(f"2026-01-{day:02},{day}\n" for day in range(5, 12))
    write(
        tmp_path,
        {
            "mainstem.yml": "name: shop\n",
            "data/orders1.csv": f"day,amount\n{days}",
            "ingest/shop.yml": "type: files\npath: data/\n"
            'tables: {orders: {files: "*orders*.csv", write: append}}\n',
            "models/daily.sql": model(
                "select day, amount from shop.orders", partitions=DAYS, run_when="eager"
            ),
            "models/weekly.sql": model(
                "select date_trunc('week', day)::date as week, sum(amount) as amount "
                "from daily group by 1",
                partitions="{by: week, column: week, start: 2026-01-05}",
                run_when="eager",
            ),
        },
    )
    return tmp_path


@pytest.fixture
def project(folder, clock):
    with mainstem.open(folder, clock=clock) as opened:
        yield opened


class Server:
    """Turns the conditions of a project, and runs what they launch."""

    def __init__(self, project):
        self.project = project
        self.trigger = AssetConditions(project)
        self.database = project.services.database

    @contextmanager
    def write(self):
        with self.database.write() as transaction:
            yield transaction

    def turn(self, *, hours=0):
        """Give the partitions of each launch that this turn asked for."""
        self.project.clock.time += timedelta(seconds=10, hours=hours)
        before = len(self.launches)
        self.trigger.turn(self.write, self.project.clock.time)
        return [dict(launch.request.partitions) for launch in self.launches[before:]]

    def run(self):
        """Run the last launch, as a server would."""
        request = self.launches[-1].request
        finished = self.project.run(request.select, partitions=dict(request.partitions))
        with self.database.write() as transaction:
            transaction.execute("update launch set status = ?", (finished.status,))
        return finished

    @property
    def launches(self):
        with self.database.read() as transaction:
            return launches(transaction, origin="condition")[::-1]


@pytest.fixture
def server(project):
    project.run()
    found = Server(project)
    assert found.turn() == []
    return found


def grow(folder, *days, name="orders2.csv"):
    rows = "".join(f"{day},1\n" for day in days)
    write(folder, {f"data/{name}": f"day,amount\n{rows}"})


def test_rows_that_came_launch_the_partitions_that_they_belong_to(server, project, folder):
    grow(folder, "2026-01-06", "2026-01-07")
    project.run(["shop.orders"])

    assert server.turn() == [{"main.daily": "2026-01-06..2026-01-07", "main.weekly": "2026-W02"}]
    cause = server.launches[-1].request.cause["facts"]
    assert cause["main.daily"] == ["shop.orders was updated"]
    assert cause["main.weekly"] == ["main.daily@2026-01-06..2026-01-07 was asked for"]
    with server.database.read() as transaction:
        (tick,) = ticks(transaction, "condition", name="main.daily")
    assert tick.facts == {"partitions": "2026-01-06..2026-01-07"}
    server.run()
    assert [server.turn(), server.turn()] == [[], []]


def test_a_window_that_is_over_launches_its_partition(server, project, folder):
    grow(folder, "2026-01-12")
    project.run(["shop.orders"])

    assert server.turn(hours=12) == []
    assert server.turn(hours=12) == [{"main.daily": "2026-01-12"}]
    server.run()
    assert server.turn() == []
    assert project.partitions("daily").missing.count == 0


def test_a_window_reaches_its_readers_when_the_last_that_it_reads_is_there(server, project, folder):
    for day in range(12, 18):
        server.turn(hours=24)
        assert server.turn() == []
        assert dict(server.launches[-1].request.partitions) == {"main.daily": f"2026-01-{day}"}
        server.run()

    assert server.turn(hours=24) == [{"main.daily": "2026-01-18"}]
    server.run()
    assert server.turn() == [{"main.weekly": "2026-W03"}]


def test_a_partition_that_runs_keeps_its_readers_alone(server, project, folder):
    grow(folder, "2026-01-06")
    project.run(["shop.orders"])
    assert server.turn()[0]["main.daily"] == "2026-01-06"
    for day in ("2026-01-06", "2026-01-08"):
        grow(folder, day, name=f"{day}-orders.csv")
        project.run(["shop.orders"])

    assert server.turn() == [{"main.daily": "2026-01-08"}]


def test_a_partition_that_is_held_is_not_launched_again_and_holds_nobody_else(folder, clock):
    text = (folder / "models/daily.sql").read_text()
    checked = text.replace("run_when", "checks: [{between: {column: amount, max: 100}}]\nrun_when")
    (folder / "models/daily.sql").write_text(checked)
    with mainstem.open(folder, clock=clock) as project:
        project.run()
        server = Server(project)
        server.turn()
        write(folder, {"data/orders2.csv": "day,amount\n2026-01-06,900\n2026-01-07,1\n"})
        project.run(["shop.orders"])
        assert server.turn()[0]["main.daily"] == "2026-01-06..2026-01-07"
        assert server.run().status == "held"

        assert server.turn() == [{"main.weekly": "2026-W02"}]  # since one of its days moved
        server.run()
        assert server.turn() == []
        grow(folder, "2026-01-09", name="orders3.csv")
        project.run(["shop.orders"])
        assert server.turn()[0]["main.daily"] == "2026-01-09"


def test_a_partition_that_is_deleted_is_missing_and_launched(server, project):
    delete_partitions(project, "daily", "2026-01-07")

    assert server.turn() == [{"main.daily": "2026-01-07"}]


def test_a_server_that_takes_over_tells_the_same_partitions(server, project, folder):
    grow(folder, "2026-01-08")
    project.run(["shop.orders"])
    other = Server(project)

    assert other.turn() == [{"main.daily": "2026-01-08", "main.weekly": "2026-W02"}]
    assert server.turn() == []


def test_what_an_input_that_is_built_first_will_bring_is_not_known_yet(folder, clock):
    write(
        folder,
        {
            "models/clean.sql": model("select * from shop.orders", run_when="eager"),
            "models/daily.sql": model(
                "select day, amount from clean", partitions=DAYS, run_when="eager"
            ),
        },
    )
    with mainstem.open(folder, clock=clock) as project:
        project.run()
        server = Server(project)
        server.turn()
        grow(folder, "2026-01-08")
        project.run(["shop.orders"])

        (partitions,) = server.turn()
        assert partitions["main.daily"] == "2026-01-05..2026-01-11"
        assert server.launches[-1].request.select == ("main.clean", "main.daily", "main.weekly")


@pytest.mark.parametrize("kind", ["view", "ephemeral"])
def test_what_stands_between_and_is_no_table_carries_what_moves(folder, clock, kind):
    write(
        folder,
        {
            "models/halfway.sql": f"/* ---\nmaterialized: {kind}\n--- */\n"
            "select * from shop.orders",
            "models/total.sql": model("select sum(amount) as n from halfway", run_when="eager"),
        },
    )
    with mainstem.open(folder, clock=clock) as project:
        project.run()
        server = Server(project)
        server.turn()
        grow(folder, "2026-01-08")
        project.run(["shop.orders"])

        server.turn()
        assert "main.total" in server.launches[-1].request.select


def test_the_latest_window_alone_may_be_wanted(folder, clock):
    text = (folder / "models/daily.sql").read_text()
    wanted = text.replace("eager", 'eager & in_latest_time_window("1d")')
    (folder / "models/daily.sql").write_text(wanted)
    with mainstem.open(folder, clock=clock) as project:
        project.run()
        server = Server(project)
        server.turn()
        grow(folder, "2026-01-06", "2026-01-10", "2026-01-11")
        project.run(["shop.orders"])

        assert server.turn()[0]["main.daily"] == "2026-01-10..2026-01-11"


def test_a_key_that_is_added_is_launched(folder, clock):
    write(
        folder,
        {
            "models/per_shop.sql": model(
                "select s as shop, 1 as n from (values ('a'), ('b')) as t(s)",
                partitions="{dynamic: shops, column: shop}",
                run_when="eager",
            )
        },
    )
    with mainstem.open(folder, clock=clock) as project:
        add_partitions(project, "per_shop", ["a"])
        project.run()
        server = Server(project)
        server.turn()
        add_partitions(project, "per_shop", ["b"])

        assert server.turn() == [{"main.per_shop": "b"}]
        server.run()
        assert server.turn() == []


def test_a_condition_on_a_whole_asset_launches_no_partitions(folder, clock):
    write(
        folder, {"models/total.sql": model("select sum(amount) as n from daily", run_when="eager")}
    )
    with mainstem.open(folder, clock=clock) as project:
        project.run()
        server = Server(project)
        server.turn()
        grow(folder, "2026-01-08")
        project.run(["shop.orders"])

        (partitions,) = server.turn()
        assert "main.total" not in partitions
        assert "main.total" in server.launches[-1].request.select
