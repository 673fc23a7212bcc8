"""Cron expressions across changes of the clock, held to a table that no cron library made."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstem.automation.cron import cron_of
from mainstem.automation.timing import Timing
from mainstem.errors import ConfigInvalid

TABLE = Path(__file__).parents[1] / "cases/ticks/2018.txt"


def _sections():
    found: dict[str, list[datetime]] = {}
    ticks: list[datetime] = []
    for line in TABLE.read_text().splitlines():
        if not line.startswith(" "):
            ticks = found.setdefault(line, [])
            continue
        days, *times = line.split()
        first, last = (date.fromisoformat(day) for day in days.split(".."))
        for count in range((last - first).days + 1):
            day = first + timedelta(days=count)
            ticks += [
                datetime.fromisoformat(f"{day}T{time}+00:00") for time in times if time != "-"
            ]
    return found


SECTIONS = _sections()


def test_the_table_has_five_zones_and_both_changes_of_each_clock():
    zones = {title.split(" | ")[0] for title in SECTIONS}

    assert len(zones) == 5
    assert len(SECTIONS["Australia/Lord_Howe | 0 * * * *"]) == 8759


@pytest.mark.parametrize("title", SECTIONS)
def test_a_year_of_ticks_equals_the_written_table(title):
    zone, text = title.split(" | ")
    start = datetime(2018, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)
    end = datetime(2019, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)

    ticks = list(Timing(crons=(cron_of(text, zone),)).within(start, end))

    assert ticks == SECTIONS[title]


@pytest.mark.parametrize("title", SECTIONS)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_it_does_not_matter_where_one_begins_to_look(title, data):
    zone, text = title.split(" | ")
    expected = SECTIONS[title]
    at = data.draw(st.integers(0, len(expected) - 4))
    shift = data.draw(st.integers(0, int((expected[at + 1] - expected[at]).total_seconds()) - 1))
    moment = expected[at] + timedelta(seconds=shift)

    found = list(islice(cron_of(text, zone).after(moment), 3))

    assert found == expected[at + 1 : at + 4]


def test_a_time_that_does_not_exist_fires_once_at_the_next_valid_moment(utc):
    cron = cron_of("*/20 2 * * *", "Europe/Berlin")

    found = list(islice(cron.after(utc("2026-03-29 00:00")), 2))

    assert found == [utc("2026-03-29 01:00"), utc("2026-03-30 00:00")]


def test_a_time_that_comes_twice_fires_the_first_time_also_when_asked_in_between(utc):
    cron = cron_of("30 2 * * *", "Europe/Berlin")

    assert next(cron.after(utc("2026-10-25 00:00"))) == utc("2026-10-25 00:30")
    assert next(cron.after(utc("2026-10-25 01:10"))) == utc("2026-10-26 01:30")


def test_a_day_that_a_zone_left_out_fires_when_the_next_begins(utc):
    cron = cron_of("30 2 * * *", "Pacific/Apia")

    found = list(islice(cron.after(utc("2011-12-29 13:00")), 2))

    assert found == [utc("2011-12-30 10:00"), utc("2011-12-30 12:30")]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("@daily", "2026-02-01 00:00"),
        ("0 9 * * mon#1", "2026-02-02 09:00"),
        ("0 9 L * *", "2026-02-28 09:00"),
        ("0 0 29 2 *", "2028-02-29 00:00"),
        ("5 0-23 * * *", "2026-01-31 12:05"),
    ],
)
def test_expressions_mean_what_debian_means(text, first, utc):
    assert next(cron_of(text).after(utc("2026-01-31 12:00"))) == utc(first)


@pytest.mark.parametrize(
    "text", ["", "* * * *", "0 3 * * * *", "61 * * * *", "0 0 31 2 *", "nightly", "0 3 * * fun"]
)
def test_what_is_no_cron_is_refused_with_an_example(text):
    with pytest.raises(ConfigInvalid) as raised:
        cron_of(text)

    assert raised.value.code == "A2201"
    assert "mon-fri" in raised.value.hint


def test_a_zone_that_does_not_exist_is_refused_with_the_nearest():
    with pytest.raises(ConfigInvalid) as raised:
        cron_of("0 3 * * *", "Europe/Berlim")

    assert raised.value.code == "A2202"
    assert "Europe/Berlin" in raised.value.known


def test_several_crons_are_one_list_of_ticks(utc):
    timing = Timing(crons=(cron_of("0 3 * * *"), cron_of("0 */3 * * *"), cron_of("30 4 * * *")))

    found = list(islice(timing.after(utc("2026-01-01 02:00")), 3))

    assert found == [utc("2026-01-01 03:00"), utc("2026-01-01 04:30"), utc("2026-01-01 06:00")]


def test_intervals_count_from_1970_whenever_one_begins(utc):
    timing = Timing(every=timedelta(minutes=15))

    assert timing.next(utc("2026-01-01 00:07:31")) == utc("2026-01-01 00:15")
    assert timing.next(utc("2026-01-01 00:15")) == utc("2026-01-01 00:30")


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["0 3 * * *", "*/7 * * * *", "15 2 1 * *", "0 0 29 2 *"]),
    st.integers(0, 90_000_000),
    st.integers(0, 9_000_000),
)
def test_the_latest_tick_is_the_last_of_all_within(text, start, length):
    timing = Timing(crons=(cron_of(text, "Europe/Berlin"),))
    begin = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=start)
    end = begin + timedelta(seconds=length % 200_000 if text.startswith("*") else length)

    everything = list(timing.within(begin, end))

    assert timing.latest(begin, end) == (everything[-1] if everything else None)
