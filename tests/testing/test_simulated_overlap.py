# SPDX-License-Identifier: Apache-2.0
"""`simulate` with launches that overlap: leases, pools, priorities, and conditions of assets."""

import os
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from mainstem.state import launches
from mainstem.testing import simulate
from mainstem.testing.simulation.faults import left_behind

START = datetime(2026, 3, 10, tzinfo=UTC)
SETTINGS = """\
name: shop
pools: {narrow: 1, wide: 2}
serve: {max_runs: 3, attempts: 50}
jobs:
  often: {select: "m.a+", every: 20m}
"""
INGEST = """\
type: files
path: data/
into: raw
tables: {orders: "orders*.csv", rates: "rates*.csv"}
"""
MODELS = {
    "a": ("select * from raw.orders", "checks: [{not_null: [id]}]"),
    "b": ("select count(*) as n from m.a", "pool: narrow"),
    "c": ("select count(*) as n from raw.rates", "pool: narrow"),
    "d": ("select count(*) as n from raw.rates", "pool: wide"),
    "e": ("select count(*) as n from raw.orders", "pool: wide"),
    "f": ("select n from m.b union all select n from m.d", "run_when: eager"),
    "g": ("select count(*) as n from m.e", "run_when: on_cron('0 * * * *')"),
}
NOTICED_S = 15
POOLS = {"narrow": ({"m.b", "m.c"}, 1), "wide": ({"m.d", "m.e"}, 2)}


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop"
    files = {"mainstem.yml": SETTINGS, "ingest/raw.yml": INGEST}
    for name, (select, options) in MODELS.items():
        files[f"models/m/{name}.sql"] = (
            f"/* ---\nmaterialized: table\n{options}\n--- */\n{select}\n"
        )
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def world(shop):
    (shop / "mainstem.yml").write_text(SETTINGS[: SETTINGS.index("jobs:")])
    for name in ("f", "g"):
        path = shop / "models" / "m" / f"{name}.sql"
        path.write_text(path.read_text().replace("run_when", "# run_when"))
    with simulate(shop, start=START) as world:
        world.launch("raw.orders", "raw.rates")
        world.run_for(minutes=1)
        yield world


def _times(world, *assets):
    """Give when attempts at assets began and ended, in minutes of the world."""
    return [
        (
            round((one.began - START) / timedelta(minutes=1)),
            round((one.ended - START) / timedelta(minutes=1)),
        )
        for one in world.attempts
        if one.asset in assets
    ]


def test_launches_that_share_nothing_run_side_by_side(world):
    for asset in ("m.a", "m.d"):
        world.takes(asset, 600)
        world.launch(asset)
    world.run_for(minutes=30)

    assert _times(world, "m.a", "m.d") == [(1, 11), (1, 11)]


def test_as_many_launches_run_at_once_as_the_server_may(world):
    for asset in ("m.a", "m.c", "m.d", "m.e"):
        world.takes(asset, 600)
        world.launch(asset)
    world.run_for(minutes=60)

    assert _times(world, "m.a", "m.c", "m.d") == [(1, 11)] * 3
    assert _times(world, "m.e") == [(11, 21)]


def test_who_waits_for_a_slot_of_the_server_goes_by_priority(world):
    for asset in ("m.a", "m.c", "m.d"):
        world.takes(asset, 600)
        world.launch(asset)
        world.run_for(minutes=1)
    world.launch("m.e")
    world.launch("raw.orders", priority=5)
    world.run_for(minutes=60)

    ended = [run.launch.request.select for run in world.runs]
    assert ended.index(("raw.orders",)) < ended.index(("m.e",))


def test_a_launch_waits_for_the_lease_of_another_and_finds_nothing_left_to_do(world):
    world.takes("m.a", 600)
    world.launch("m.a")
    world.launch("m.a")
    world.run_for(minutes=30)

    assert _times(world, "m.a") == [(1, 11)]
    assert [run.status for run in world.runs[-2:]] == ["succeeded", "succeeded"]


def test_runs_share_the_slots_of_a_pool(world):
    world.launch("m.a")
    world.run_for(minutes=1)
    for asset in ("m.b", "m.c", "m.d", "m.e"):
        world.takes(asset, 600)
    for asset in ("m.b", "m.c", "m.d"):
        world.launch(asset)
    world.run_for(minutes=60)

    (first, second), wide = _times(world, "m.b", "m.c"), _times(world, "m.d")
    assert (first, second) == ((2, 12), (12, 22))
    assert wide == [(2, 12)]


def test_a_step_that_takes_longer_than_its_timeout_is_stopped_then(shop):
    settings = SETTINGS.replace("every: 20m", "cron: '0 5 * * *'")
    one = "  one: {select: m.c, cron: '0 1 * * *', timeout: 5m}\n"
    (shop / "mainstem.yml").write_text(settings + one)
    with simulate(shop, start=START) as world:
        world.launch("raw.rates")
        world.takes("m.c", 7200)
        world.run_for(hours=2)

        assert _times(world, "m.c") == [(60, 65)]
        assert world.runs[-1].status == "failed"


def test_steps_of_a_run_go_side_by_side(world):
    for asset in ("m.d", "m.e"):
        world.takes(asset, 600)
    world.launch("m.d", "m.e")
    world.run_for(minutes=30)

    assert _times(world, "m.d", "m.e") == [(1, 11), (1, 11)]


def test_leases_of_a_run_outlast_a_step_of_a_day(world):
    world.takes("m.a", 24 * 3600)
    world.launch("m.a")
    world.run_for(hours=1)
    world.launch("m.a")
    world.run_for(hours=30)

    assert len(_times(world, "m.a")) == 1
    assert world.runs[-1].status == "succeeded"


def test_all_launches_of_a_server_that_is_killed_are_begun_again(world):
    for asset in ("m.a", "m.d"):
        world.takes(asset, 600)
        world.launch(asset)
    world.kill_server(during="m.d")
    world.run_for(hours=1)

    assert sorted(run.launch.attempts for run in world.runs[-2:]) == [2, 2]
    assert len(world.materializations("m.a")) == len(world.materializations("m.d")) == 1


def test_a_condition_that_became_true_launches_its_asset(shop):
    with simulate(shop, start=START) as world:
        world.run_for(minutes=1)
        world.launch("raw.orders", "raw.rates", "m.a", "m.b", "m.d")
        world.run_for(minutes=5)

        made = [run for run in world.runs if run.launch.request.origin == "condition"]
        assert [run.launch.request.select for run in made] == [("m.f",)]
        assert len(world.materializations("m.f")) == 1


def test_a_condition_with_a_cron_is_looked_at_when_its_time_comes(shop):
    with simulate(shop, start=START) as world:
        world.launch("raw.orders", "m.e")
        world.run_for(minutes=90)
        before = world.materializations("m.g")
        world.arrive("raw.orders")
        world.launch("raw.orders", "m.e")
        world.run_for(minutes=10)

        assert before == []
        assert [version.at.hour for version in world.materializations("m.g")] == [1]


def _overused(world):
    """Say where more steps held slots of a pool than it has.

    For some seconds they may: after the clock was set forward by more than a lease, until their
    runs have noticed and stopped them.
    """
    for pool, (assets, slots) in POOLS.items():
        some = [one for one in world.attempts if one.asset in assets]
        for one in some:
            moment = one.began_s + NOTICED_S
            held = [two for two in some if two.began_s <= one.began_s and two.ended_s > moment]
            if one.ended_s > moment and len(held) > slots:
                yield f"{len(held)} slots of {pool} were taken at {one.began}"


def _torment(world):
    """Some hours with launches that overlap, in which servers die anywhere."""
    chance = world.random
    world.launch()
    world.run_for(minutes=5)
    world.arrive("raw.orders", every=timedelta(minutes=chance.choice([15, 50])))
    world.arrive("raw.rates", every=timedelta(minutes=chance.choice([10, 35])))
    for name in MODELS:
        world.takes(f"m.{name}", chance.choice([0, 1, 40, 400, 1500]))
    world.make_deadly(chance.choice([0.0005, 0.002, 0.006]))
    for _ in range(10):
        for _ in range(chance.randint(0, 4)):
            world.launch(
                chance.choice(["m.a+", "m.b", "m.c", "m.d", "m.e+", "raw.rates"]),
                priority=chance.randint(0, 2),
            )
        if chance.random() < 0.3:
            world.fail(f"m.{chance.choice('abcde')}", times=chance.randint(1, 2))
        if chance.random() < 0.2:
            world.break_check("m.a", "not_null(id)")
        if chance.random() < 0.3:
            world.mend_check("m.a", "not_null(id)")
        if chance.random() < 0.1:
            world.set_clock(timedelta(minutes=chance.choice([-30, 20])))
        world.run_for(minutes=chance.choice([5, 25]))


def _chaos(folder, seed, database=""):
    with simulate(folder, start=START, seed=seed, database=database) as world:
        _torment(world)
        world.mend_check("m.a", "not_null(id)")
        world.settle()
        with world.database.read() as transaction:
            wrong = [*world.broken_promises(), *left_behind(transaction)]
            found = launches(transaction, limit=10_000)
        wrong += _overused(world)
        wrong += [f"launch {one.id} is {one.status}" for one in found if one.status == "lost"]
        # Each further attempt was paid for with a death, of which one takes three launches at most.
        spent = sum(one.attempts - 1 for one in found if one.attempts)
        if spent > 3 * world.deaths:
            wrong.append(f"{spent} attempts broke off, and {world.deaths} servers died")
        overlaps = sum(second.began < first.ended for first, second in pairwise(world.attempts))
        conditions = sum(one.request.origin == "condition" for one in found)
        return world.deaths, overlaps, conditions, wrong


def test_servers_that_die_among_overlapping_launches_lose_and_overuse_nothing(shop):
    sums = [0, 0, 0]
    for seed in range(6):
        *counts, wrong = _chaos(shop, seed)
        sums = [one + more for one, more in zip(sums, counts, strict=True)]
        assert wrong == [], seed

    deaths, overlaps, conditions = sums
    assert deaths > 4
    assert overlaps > 20
    assert conditions > 2


@pytest.mark.slow
def test_the_same_holds_for_many_worlds(shop):
    """As many as MAINSTEM_WORLDS says."""
    for seed in range(1000, 1000 + int(os.environ.get("MAINSTEM_WORLDS", "20"))):
        *_counts, wrong = _chaos(shop, seed)
        assert wrong == [], seed


@pytest.mark.slow
@pytest.mark.parametrize("seed", [101, 102])
def test_the_same_holds_on_each_database(shop, database_url, seed):
    *_counts, wrong = _chaos(shop, seed, database_url)

    assert wrong == []


def test_the_same_world_with_the_same_seed_is_the_same(shop):
    def told():
        with simulate(shop, start=START, seed=3) as world:
            _torment(world)
            return [(run.at, run.launch.id, run.status) for run in world.runs], world.deaths

    assert told() == told()
