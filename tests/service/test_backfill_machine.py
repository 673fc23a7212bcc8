# SPDX-License-Identifier: Apache-2.0
"""Chunks of a backfill: how large, which first, what waits for what, and how long it will take."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from mainstem.graph.partition import PartitionSet, infer_mapping, time_partitions
from mainstem.service.backfill.machine import (
    AssetWork,
    Pace,
    Reading,
    fly,
    is_over,
    next_chunks,
    seconds_left,
    settle,
    stuck,
)
from mainstem.types import AssetKey

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOURS, DAYS = time_partitions("hour", "2013-01-01"), time_partitions("day", "2013-01-01")
RAW, DAILY = AssetKey.parse("a.raw"), AssetKey.parse("a.daily")


def _hours(text):
    return PartitionSet.parse(text, HOURS)


def _work(target, definition=HOURS, **options):
    nothing = PartitionSet(definition)
    return AssetWork(
        **{
            "key": RAW,
            "target": target,
            "done": nothing,
            "failed": nothing,
            "flying": nothing,
            "existing": PartitionSet.existing(definition, NOW),
            **options,
        }
    )


def _two(hours, days):
    reading = Reading(
        key=RAW,
        mapping=infer_mapping(DAYS, HOURS, None),
        existing=PartitionSet.existing(HOURS, NOW),
    )
    daily = _work(PartitionSet.parse(days, DAYS), DAYS, key=DAILY, reads=(reading,))
    return {RAW: _work(_hours(hours)), DAILY: daily}


def _texts(chunks):
    return [f"{chunk.key.name} {chunk.some}" for chunk in chunks]


def test_neighbours_are_launched_together_oldest_first():
    works = {RAW: _work(_hours("2013-01-01"))}

    chunks = next_chunks(works, Pace(parallel=2, chunk=6), flying=0)

    assert _texts(chunks) == ["raw 2013-01-01T00..2013-01-01T05"]


def test_an_asset_flies_once_at_a_time_since_a_run_holds_its_lease():
    some = _hours("2013-01-01T00")
    works = {RAW: fly(_work(_hours("2013-01-01")), some)}

    assert next_chunks(works, Pace(parallel=4), flying=1) == []


def test_newest_first_takes_from_the_other_end():
    works = {RAW: _work(_hours("2013-01-01"))}

    chunks = next_chunks(works, Pace(parallel=1, chunk=2, order="newest"), flying=0)

    assert _texts(chunks) == ["raw 2013-01-01T22..2013-01-01T23"]


def test_no_more_launches_fly_than_are_allowed():
    works = {RAW: _work(_hours("2013-01-01"))}

    assert len(next_chunks(works, Pace(parallel=3), flying=2)) == 1
    assert next_chunks(works, Pace(parallel=3), flying=3) == []
    assert next_chunks(works, Pace(parallel=0), flying=0) == []
    assert next_chunks(works, Pace(parallel=1), flying=3) == [], "it was changed meanwhile"


def test_a_day_starts_as_soon_as_its_own_hours_are_done():
    works = _two("2013-01-01..2013-01-02", "2013-01-01..2013-01-02")
    first = _hours("2013-01-01")
    assert {chunk.key for chunk in next_chunks(works, Pace(chunk=24), flying=0)} == {RAW}

    works[RAW] = settle(fly(works[RAW], first), first, done=first, failed=first - first)

    assert _texts(next_chunks(works, Pace(parallel=2, chunk=24), flying=0)) == [
        "daily 2013-01-01",
        "raw 2013-01-02T00..2013-01-02T23",
    ]


def test_hours_that_are_not_part_of_the_backfill_hold_up_no_day():
    works = _two("2013-01-02", "2013-01-01..2013-01-02")

    chunks = next_chunks(works, Pace(parallel=9, chunk=24), flying=0)

    assert "daily 2013-01-01" in _texts(chunks)
    assert "daily 2013-01-02" not in _texts(chunks)


def test_a_failed_hour_holds_its_day_and_no_other():
    works = _two("2013-01-01..2013-01-02", "2013-01-01..2013-01-02")
    all_hours, bad = works[RAW].target, _hours("2013-01-01T03")
    works[RAW] = settle(works[RAW], all_hours, done=all_hours - bad, failed=bad)

    assert _texts(next_chunks(works, Pace(chunk=9), flying=0)) == ["daily 2013-01-02"]
    assert stuck(works)[DAILY].text() == "2013-01-01"
    day = PartitionSet.parse("2013-01-02", DAYS)
    works[DAILY] = settle(works[DAILY], day, done=day, failed=day - day)
    assert is_over(works, flying=0)


def test_what_a_launch_says_nothing_of_is_done_again():
    some = _hours("2013-01-01T00..2013-01-01T05")
    work = fly(_work(some), some)
    done = _hours("2013-01-01T00")

    after = settle(work, some, done=done, failed=some - some)

    assert after.left == some - done
    assert not after.flying


def test_chunks_grow_to_what_takes_half_a_minute():
    day = _hours("2013-01-01..2013-02-28")
    measured = _work(day, measured_s=10.0, measured_count=20)

    first = next_chunks({RAW: _work(day)}, Pace(parallel=1), flying=0)
    later = next_chunks({RAW: measured}, Pace(parallel=1), flying=0)

    assert [chunk.some.count for chunk in first] == [8]
    assert [chunk.some.count for chunk in later] == [60]


def test_no_batch_is_torn_between_two_chunks():
    done = _hours("2013-01-01T00..2013-01-01T05")
    work = _work(_hours("2013-01-01..2013-01-09"), batch=24, done=done)

    oldest = next_chunks({RAW: work}, Pace(chunk=50), flying=0)
    newest = next_chunks({RAW: work}, Pace(chunk=50, order="newest"), flying=0)
    single = next_chunks({RAW: work}, Pace(chunk=1), flying=0)

    assert _texts(oldest) == ["raw 2013-01-01T06..2013-01-02T23"]
    assert _texts(newest) == ["raw 2013-01-08T00..2013-01-09T23"]
    assert _texts(single) == ["raw 2013-01-01T06"]


def test_chunks_are_whole_batches():
    work = _work(_hours("2013-01-01..2013-01-09"), batch=24)

    chunks = next_chunks({RAW: work}, Pace(parallel=2), flying=0)

    assert [chunk.some.count for chunk in chunks] == [24]


def test_the_time_left_comes_from_what_was_measured():
    works = _two("2013-01-01..2013-01-02", "2013-01-01..2013-01-02")
    assert seconds_left(works, Pace()) is None

    works[RAW] = replace(works[RAW], measured_s=12.0, measured_count=24)

    assert seconds_left(works, Pace(parallel=2)) == (48 * 0.5 + 2 * 0.5) / 2


def test_a_hundred_thousand_hours_are_chunked_from_either_end():
    works = {RAW: _work(PartitionSet.existing(HOURS, NOW))}
    assert works[RAW].target.count > 100_000

    (oldest,) = next_chunks(works, Pace(parallel=1, chunk=500), flying=0)
    (newest,) = next_chunks(works, Pace(parallel=1, chunk=500, order="newest"), flying=0)

    assert (oldest.some.count, newest.some.count) == (500, 500)
    assert "2013-01-01T00" in oldest.some
    assert "2025-12-31T23" in newest.some
