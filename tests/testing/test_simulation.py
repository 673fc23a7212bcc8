# SPDX-License-Identifier: Apache-2.0
"""`simulate`: what a month of schedules, faults and kills leads to, in no time of the machine's."""

import os
from datetime import UTC, datetime, timedelta

import pytest

from mainstem.testing import simulate
from mainstem.testing.simulation.faults import left_behind

SETTINGS = """\
name: shop
jobs:
  nightly: {cron: "0 3 * * *", zone: Europe/Berlin, retries: 2}
"""
INGEST = """\
type: files
path: data/
into: raw
tables: {orders: "orders*.csv"}
"""
DAY = timedelta(days=1)


def _model(folder, name, select, options="materialized: table"):
    path = folder / "models" / "m" / f"{name}.sql"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"/* ---\n{options}\n--- */\n{select}\n")


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop"
    (folder / "ingest").mkdir(parents=True)
    (folder / "mainstem.yml").write_text(SETTINGS)
    (folder / "ingest" / "raw.yml").write_text(INGEST)
    _model(
        folder, "a", "select * from raw.orders", "materialized: table\nchecks: [{not_null: [id]}]"
    )
    _model(folder, "b", "select count(*) as n from m.a")
    _model(folder, "c", "select count(*) as n from raw.orders")
    return folder


@pytest.fixture
def march(shop):
    with simulate(shop, start=datetime(2026, 3, 1, tzinfo=UTC)) as world:
        world.arrive("raw.orders", every=DAY)
        yield world


def test_a_month_has_a_run_for_each_night_of_berlin_also_where_the_clock_changes(march):
    march.run_until(datetime(2026, 4, 1, tzinfo=UTC))

    assert [run.status for run in march.runs] == ["succeeded"] * 31
    assert len(march.materializations("m.b")) == 31
    hours = [tick.scheduled_for.astimezone(UTC).hour for tick in march.ticks("nightly")]
    assert hours == [2] * 28 + [1] * 3
    assert march.deaths == 0


def test_what_fails_is_tried_again_as_often_as_the_job_says(march):
    march.fail("m.a", times=2)
    march.run_for(days=1)
    march.fail("m.a", times=3)
    march.run_for(days=1)

    first, second = march.runs
    assert (first.status, second.status) == ("succeeded", "failed")
    assert second.steps["m.a"] == "failed"
    assert second.steps["m.b"] == "skipped"
    assert second.steps["m.c"] == "built"


def test_what_a_check_holds_is_not_seen_until_it_is_mended(march):
    march.run_for(days=1)
    march.break_check("m.a", "not_null(id)")
    march.run_for(days=2)
    march.mend_check("m.a", "not_null(id)")
    march.run_for(days=1)

    assert [run.status for run in march.runs] == ["succeeded", "held", "held", "succeeded"]
    seen = [version.run_id for version in march.materializations("m.b")]
    assert seen == [1, 4]


def test_a_server_that_dies_while_it_builds_loses_nothing_and_does_nothing_twice(march):
    march.kill_server(during="m.b")
    march.run_for(days=1)
    march.settle()

    assert march.deaths == 1
    assert [tick.outcome for tick in march.ticks("nightly")] == ["launched"]
    assert len(march.materializations("m.b")) == 1
    assert [run.launch.attempts for run in march.runs] == [2]
    with march.database.read() as transaction:
        assert left_behind(transaction) == []


def test_a_clock_that_is_set_back_ticks_no_night_twice(march):
    march.run_for(days=1, hours=4)
    march.set_clock(timedelta(hours=-3))
    march.run_for(days=1)

    due = [tick.scheduled_for for tick in march.ticks("nightly")]
    assert len(due) == len(set(due)) == 2


def test_a_slow_night_delays_the_next_one_and_loses_none(march):
    march.takes("m.a", 30 * 3600)
    march.run_for(days=4)
    march.takes("m.a", 1)
    march.run_for(days=2)

    launched = [tick for tick in march.ticks("nightly") if tick.outcome == "launched"]
    assert len(march.runs) == len(launched)
    assert {run.status for run in march.runs} == {"succeeded"}


def test_launches_with_one_run_key_run_once(march):
    assert march.launch("m.c+", run_key="k") is not None
    assert march.launch("m.c+", run_key="k") is None
    march.run_for(hours=1)

    assert len(march.runs) == 1


def _chaos(folder, seed, database=""):
    """One day and night of a project with every accident that a seed deals out."""
    start = datetime(2026, 3, 28, tzinfo=UTC)
    with simulate(folder, start=start, seed=seed, database=database) as world:
        chance = world.random
        world.arrive("raw.orders", every=timedelta(hours=chance.choice([2, 5])))
        for _ in range(chance.randint(0, 3)):
            asset = chance.choice(["m.a", "m.b", "m.c", "raw.orders"])
            world.fail(asset, times=chance.randint(1, 4))
        world.make_deadly(chance.choice([0.002, 0.01, 0.03]))
        for _ in range(8):
            world.run_for(hours=3)
            if chance.random() < 0.1:
                world.set_clock(timedelta(hours=chance.choice([-3, 2])))
            if chance.random() < 0.2:
                world.launch("m.c+")
            if chance.random() < 0.2:
                world.break_check("m.a", "not_null(id)")
            if chance.random() < 0.2:
                world.mend_check("m.a", "not_null(id)")
        world.settle()
        with world.database.read() as transaction:
            return world.deaths, [*world.broken_promises(), *left_behind(transaction)]


def test_servers_that_die_anywhere_lose_double_and_half_publish_nothing(shop):
    deaths = 0
    for seed in range(12):
        died, wrong = _chaos(shop, seed)
        deaths += died
        assert wrong == [], seed

    assert deaths > 8


@pytest.mark.slow
@pytest.mark.parametrize("seed", [101, 102, 103])
def test_the_same_holds_on_each_database(shop, database_url, seed):
    _died, wrong = _chaos(shop, seed, database_url)

    assert wrong == []


@pytest.mark.slow
def test_the_same_holds_for_many_worlds(shop):
    """As many as MAINSTEM_WORLDS says; a thousand were tried before this was landed."""
    for seed in range(1000, 1000 + int(os.environ.get("MAINSTEM_WORLDS", "20"))):
        _died, wrong = _chaos(shop, seed)
        assert wrong == [], seed


def test_a_promise_that_is_broken_is_noticed(march):
    march.run_for(days=1)
    with march.database.write() as transaction:
        transaction.execute("update run set commit_id = '' where id = 1")
        transaction.execute("delete from launch")

    broken = march.broken_promises()

    assert any(text.startswith("the launch of nightly") for text in broken)
    assert any(text.startswith("run 1 published") for text in broken)
