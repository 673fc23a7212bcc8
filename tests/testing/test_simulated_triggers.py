# SPDX-License-Identifier: Apache-2.0
"""`simulate` with partitions, backfills, sensors, hooks and checks in Python."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mainstem.errors import UserError
from mainstem.testing import simulate
from mainstem.testing.simulation.faults import half_published_partitions, left_behind
from mainstem.types import AssetKey, RunRequest

SETTINGS = """\
name: shop
jobs:
  daily: {select: "m.days+", cron: "30 0 * * *"}
  all: {select: "m.plain"}
sensors:
  inbox: {when: {files: "inbox/*.csv"}, job: all, every: 1m}
  days: {when: {table: m.days}, job: all, every: 1m}
hooks:
  paid: {secret: "${PAID_SECRET}", select: m.plain, dedup: {header: x-id}}
"""
DAYS = "materialized: table\npartitions: {by: day, column: day, start: 2026-03-01}"
WEEKS = "materialized: table\npartitions: {by: week, column: day, start: 2026-03-02}"
JUDGE = """\
from mainstem import check


@check("m.plain")
def is_plain(plain):
    return True
"""
START = datetime(2026, 3, 10, tzinfo=UTC)


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop"
    files = {
        "mainstem.yml": SETTINGS,
        "models/m/days.sql": f"/* ---\n{DAYS}\n--- */\nselect date '2026-03-01' as day\n",
        "models/m/per_day.sql": f"/* ---\n{DAYS}\n--- */\nselect day from m.days\n",
        "models/m/weeks.sql": f"/* ---\n{WEEKS}\n--- */\nselect day from m.days\n",
        "models/m/plain.sql": "/* ---\nmaterialized: table\n--- */\nselect 1 as n\n",
        "checks/plain.py": JUDGE,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def world(shop):
    with simulate(shop, start=START) as world:
        yield world


def _days(first, last):
    return tuple(f"2026-03-{number:02}" for number in range(first, last + 1))


def test_each_night_adds_the_partitions_that_are_over(world):
    world.run_for(days=1)
    after_one = world.partitions("m.days")
    world.run_for(days=2)

    assert after_one == _days(1, 9)
    assert world.partitions("m.per_day") == _days(1, 11)


def test_a_partition_that_fails_is_missing_alone_and_comes_the_night_after(world):
    world.fail("m.days", partition="2026-03-04")
    world.run_for(days=1)
    first = world.partitions("m.days"), world.partitions("m.per_day")
    world.run_for(days=1)

    assert first[0] == tuple(day for day in _days(1, 9) if day != "2026-03-04")
    assert "2026-03-04" not in first[1]
    assert world.partitions("m.per_day") == _days(1, 10)


def test_a_backfill_builds_its_range_and_what_is_below(world):
    made = world.backfills.create(["m.days", "m.per_day"], partitions="2026-03-02..2026-03-05")
    world.settle()

    report = world.backfills.show(made.backfill.id)
    assert (report.backfill.status, report.done, report.failed) == ("succeeded", 8, 0)
    assert world.partitions("m.per_day") == _days(2, 5)


def test_a_backfill_can_be_paused_and_what_failed_in_it_done_again(world):
    world.fail("m.days", partition="2026-03-03", times=1)
    made = world.backfills.create(["m.days"], partitions="2026-03-01..2026-03-05")
    world.settle()
    failed = world.backfills.show(made.backfill.id)
    world.backfills.retry(made.backfill.id)
    world.settle()

    assert (failed.backfill.status, failed.done, failed.failed) == ("failed", 4, 1)
    assert world.backfills.show(made.backfill.id).backfill.status == "succeeded"
    assert world.partitions("m.days") == _days(1, 5)


def test_launches_take_partitions(world):
    world.launch("m.days", partitions="2026-03-07")
    world.run_for(minutes=5)

    assert world.partitions("m.days") == ("2026-03-07",)


def test_a_sensor_launches_what_it_notices_once(world):
    world.notice("inbox", "a.csv", "b.csv", cursor={"seen": 2})
    world.run_for(minutes=5)
    world.notice("inbox", "b.csv")
    world.run_for(minutes=5)

    launched = [run.launch.request for run in world.runs]
    assert [(one.origin, one.run_key) for one in launched] == [
        ("sensor", "a.csv"),
        ("sensor", "b.csv"),
    ]


def test_a_sensor_can_ask_for_partitions(world):
    asked = RunRequest(run_key="x", select=("m.days",), partitions={"m.days": "2026-03-02"})
    world.notice("inbox", requests=[asked])
    world.run_for(minutes=5)

    assert world.partitions("m.days") == ("2026-03-02",)


def test_a_sensor_that_raises_looks_again_later(world):
    world.fail_sensor("inbox", times=2)
    world.notice("inbox", "a.csv")
    world.run_for(minutes=2)
    early = len(world.runs)
    world.run_for(minutes=10)

    assert early == 0
    assert [run.launch.request.run_key for run in world.runs] == ["a.csv"]


def test_a_sensor_on_a_table_sees_the_tables_of_the_world(world):
    world.run_for(minutes=5)
    world.launch("m.days", partitions="2026-03-07")
    world.run_for(minutes=10)

    origins = [run.launch.request.origin for run in world.runs]
    assert origins == ["api", "sensor"]
    assert world.runs[1].launch.request.source == "days"


def test_a_delivery_launches_once_however_often_it_comes(world):
    first = world.deliver("paid", {"order": 1}, {"x-id": "one"})
    again = world.deliver("paid", {"order": 1}, {"x-id": "one"})
    world.run_for(minutes=5)

    assert (first.http_status, again.http_status) == (202, 200)
    assert [run.launch.request.origin for run in world.runs] == ["webhook"]


def test_checks_in_python_hold_what_they_are_told_to(world):
    world.break_check("m.plain", "is_plain")
    world.launch("m.plain")
    world.run_for(minutes=5)

    assert world.runs[0].status == "held"
    assert world.materializations("m.plain") == []


def test_names_that_are_not_there_are_errors(world):
    for ask in (
        lambda: world.notice("inbax", "a"),
        lambda: world.deliver("payd", {}),
        lambda: world.break_check("m.plain", "is_plane"),
        lambda: world.partitions("m.plain"),
    ):
        with pytest.raises(UserError):
            ask()


class _Tampered:
    """A lake in which a table came from other partitions than its record says."""

    def __init__(self, lake, key, **changes):
        self._lake, self._key, self._changes = lake, key, changes

    def log(self, ref, *, limit):
        return self._lake.log(ref, limit=limit)

    def entries(self, commit):
        entries = dict(self._lake.entries(commit))
        entry = entries.get(self._key)
        if entry is not None:
            (part,) = entry.provenance.partitions
            provenance = replace(entry.provenance, partitions=(replace(part, **self._changes),))
            entries[self._key] = replace(entry, provenance=provenance)
        return entries


def test_a_partition_without_what_it_was_made_from_is_noticed(world):
    world.run_for(days=1)
    graph, key = world.project.graph, AssetKey("m", "days")
    whole = [*half_published_partitions(world.lake, graph)]
    other = [*half_published_partitions(_Tampered(world.lake, key, version="x"), graph)]
    short = _Tampered(world.lake, key, partitions="2026-03-02..2026-03-09")
    lacking = [*half_published_partitions(short, graph)]

    assert whole == []
    assert any("m.per_day" in text and "made from" in text for text in other)
    assert any("m.per_day 2026-03-01, but not all of m.days" in text for text in lacking)


def _chaos(folder, seed, database=""):
    """Some days of partitions, backfills, sensors and hooks, with servers that die anywhere."""
    with simulate(folder, start=START, seed=seed, database=database) as world:
        chance = world.random
        for _ in range(chance.randint(0, 4)):
            asset = chance.choice(["m.days", "m.per_day", "m.weeks"])
            day = f"2026-03-{chance.randint(1, 11):02}"
            world.fail(asset, partition=day, times=chance.randint(1, 3))
        world.make_deadly(chance.choice([0.002, 0.01, 0.02]))
        made, sent, noticed = [], set(), set()
        for _ in range(6):
            if chance.random() < 0.5:
                first = chance.randint(1, 6)
                made.append(
                    world.backfills.create(
                        [chance.choice(["m.days+", "m.days"])],
                        partitions=f"2026-03-{first:02}..2026-03-{first + 3:02}",
                        pace={"parallel": chance.randint(1, 3), "chunk": chance.randint(1, 3)},
                    ).backfill.id
                )
            if chance.random() < 0.5:
                key = f"f{chance.randint(1, 3)}"
                noticed.add(key)
                world.notice("inbox", key)
            if chance.random() < 0.5:
                key = f"d{chance.randint(1, 3)}"
                sent.add(key)
                world.deliver("paid", {}, {"x-id": key})
            world.run_for(hours=6)
        world.settle()
        # A week cannot be built before its days are there: three nights mend whatever is to fail.
        world.run_for(days=4)
        for number in made * 10:
            if world.backfills.show(number).backfill.status == "failed":
                world.backfills.retry(number)
                world.settle()
        world.settle()
        wrong = [*world.broken_promises()]
        with world.database.read() as transaction:
            wrong += left_behind(transaction)
            launched = transaction.execute(
                "select origin, run_key, count(*) from launch "
                "where source in ('inbox', 'paid') group by origin, run_key"
            )
        expected = {*(("sensor", key) for key in noticed), *(("webhook", key) for key in sent)}
        if {(origin, key): count for origin, key, count in launched} != dict.fromkeys(expected, 1):
            wrong.append(f"launched {sorted(launched)}, asked for {sorted(expected)}")
        for number in made:
            report = world.backfills.show(number)
            if report.backfill.status != "succeeded" or report.done != report.target:
                wrong.append(f"backfill {number}: {report.backfill.status}")
        return world.deaths, wrong


def test_servers_that_die_anywhere_lose_double_and_half_publish_no_partition(shop):
    deaths = 0
    for seed in range(6):
        died, wrong = _chaos(shop, seed)
        deaths += died
        assert wrong == [], seed

    assert deaths > 4
