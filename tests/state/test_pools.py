# SPDX-License-Identifier: Apache-2.0
"""Slots of pools: counted while they live, taken all at once, never leaked; rates; memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstem import state
from mainstem.database import open_database
from mainstem.state import Ask, Holder

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEASE = timedelta(seconds=30)


class Pools:
    """A database, and who asks it at what time."""

    def __init__(self, path):
        self.database = open_database(str(path))
        self.database.migrate(state.ALL_MIGRATIONS)
        self.now = NOW

    def take(self, run_id, asset, *asks, attempt=1):
        holder = Holder(run_id=run_id, asset=asset, attempt=attempt, owner=f"owner-{run_id}")
        with self.database.read() as transaction:
            looked = state.room_in(transaction, asks, holder, now=self.now)
        with self.database.write() as transaction:
            refusal = state.take_slots(
                transaction, asks, holder, now=self.now, expires_at=self.now + LEASE
            )
        assert (looked is None) == (refusal is None)
        return refusal

    def free(self, run_id, asset=""):
        with self.database.write() as transaction:
            state.free_slots(transaction, run_id, asset)

    def set(self, pool, slots):
        with self.database.write() as transaction:
            state.set_slots(transaction, pool, slots, by="ann", now=self.now)

    def renew(self, run_id):
        with self.database.write() as transaction:
            return state.renew_slots(
                transaction, run_id, f"owner-{run_id}", expires_at=self.now + LEASE
            )

    def live(self):
        with self.database.read() as transaction:
            found = state.slots_of(transaction, now=self.now)
        return {
            pool: [(slot.holder.run_id, slot.holder.asset) for slot in slots]
            for pool, slots in found.items()
        }


@pytest.fixture
def pools(tmp_path):
    pools = Pools(tmp_path / "state.db")
    yield pools
    pools.database.close()


def test_no_more_slots_are_taken_than_there_are(pools):
    ask = Ask(pool="db", limit=2)

    refusals = [pools.take(run, "a", ask) for run in (1, 2, 3)]

    assert [refusal is None for refusal in refusals] == [True, True, False]
    assert refusals[2].pool == "db"
    assert pools.live() == {"db": [(1, "a"), (2, "a")]}


def test_a_step_is_never_blocked_by_itself(pools):
    ask = Ask(pool="db", limit=1)
    pools.take(1, "a", ask)

    assert pools.take(1, "a", ask, attempt=2) is None
    assert pools.live() == {"db": [(1, "a")]}


def test_several_pools_are_taken_together_or_not_at_all(pools):
    pools.take(1, "a", Ask(pool="api", limit=1))

    assert pools.take(2, "b", Ask(pool="db", limit=1), Ask(pool="api", limit=1)).pool == "api"
    assert pools.live() == {"api": [(1, "a")]}


def test_a_slot_that_nobody_renews_is_free_when_its_lease_is_over(pools):
    ask = Ask(pool="db", limit=1)
    pools.take(1, "a", ask)
    pools.now += LEASE - timedelta(seconds=1)
    assert pools.take(2, "b", ask) is not None
    pools.now += timedelta(seconds=1)

    assert pools.take(2, "b", ask) is None
    assert pools.renew(1) == frozenset()
    assert pools.live() == {"db": [(2, "b")]}


def test_a_slot_that_is_renewed_lives_on(pools):
    ask = Ask(pool="db", limit=1)
    pools.take(1, "a", ask)
    for _ in range(3):
        pools.now += timedelta(seconds=20)
        assert pools.renew(1) == {("db", "a")}

    assert pools.take(2, "b", ask) is not None


def test_slots_of_one_step_or_of_a_run_are_given_back(pools):
    for asset in ("a", "b", "c"):
        pools.take(1, asset, Ask(pool="db", limit=3))

    pools.free(1, "a")
    assert pools.live() == {"db": [(1, "b"), (1, "c")]}
    pools.free(1)
    assert pools.live() == {}


def test_each_slot_has_a_higher_fence_than_those_before_it(pools):
    ask = Ask(pool="db", limit=1)
    fences = []
    for run in range(1, 4):
        pools.take(run, "a", ask)
        with pools.database.read() as transaction:
            fences.append(state.slots_of(transaction, now=pools.now)["db"][0].fence)
        pools.free(run)

    assert fences == sorted(set(fences))


def test_starts_are_spread_by_the_rate_and_a_pause_saves_up_a_burst(pools):
    ask = Ask(pool="api", rate_per_s=2.0, burst=3)
    assert [pools.take(run, "a", ask) is None for run in range(1, 5)] == [True, True, True, False]
    assert pools.take(5, "a", ask).wait_s == pytest.approx(0.5)
    pools.now += timedelta(seconds=0.5)
    assert pools.take(5, "a", ask) is None
    assert pools.take(6, "a", ask).wait_s == pytest.approx(0.5)
    pools.now += timedelta(hours=1)

    assert [pools.take(run, "a", ask) is None for run in range(7, 11)] == [True, True, True, False]


def test_a_clock_that_is_set_back_gives_no_credit_and_takes_none(pools):
    ask = Ask(pool="api", rate_per_s=1.0)
    pools.take(1, "a", ask)
    pools.now -= timedelta(hours=1)

    assert pools.take(2, "a", ask).wait_s == pytest.approx(1.0)


def test_what_needs_more_memory_than_there_is_runs_alone(pools):
    assert pools.take(1, "huge", Ask(pool="memory:here", amount=100, limit=10)) is None
    assert pools.take(1, "small", Ask(pool="memory:here", amount=1, limit=10)) is not None
    pools.free(1)
    assert pools.take(1, "small", Ask(pool="memory:here", amount=1, limit=10)) is None
    assert pools.take(1, "huge", Ask(pool="memory:here", amount=100, limit=10)) is not None


def test_slots_that_are_set_hold_from_the_next_claim_on(pools):
    ask = Ask(pool="db", limit=1)
    pools.set("db", 2)
    assert [pools.take(run, "a", ask) is None for run in (1, 2, 3)] == [True, True, False]

    pools.set("db", 1)
    pools.free(1)
    assert pools.take(3, "a", ask) is not None
    pools.free(2)
    assert pools.take(3, "a", ask) is None
    pools.set("db", None)
    pools.free(3)

    assert [pools.take(run, "a", ask) is None for run in (4, 5)] == [True, False]


def test_a_pool_of_no_slots_is_shut_and_who_holds_one_keeps_it(pools):
    ask = Ask(pool="db", limit=1)
    pools.take(1, "a", ask)
    pools.set("db", 0)

    assert pools.renew(1) == {("db", "a")}
    pools.free(1)
    assert pools.take(2, "b", ask).pool == "db"
    assert pools.take(2, "b", Ask(pool="db", amount=0, limit=1)).pool == "db"


def test_a_pool_whose_slots_were_set_before_anybody_used_it_has_its_whole_burst(pools):
    pools.set("api", 9)
    ask = Ask(pool="api", limit=9, rate_per_s=1.0, burst=2)

    assert [pools.take(run, "a", ask) is None for run in (1, 2, 3)] == [True, True, False]


def test_slots_that_were_set_are_told_with_who_set_them(pools):
    pools.set("db", 3)
    pools.set("api", None)
    with pools.database.read() as transaction:
        found = state.slots_set(transaction)

    assert found == {"db": state.SetSlots(slots=3, at=NOW, by="ann")}


@settings(max_examples=settings().max_examples // 2, deadline=None)
@given(st.data())
def test_whatever_runs_do_no_pool_is_ever_above_its_limit(tmp_path_factory, data):
    pools = Pools(tmp_path_factory.mktemp("pools") / "state.db")
    limits = {"a": 2, "b": 1}
    try:
        for _ in range(data.draw(st.integers(5, 25))):
            run = data.draw(st.integers(1, 4))
            match data.draw(st.sampled_from(["take", "take", "free", "renew", "die"])):
                case "take":
                    wanted = data.draw(st.sets(st.sampled_from(["a", "b"]), min_size=1))
                    asset = data.draw(st.sampled_from(["x", "y"]))
                    pools.take(run, asset, *(Ask(pool=p, limit=limits[p]) for p in wanted))
                case "free":
                    pools.free(run)
                case "renew":
                    pools.renew(run)
                case "die":
                    pools.now += timedelta(seconds=data.draw(st.integers(1, 31)))
            for pool, live in pools.live().items():
                assert len(live) <= limits[pool]
    finally:
        pools.database.close()
