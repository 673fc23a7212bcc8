# SPDX-License-Identifier: Apache-2.0
"""Windows of time: they tile time, keys come back, and instants find their window, in any zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mainstem.graph import PartitionSet, infer_mapping, time_partitions

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/Sao_Paulo",
    "Pacific/Apia",
)
CRONS = ("0 6,18 * * 1-5", "*/20 2 * * *", "30 2 L * *", "15 * * * *", "0 0 29 2 *")


@st.composite
def _definitions(draw):
    grain = draw(st.sampled_from(["hour", "day", "week", "month", "quarter", "year", "cron"]))
    start = "2007-01-01"
    offset = timedelta(minutes=draw(st.sampled_from([0, 0, 15, 150, 360])))
    return time_partitions(
        grain,
        start,
        zone=draw(st.sampled_from(ZONES)),
        offset=offset if grain not in {"hour", "cron"} else timedelta(),
        cron=draw(st.sampled_from(CRONS)) if grain == "cron" else "",
    )


MOMENTS = st.integers(0, 8 * 365 * 24 * 60).map(
    lambda minutes: datetime(2008, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@settings(deadline=None)
@given(_definitions(), MOMENTS)
def test_every_moment_is_in_the_window_that_it_is_said_to_be_in(definition, moment):
    ordinal = definition.ordinal_at(moment)
    start, stop = definition.window(ordinal)

    assert start <= moment < stop
    assert definition.window(ordinal + 1)[0] == stop


@settings(deadline=None)
@given(_definitions(), MOMENTS)
def test_keys_come_back(definition, moment):
    ordinal = definition.ordinal_at(moment)

    assert definition.ordinal(definition.key(ordinal)) == ordinal
    assert definition.key(ordinal) != definition.key(ordinal + 1)


@settings(deadline=None, max_examples=60)
@given(_definitions(), _definitions(), MOMENTS, st.integers(1, 3))
def test_grains_map_by_shared_moments_both_ways(down, up, moment, length):
    now = datetime(2040, 1, 1, tzinfo=UTC)
    existing, inputs = PartitionSet.existing(down, now), PartitionSet.existing(up, now)
    mapping = infer_mapping(down, up, None)
    first = down.ordinal_at(moment)
    start, stop = down.start_of(first), down.start_of(first + length)
    # What lies before the first partition of either has nothing to share.
    assume(first >= 0 and up.start_of(0) <= start)
    some = PartitionSet.of_points(down, [(first + at,) for at in range(length)])

    above = mapping.upstream(some, inputs)

    if start == stop:
        # Days that an island skipped have no moment to share.
        assert not above
        return
    ((low, high, _none),) = above.spans
    assert up.start_of(low) <= start < up.start_of(low + 1)
    assert up.start_of(high - 1) < stop <= up.start_of(high)
    back = mapping.downstream(above, existing, inputs)
    assert {
        at for (at,) in (some - back).points() if down.start_of(at) < down.start_of(at + 1)
    } == set()
