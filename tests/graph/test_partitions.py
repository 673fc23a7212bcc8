# SPDX-License-Identifier: Apache-2.0
"""Partitions of assets: keys, windows at the change of clocks, sets as text, mappings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mainstem.errors import ModelInvalid, SelectionInvalid
from mainstem.graph import (
    DynamicPartitions,
    MappingRule,
    PartitionSet,
    infer_mapping,
    product_partitions,
    read_partitioning,
    read_rule,
    row_rule,
    static_partitions,
    time_partitions,
)

NOW = datetime(2013, 7, 15, 12, tzinfo=UTC)
MONTHS = time_partitions("month", "2013-01-01", end="2014-01-01")
DAYS = time_partitions("day", "2013-01-01")
BERLIN_DAYS = time_partitions("day", "2013-01-01", zone="Europe/Berlin")
BERLIN_HOURS = time_partitions("hour", "2013-01-01", zone="Europe/Berlin")
REGIONS = static_partitions(("eu", "us", "asia"))


def _set(text, definition=MONTHS, now=NOW):
    return PartitionSet.parse(text, definition, within=PartitionSet.existing(definition, now))


@pytest.mark.parametrize(
    ("grain", "start", "key"),
    [
        ("hour", "2013-01-01", "2013-01-01T00"),
        ("day", "2013-01-01", "2013-01-01"),
        ("week", "2012-12-31", "2013-W01"),
        ("month", "2013-01", "2013-01"),
        ("quarter", "2013-04-01", "2013-Q2"),
        ("year", "2013", "2013"),
    ],
)
def test_the_first_key_of_each_grain(grain, start, key):
    definition = time_partitions(grain, start)

    assert definition.key(0) == key
    assert definition.ordinal(key) == 0


def test_windows_that_are_not_over_do_not_exist_yet():
    assert PartitionSet.existing(MONTHS, NOW).text() == "2013-01..2013-06"


def test_end_offset_takes_in_the_window_that_runs():
    current = time_partitions("month", "2013-01-01", end_offset=1)

    assert PartitionSet.existing(current, NOW).text() == "2013-01..2013-07"


def test_nothing_exists_from_the_end_on():
    later = datetime(2020, 1, 1, tzinfo=UTC)

    assert PartitionSet.existing(MONTHS, later).text() == "2013-01..2013-12"


@pytest.mark.parametrize(
    ("key", "hours"), [("2013-03-31", 23), ("2013-06-01", 24), ("2013-10-27", 25)]
)
def test_a_day_in_berlin_has_the_hours_that_it_has(key, hours):
    start, stop = BERLIN_DAYS.window(BERLIN_DAYS.ordinal(key))
    mapping = infer_mapping(BERLIN_DAYS, BERLIN_HOURS, None)
    inputs = PartitionSet.existing(BERLIN_HOURS, datetime(2014, 1, 1, tzinfo=UTC))

    assert stop.astimezone(UTC) - start.astimezone(UTC) == timedelta(hours=hours)
    assert mapping.upstream(PartitionSet.of_keys(BERLIN_DAYS, [key]), inputs).count == hours


def test_the_hour_that_comes_twice_is_two_partitions():
    first = BERLIN_HOURS.ordinal_at(datetime(2013, 10, 27, 0, tzinfo=UTC))

    keys = [BERLIN_HOURS.key(first + number) for number in range(-1, 3)]

    assert keys == [
        "2013-10-27T01",
        "2013-10-27T02+02:00",
        "2013-10-27T02+01:00",
        "2013-10-27T03",
    ]
    with pytest.raises(SelectionInvalid) as caught:
        BERLIN_HOURS.ordinal("2013-10-27T02")
    assert caught.value.code == "A1082"
    assert "2013-10-27T02+02:00" in str(caught.value)


def test_an_hour_that_never_was_is_no_key():
    with pytest.raises(SelectionInvalid) as caught:
        BERLIN_HOURS.ordinal("2013-03-31T02")

    assert caught.value.code == "A1081"


def test_a_day_that_an_island_skipped_is_empty():
    apia = time_partitions("day", "2011-01-01", zone="Pacific/Apia")
    start, stop = apia.window(apia.ordinal("2011-12-30"))

    assert start == stop


def test_offsets_shift_windows_and_keep_names():
    shifts = time_partitions(
        "day", "2013-01-01", offset=timedelta(hours=6), zone="America/New_York"
    )
    start, _stop = shifts.window(shifts.ordinal("2013-07-01"))

    assert start.isoformat() == "2013-07-01T06:00:00-04:00"
    assert shifts.key(shifts.ordinal_at(start - timedelta(minutes=1))) == "2013-06-30"


def test_cron_windows_run_from_tick_to_tick():
    shifts = time_partitions("cron", "2013-01-01", cron="0 6,18 * * 1-5", zone="Europe/Berlin")
    ordinal = shifts.ordinal("2013-01-04T18:00")
    start, stop = shifts.window(ordinal)

    assert (start.isoformat(), stop.isoformat()) == (
        "2013-01-04T18:00:00+01:00",
        "2013-01-07T06:00:00+01:00",
    )
    assert shifts.key(0) == "2013-01-01T06:00"
    with pytest.raises(SelectionInvalid):
        shifts.ordinal("2013-01-05T06:00")


def test_a_start_within_a_window_is_refused():
    with pytest.raises(ModelInvalid) as caught:
        time_partitions("month", "2013-01-15")

    assert caught.value.code == "A2061"
    assert "2013-01-01" in str(caught.value)


def test_an_unknown_zone_is_refused():
    with pytest.raises(ModelInvalid) as caught:
        time_partitions("day", "2013-01-01", zone="Europe/Atlantis")

    assert caught.value.code == "A2060"


@pytest.mark.parametrize("expression", ["0 0 31 2 *", "60 * * * *", "* * *", "0 0 * * * *"])
def test_a_cron_expression_that_never_ticks_is_refused(expression):
    with pytest.raises(ModelInvalid) as caught:
        time_partitions("cron", "2013-01-01", cron=expression)

    assert caught.value.code == "A2062"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("2013-02..2013-04,2013-06", 4),
        ("2013", 12),
        ("..2013-02", 2),
        ("2013-05..", 2),
        ("*", 6),
        ("2013-02, 2013-02 ,2013-03", 2),
        ("", 0),
    ],
)
def test_sets_of_months_as_text(text, count):
    assert _set(text).count == count


def test_a_month_of_days_is_all_its_days():
    assert _set("2013-02..2013-03", DAYS).ranges()[0].text == "2013-02-01..2013-03-31"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2013-13", "A1081"),
        ("2013-02-01", "A1081"),
        ("2013-04..2013-02", "A1084"),
        ("2013-04,,", "A1084"),
        ('"2013-04', "A1084"),
        ("2013-04|eu", "A1084"),
    ],
)
def test_text_that_is_no_set_is_refused(text, code):
    with pytest.raises(SelectionInvalid) as caught:
        _set(text)

    assert caught.value.code == code


def test_open_ranges_need_to_know_what_there_is():
    with pytest.raises(SelectionInvalid) as caught:
        PartitionSet.parse("2013-05..", MONTHS)

    assert caught.value.code == "A1084"


def test_names_with_commas_and_bars_are_one_name():
    names = static_partitions(("a,b", "c|d", 'say "hi"', "latest"))
    cube = product_partitions([("name", names), ("region", REGIONS)])

    keys = list(PartitionSet.existing(cube, NOW))

    assert keys[0] == '"a,b"|eu'
    assert len(set(keys)) == 12
    assert [PartitionSet.of_keys(cube, [key]).count for key in keys] == [1] * 12


def test_a_product_of_three_dimensions_is_told_by_boxes():
    cube = product_partitions(
        [("month", MONTHS), ("region", REGIONS), ("kind", static_partitions(("x", "y")))]
    )
    everything = PartitionSet.existing(cube, NOW)
    some = PartitionSet.parse("2013-01..2013-02|(eu,asia)|*", cube, within=everything)

    assert everything.count == 36
    assert some.count == 8
    assert (everything - some).count == 28
    assert some.ranges()[0].text == "2013-01..2013-02|(eu,asia)|x..y"
    assert some.last().count == 4


def test_ranges_of_dynamic_partitions_are_refused():
    tenants = DynamicPartitions(name="tenants", keys=((0, "a"), (1, "b")))

    with pytest.raises(SelectionInvalid):
        _set("a..b", tenants)
    assert _set("a,b", tenants).count == 2


def test_an_unknown_name_tells_the_nearest():
    with pytest.raises(SelectionInvalid) as caught:
        _set("asai", REGIONS)

    assert caught.value.code == "A1083"
    assert "`asia`" in str(caught.value)


def test_stored_text_outlives_a_new_order_of_names():
    stored = _set("us..asia", REGIONS).text(is_stored=True)

    assert stored == "us,asia"
    moved = static_partitions(("asia", "africa", "us", "eu"))
    assert set(PartitionSet.parse(stored, moved)) == {"us", "asia"}


def _upstream(down, up, rule, text):
    mapping = infer_mapping(down, up, rule)
    return mapping.upstream(_set(text, down), PartitionSet.existing(up, NOW)).text()


def _downstream(down, up, rule, text):
    mapping = infer_mapping(down, up, rule)
    inputs = PartitionSet.existing(up, NOW)
    return mapping.downstream(_set(text, up), PartitionSet.existing(down, NOW), inputs).text()


def test_days_roll_up_to_months_and_months_fan_out_to_days():
    assert _upstream(MONTHS, DAYS, None, "2013-02") == "2013-02-01..2013-02-28"
    assert _downstream(MONTHS, DAYS, None, "2013-02-10..2013-03-01") == "2013-02..2013-03"
    assert _upstream(DAYS, MONTHS, None, "2013-02-10") == "2013-02"
    assert _downstream(DAYS, MONTHS, None, "2013-02") == "2013-02-01..2013-02-28"


@pytest.mark.parametrize(
    ("rule", "up", "down"),
    [
        ("identity", "2013-03", "2013-03"),
        ("last", "2013-06", ""),
        ("all", "2013-01..2013-06", "2013-01..2013-06"),
        ({"trailing": 3}, "2013-01..2013-03", "2013-03..2013-05"),
        ({"window": [-1, 1]}, "2013-02..2013-04", "2013-02..2013-04"),
    ],
)
def test_declared_mappings_go_both_ways(rule, up, down):
    read = read_rule(rule, name="raw.flights")
    other = time_partitions("month", "2012-06-01")
    expected = "2012-06..2013-06" if rule == "all" else up

    assert _upstream(MONTHS, other, read, "2013-03") == expected
    assert _downstream(MONTHS, other, read, "2013-03") == down


def test_all_that_reads_the_last_depends_on_the_last():
    last = read_rule("last", name="x")

    assert _downstream(MONTHS, MONTHS, last, "2013-06") == "2013-01..2013-06"


def test_names_map_by_a_table():
    rule = read_rule({"static": {"north": ["eu", "us"], "south": "asia"}}, name="x")
    halves = static_partitions(("north", "south"))

    assert _upstream(halves, REGIONS, rule, "north") == "eu..us"
    assert _downstream(halves, REGIONS, rule, "us,asia") == "north..south"


def test_dimensions_of_products_relate_by_name():
    down = product_partitions([("day", DAYS), ("region", REGIONS)])
    up = product_partitions([("region", REGIONS), ("kind", static_partitions(("x", "y")))])

    assert _upstream(down, up, None, "2013-02-01|us") == "us|x..y"
    assert _downstream(down, up, None, "us|x") == "2013-01-01..2013-07-14|us"


def test_one_dimension_relates_to_the_one_of_its_kind_in_a_product():
    cube = product_partitions([("month", MONTHS), ("region", REGIONS)])

    assert _upstream(DAYS, cube, None, "2013-02-10") == "2013-02|eu..asia"
    assert _upstream(cube, DAYS, None, "2013-02|us") == "2013-02-01..2013-02-28"


def test_an_unknown_mapping_tells_what_there_is():
    with pytest.raises(ModelInvalid) as caught:
        read_rule("lats", name="raw.flights")

    assert caught.value.code == "A2065"
    assert "`last`" in str(caught.value)


def test_options_give_definition_column_mappings_and_batch():
    read = read_partitioning(
        {
            "by": "day",
            "column": "day",
            "start": "2013-01-01",
            "zone": "Europe/Berlin",
            "inputs": {"raw.rates": "last"},
            "batch": "all",
        }
    )

    assert read.definition == BERLIN_DAYS
    assert read.columns == ("day",)
    assert read.inputs == {"raw.rates": MappingRule(kind="last")}
    assert read.batch == 0


@pytest.mark.parametrize(
    "written",
    [
        {"by": "fortnight", "start": "2013-01-01"},
        {"by": "day"},
        {"by": "day", "start": "2013-01-01", "colunm": "x"},
        {"by": "day", "start": "2013-01-01", "offset": "soon"},
        {"static": "eu"},
        {"by": "day", "start": "2013-01-01", "batch": -1},
    ],
)
def test_wrong_options_are_refused(written):
    with pytest.raises(ModelInvalid) as caught:
        read_partitioning(written)

    assert caught.value.code == "A2066"


def test_more_partitions_are_not_other_code():
    before = read_partitioning({"by": "month", "start": "2013-01-01", "end": "2013-06-01"})
    after = read_partitioning({"by": "month", "start": "2012-01-01"})

    assert before.shape() == after.shape()


def test_rows_of_the_hour_that_comes_twice_are_told_by_instants():
    rule = row_rule(
        _set("2013-10-27T02+01:00", BERLIN_HOURS, datetime(2014, 1, 1, tzinfo=UTC)), ["at"]
    )
    (only,) = rule[0][0].ranges

    assert only.start.isoformat() == "2013-10-27T02:00:00+01:00"
    # A wall without an offset means the first of the two.
    assert (only.wall_start, only.wall_stop) == (datetime(2013, 10, 27, 3),) * 2
