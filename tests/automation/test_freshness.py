"""Promises of freshness: when they fall due, in their zone."""

from __future__ import annotations

from datetime import time, timedelta

import pytest

from mainstem.automation import Promise, freshness_of
from mainstem.automation.freshness import promise_of
from mainstem.errors import ConfigInvalid, Where

SIX_HOURS = Promise(within=timedelta(hours=6))
EIGHT = Promise(by=time(8), zone="Europe/Berlin")


def test_within_counts_from_the_last_update(utc):
    at, since = utc("2026-01-01 12:00"), utc("2025-01-01 00:00")

    kept = freshness_of(SIX_HOURS, at, since=since, now=utc("2026-01-01 18:00"))
    late = freshness_of(SIX_HOURS, at, since=since, now=utc("2026-01-01 18:00:01"))

    assert (kept.status, late.status) == ("fresh", "late")
    assert late.due_at == utc("2026-01-01 18:00")


def test_a_promise_is_not_broken_for_the_time_before_it_was_made(utc):
    since = utc("2026-01-01 12:00")

    new = freshness_of(SIX_HOURS, None, since=since, now=utc("2026-01-01 13:00"))
    later = freshness_of(SIX_HOURS, None, since=since, now=utc("2026-01-01 19:00"))

    assert (new.status, later.status) == ("unknown", "late")


@pytest.mark.parametrize(
    ("updated", "due"),
    [
        ("2026-01-10 06:00", "2026-01-11 07:00"),  # at seven local: it counts for eight
        ("2026-01-10 07:30", "2026-01-12 07:00"),  # half past eight: it counts for tomorrow
        ("2026-03-28 06:30", "2026-03-29 06:00"),  # the clock changes: eight is six in UTC
        ("2026-10-24 05:30", "2026-10-25 07:00"),
    ],
)
def test_by_is_a_time_of_the_local_day(updated, due, utc):
    found = freshness_of(EIGHT, utc(updated), since=utc("2025-01-01 00:00"), now=utc(updated))

    assert found.due_at == utc(due)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ({}, "A2221"),
        ({"within": "6h", "by": "08:00"}, "A2221"),
        ({"within": "soon"}, "A2221"),
        ({"by": "8"}, "A2221"),
        ({"by": "25:00"}, "A2221"),
        ({"by": "08:00", "zone": "Nowhere"}, "A2202"),
    ],
)
def test_what_is_no_promise_is_refused(written, code):
    with pytest.raises(ConfigInvalid) as raised:
        promise_of(written, Where(asset="main.total"))

    assert raised.value.code == code


def test_a_partition_is_waited_for_from_its_end_whatever_else_was_built(utc):
    since, updated = utc("2025-01-01 00:00"), utc("2026-01-10 20:00")
    ended = utc("2026-01-10 00:00")

    def status(promise, now):
        found = freshness_of(promise, updated, since=since, now=now, pending_since=ended)
        return found.status, found.due_at

    assert status(SIX_HOURS, utc("2026-01-10 05:00")) == ("fresh", utc("2026-01-10 06:00"))
    assert status(SIX_HOURS, utc("2026-01-10 21:00")) == ("late", utc("2026-01-10 06:00"))
    assert status(EIGHT, utc("2026-01-10 21:00")) == ("late", utc("2026-01-10 07:00"))
