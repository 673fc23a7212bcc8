# SPDX-License-Identifier: Apache-2.0
"""One leader: taken once, kept by its fence, and given up without a wait."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mainstem import state
from mainstem.database import open_database
from mainstem.errors import LeaseLost
from mainstem.state import ProcessIdentity

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ONE = ProcessIdentity(owner="one", host="h", boot_id="b", pid=7, process_started="99")
TWO = replace(ONE, owner="two", pid=8)


@pytest.fixture
def transaction(database_url):
    database = open_database(database_url)
    database.migrate(state.LEADER_MIGRATIONS)
    with database.write() as opened:
        yield opened
    database.close()


def _take(transaction, process, after=None):
    return state.take_lead(
        transaction,
        process,
        after=after,
        address="http://127.0.0.1:7000",
        now=NOW,
        expires_at=NOW + timedelta(seconds=15),
    )


def _renew(transaction, process, fence):
    later = NOW + timedelta(seconds=20)
    state.renew_lead(transaction, process, fence, address="", now=NOW, expires_at=later)


def test_of_two_servers_at_once_one_leads(transaction):
    assert [_take(transaction, process) for process in (ONE, TWO)] == [1, None]

    found = state.leader(transaction)
    assert (found.process, found.fence, found.address) == (ONE, 1, "http://127.0.0.1:7000")


def test_a_leader_that_moved_is_not_taken_over(transaction):
    _take(transaction, ONE)
    seen = state.leader(transaction)
    _renew(transaction, ONE, 1)

    assert _take(transaction, TWO, seen) is None
    assert _take(transaction, TWO, state.leader(transaction)) == 2


def test_what_a_deposed_leader_writes_is_refused(transaction):
    _take(transaction, ONE)
    _take(transaction, TWO, state.leader(transaction))

    with pytest.raises(LeaseLost) as caught:
        state.compare_lead(transaction, ONE, 1)
    with pytest.raises(LeaseLost):
        _renew(transaction, ONE, 1)
    state.give_up_lead(transaction, ONE, 1)
    assert caught.value.code == "A6402"
    assert state.leader(transaction).process == TWO


def test_a_leader_that_steps_down_leaves_its_fence_behind(transaction):
    _take(transaction, ONE)

    state.give_up_lead(transaction, ONE, 1)

    seen = state.leader(transaction)
    assert (seen.process, seen.address) == (None, "")
    assert _take(transaction, TWO, seen) == 2
