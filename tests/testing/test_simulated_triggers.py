# SPDX-License-Identifier: Apache-2.0
"""`simulate` with partitions, backfills, sensors, hooks and checks in Python."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from mainstem.errors import UserError
from mainstem.graph import PartitionSet, parts_of, union_of_parts
from mainstem.state import launches, partition_steps
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


def test_what_was_up_to_date_is_done_though_a_neighbour_in_its_launch_failed(world):
    world.launch("m.days", partitions="2026-03-01..2026-03-03")
    world.launch("m.per_day", partitions="2026-03-01,2026-03-03")
    world.run_for(minutes=5)
    world.fail("m.per_day", partition="2026-03-02")
    made = world.backfills.create(
        ["m.per_day"], partitions="2026-03-01..2026-03-03", pace={"chunk": 3}
    )
    world.settle()

    (found,) = world.backfills.show(made.backfill.id).assets
    assert (found.done, found.failed_partitions) == (2, "2026-03-02")


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
        lambda: world.fail("m.plain", partition="2026-03-04"),
        lambda: world.fail("m.weeks", partition="2026-03-04"),
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


def _torment(world):
    """Some days of partitions, backfills, sensors and hooks, with servers that die anywhere.

    Gives the partitions that were told to fail, the backfills, and the run keys asked for.
    """
    chance = world.random
    told, made, asked = set(), [], set()
    for _ in range(chance.randint(0, 4)):
        asset = chance.choice(["m.days", "m.per_day", "m.weeks"])
        key = "2026-W10" if asset == "m.weeks" else f"2026-03-{chance.randint(1, 11):02}"
        told.add((asset, key))
        world.fail(asset, partition=key, times=chance.randint(1, 3))
    world.make_deadly(chance.choice([0.002, 0.01, 0.02]))
    for _ in range(6):
        if chance.random() < 0.5:
            first = chance.randint(1, 6)
            report = world.backfills.create(
                [chance.choice(["m.days+", "m.days"])],
                partitions=f"2026-03-{first:02}..2026-03-{first + 3:02}",
                pace={"parallel": chance.randint(1, 3), "chunk": chance.randint(1, 3)},
            )
            made.append(report.backfill.id)
        if chance.random() < 0.5:
            key = f"f{chance.randint(1, 3)}"
            asked.add(("sensor", key))
            world.notice("inbox", key)
        if chance.random() < 0.5:
            key = f"d{chance.randint(1, 3)}"
            asked.add(("webhook", key))
            world.deliver("paid", {}, {"x-id": key})
        world.run_for(hours=6)
    world.settle()
    return told, made, asked


def _is_lost(world, launch):
    """Tell whether its servers died as often as a launch survives, and it says so."""
    limit = world.project.settings.serve.attempts
    said = f"the server died {limit} times while it ran"
    return (launch.status, launch.attempts, launch.error) == ("lost", limit, said)


def _failures(transaction, launch):
    """Give the partitions whose step raised in a launch, with what it said."""
    for key in (AssetKey("m", "days"), AssetKey("m", "per_day"), AssetKey("m", "weeks")):
        if launch.run_id is not None:
            for step in partition_steps(transaction, launch.run_id, key):
                if step.status == "failed":
                    yield (str(key), step.partitions), (step.error or {}).get("summary", "")


def _wrong_ends(world, told, asked):
    """Say which launches ended otherwise than they may, and which there should be or not."""
    with world.database.read() as transaction:
        found = launches(transaction, limit=10_000)
        failures = {one.id: [*_failures(transaction, one)] for one in found}
        wrong = [*left_behind(transaction)]
    for one in found:
        is_told = failures[one.id] != [] and all(
            step in told and said.endswith("told to fail") for step, said in failures[one.id]
        )
        is_well = one.status == "succeeded" or (one.status == "failed" and is_told)
        if not is_well and not _is_lost(world, one):
            wrong.append(f"launch {one.id} {one.status} {one.attempts} {one.error!r}")
    # A server holds one launch at a time: each further attempt was paid for with a death.
    spent = sum(one.attempts - (one.status != "lost") for one in found if one.attempts)
    if spent > world.deaths:
        wrong.append(f"{spent} attempts broke off, and {world.deaths} servers died")
    keys = [(one.request.origin, one.request.run_key) for one in found]
    outside = sorted(key for key in keys if key[1] and key[1][0] in "fd")
    if outside != sorted(asked):
        wrong.append(f"launched {outside}, asked for {sorted(asked)}")
    return wrong


def _lacked_a_day(world, week, moment):
    """Tell whether a day of a week was not on `main` before a moment."""
    log = world.lake.log("main", limit=10_000)
    before = next(commit for commit in log if commit.created_at < moment)
    definition = world.project.graph.effective[AssetKey("m", "days")].partitions.definition
    entry = world.lake.entries(before.id).get(AssetKey("m", "days"))
    there = (
        {*union_of_parts(parts_of(entry.provenance, definition), definition)} if entry else {*()}
    )
    number = int(week.removeprefix("2026-W"))
    return any(
        date.fromisocalendar(2026, number, day).isoformat() not in there for day in range(1, 8)
    )


def _unexplained(world, number, told):
    """Say which partitions of a backfill failed though nothing was to keep them from it."""
    report = world.backfills.show(number)
    with world.database.read() as transaction:
        found = launches(transaction, origin="backfill", source=str(number), limit=10_000)
        failures = {one.id: dict(_failures(transaction, one)) for one in found}
    for asset in report.assets:
        definition = world.project.graph.effective[asset.key].partitions.definition
        for key in PartitionSet.parse(asset.failed_partitions, definition):
            last = next(  # the newest of those that had it
                one
                for one in found
                for name, text in one.request.partitions.items()
                if name == str(asset.key) and key in {*PartitionSet.parse(text, definition)}
            )
            is_told = (str(asset.key), key) in told and (str(asset.key), key) in failures[last.id]
            is_week = asset.key == AssetKey("m", "weeks") and last.status == "succeeded"
            is_stuck = is_week and _lacked_a_day(world, key, last.started_at)
            if not (is_told or is_stuck or _is_lost(world, last)):
                yield f"backfill {number}: {asset.key} {key} by launch {last.id} {last.status}"
        if asset.done + asset.failed + asset.stuck != asset.target:
            yield f"backfill {number} left partitions of {asset.key}: {asset}"
    is_whole = report.done == report.target
    if report.backfill.status != ("succeeded" if is_whole else "failed"):
        yield f"backfill {number} is {report.backfill.status}"


def _chaos(folder, seed, database=""):
    with simulate(folder, start=START, seed=seed, database=database) as world:
        told, made, asked = _torment(world)
        wrong = [text for number in made for text in _unexplained(world, number, told)]
        wrong += _wrong_ends(world, told, asked)
        # With nothing that is to fail any more, one night and one retry make everything whole.
        for asset, key in told:
            world.fail(asset, partition=key, times=0)
        world.run_for(days=1)
        for number in made:
            if world.backfills.show(number).backfill.status == "failed":
                world.backfills.retry(number)
        world.settle()
        wrong += [*world.broken_promises(), *_wrong_ends(world, told, asked)]
        for number in made:
            report = world.backfills.show(number)
            if report.backfill.status != "succeeded" or report.done != report.target:
                wrong.append(f"backfill {number} again: {report.backfill.status}")
        for asset, keys in {
            "m.days": _days(1, 11),
            "m.per_day": _days(1, 11),
            "m.weeks": ("2026-W10",),
        }.items():
            if world.partitions(asset) != keys:
                wrong.append(f"{asset} has {world.partitions(asset)}")
        return world.deaths, wrong


def test_servers_that_die_anywhere_lose_double_and_half_publish_no_partition(shop):
    deaths = 0
    for seed in range(6):
        died, wrong = _chaos(shop, seed)
        deaths += died
        assert wrong == [], seed

    assert deaths > 4
