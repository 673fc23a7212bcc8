# SPDX-License-Identifier: Apache-2.0
"""What checks find in rows, and the one line they say about it."""

from __future__ import annotations

import orjson
import pytest

ROWS = """
    select * from (values
        (1, 'JFK', 10.5::double, date '2013-01-01', true),
        (2, 'SJU', null,         date '2013-01-02', true),
        (3, 'SJU', 99.0,         date '2013-01-03', false),
        (4, null,  -5.0,         date '2013-01-03', null)
    ) t(id, dest, delay, day, ok)
"""


@pytest.fixture
def flights(lake):
    lake.table("raw.t", ROWS)
    lake.table("raw.airports", "select unnest(['JFK', 'LGA', null]) as faa")
    return lake


@pytest.mark.parametrize(
    ("entry", "verdict", "message"),
    [
        ({"not_null": "id"}, "proven", "not_null(id): 4 rows, proven by file statistics"),
        ({"not_null": "dest"}, "failed", "not_null(dest): 1 of 4 rows (25.0 %)"),
        ({"null": {"column": "delay", "where": "id = 2"}}, "passed", "null(delay): the 1 row"),
        ({"null": "delay"}, "failed", "null(delay): 3 of 4 rows (75.0 %)"),
        ({"unique": "id"}, "passed", "unique(id): all 4 rows"),
        ({"unique": "dest"}, "failed", "unique(dest): 1 of 4 rows (25.0 %), 1 value"),
        ({"unique": ["dest", "ok"]}, "passed", "unique(dest, ok): all 4 rows"),
        (
            {"accepted_values": {"column": "dest", "values": ["JFK", None]}},
            "failed",
            "accepted_values(dest in JFK, None): 2 of 4 rows (50.0 %), 1 value",
        ),
        (
            {"accepted_values": {"column": "dest", "values": ["JFK", "SJU"]}},
            "passed",
            "accepted_values(dest in JFK, SJU): all 4 rows",
        ),
        (
            {"between": {"column": "delay", "min": 0, "max": 50}},
            "failed",
            "between(delay, min 0, max 50): 2 of 4 rows (50.0 %)",
        ),
        (
            {"between": {"column": "delay", "min": -5, "strict_min": True}},
            "failed",
            "between(delay, min -5): 1 of 4 rows (25.0 %)",
        ),
        (
            {"between": {"column": "day", "max": "2013-01-02"}},
            "failed",
            "between(day, max 2013-01-02): 2 of 4 rows (50.0 %)",
        ),
        (
            {"regex": {"column": "dest", "pattern": "^J"}},
            "failed",
            "regex(dest ~ ^J): 2 of 4 rows (50.0 %), 1 value",
        ),
        (
            {"regex": {"column": "id", "pattern": "[0-9]"}},
            "passed",
            "regex(id ~ [0-9]): all 4 rows",
        ),
        (
            {"like": {"column": "dest", "pattern": "S%"}},
            "failed",
            "like(dest like S%): 1 of 4 rows (25.0 %), 1 value",
        ),
        (
            {"length": {"column": "dest", "equal_to": 3}},
            "passed",
            "length(dest, equal_to 3): all 4 rows",
        ),
        ({"increasing": "id"}, "passed", "increasing(id): all 4 rows"),
        ({"increasing": "day"}, "passed", "increasing(day): all 4 rows"),
        (
            {"increasing": {"column": "day", "strictly": True}},
            "failed",
            "increasing(day): 1 of 4 rows (25.0 %)",
        ),
        (
            {"increasing": {"column": "delay", "order_by": "id", "group_by": ["dest"]}},
            "passed",
            "increasing(delay): all 4 rows",
        ),
        (
            {"relationships": {"column": "dest", "to": "raw.airports.faa"}},
            "failed",
            "relationships(dest -> raw.airports.faa): 2 of 4 rows (50.0 %), 1 value",
        ),
        (
            {"relationships": {"column": "dest", "to": "airports.faa", "where": "dest <> 'SJU'"}},
            "passed",
            "relationships(dest -> airports.faa): the 1 row",
        ),
        ({"row_count": 4}, "proven", "row_count(equal_to 4): 4 rows"),
        ({"row_count": {"min": 5}}, "failed", "row_count(min 5): 4 rows, expected at least 5"),
        (
            {"row_count": {"min": 5, "max": 9}},
            "failed",
            "row_count(min 5, max 9): 4 rows, expected 5 to 9",
        ),
        (
            {"row_count": {"equal_to": "raw.airports"}},
            "failed",
            "row_count(equal_to raw.airports): 4 rows, expected 3; 1 too many",
        ),
        (
            {"row_count": {"equal_to": "raw.airports", "where": "id > 2"}},
            "failed",
            "row_count(equal_to raw.airports): 2 rows, expected 3; 1 missing",
        ),
        (
            {"row_count": {"equal_to": 2, "where": "id > 2"}},
            "passed",
            "row_count(equal_to 2): 2 rows",
        ),
        ({"type": {"column": "id", "type": "integer"}}, "proven", None),
        (
            {"type": {"column": "id", "type": "bigint"}},
            "failed",
            "type(id is bigint): is int, expected bigint",
        ),
        (
            {
                "schema": {
                    "id": "int",
                    "dest": "varchar",
                    "delay": "float8",
                    "day": "DATE",
                    "OK": None,
                }
            },
            "proven",
            "schema: 5 columns, proven by the schema",
        ),
        (
            {"schema": {"columns": {"id": "long", "dst": "text"}, "exact": False}},
            "failed",
            "schema: `id` is int, expected long; column `dst` is missing (Did you mean `dest`)",
        ),
        (
            {"schema": ["id", "dest", "delay", "day"]},
            "failed",
            "schema: column `ok` is not expected",
        ),
        (
            {"schema": {"columns": ["dest", "id"], "exact": False, "ordered": True}},
            "failed",
            "schema: the order is id, dest",
        ),
        ({"expression": "delay < 100"}, "passed", "expression(delay < 100): all 4 rows"),
        (
            {"expression": {"where": "ok", "sql": "dest = 'JFK' -- ours"}},
            "failed",
            "expression(dest = 'JFK' -- ours): 1 of 2 rows (50.0 %)",
        ),
        (
            {"sql": {"name": "no_loss", "sql": "select * from {{ this }} where delay < 0;"}},
            "failed",
            "no_loss: 1 row returned",
        ),
        ({"sql": "select * from airports where faa = '?'"}, "passed", "sql: no rows returned"),
        ({"sql": "select * from {{ ref('airports') }} where faa is null"}, "failed", None),
        (
            {"min": {"column": "delay", "max": -6}},
            "failed",
            "min(delay, max -6): -5, expected at most -6",
        ),
        ({"max": {"column": "delay", "equal_to": 99}}, "passed", "max(delay, equal_to 99): 99"),
        ({"max": {"column": "day", "min": "2013-01-03"}}, "passed", None),
        (
            {"mean": {"column": "delay", "max": 10}},
            "failed",
            "mean(delay, max 10): 34.8333, expected at most 10",
        ),
        ({"median": {"column": "delay", "min": 10}}, "passed", "median(delay, min 10): 10.5"),
        ({"sum": {"column": "id", "equal_to": 10}}, "passed", "sum(id, equal_to 10): 10"),
        ({"stdev": {"column": "id", "min": 1}}, "passed", "stdev(id, min 1): 1.29099"),
        (
            {"quantile": {"column": "id", "quantile": 0.5, "equal_to": 2.5}},
            "passed",
            "quantile(id, quantile 0.5, equal_to 2.5): 2.5",
        ),
        (
            {"distinct_count": {"column": "dest", "min": 3}},
            "failed",
            "distinct_count(dest, min 3): 2, expected at least 3",
        ),
        ({"mean": {"column": "delay", "min": 0, "where": "false"}}, "passed", None),
    ],
)
def test_a_check_finds_what_is_there_and_says_it_in_one_line(flights, entry, verdict, message):
    result = flights.check(entry)

    assert (result.verdict, result.severity) == (verdict, "error")
    if message is not None:
        assert result.message == message
    assert result.holds_publishing == (verdict == "failed")


@pytest.mark.parametrize("of", ["double", "float"])
@pytest.mark.parametrize("check", ["between", "mean", "sum", "max"])
@pytest.mark.parametrize("bound", [{"min": 0}, {"max": 50}, {"min": 0, "max": 50}])
def test_nan_is_within_no_bounds(lake, of, check, bound):
    lake.table("raw.t", f"select unnest([1::{of}, 'nan'::{of}]) as v")

    result = lake.check({check: {"column": "v", **bound}})

    assert result.verdict == "failed"
    assert result.failed_count == 1


def test_the_messages_of_the_grammar(lake):
    lake.table(
        "staging.flights",
        "select 'SJU' as dest from range(5819) union all select 'BQN' from range(896)"
        " union all select 'STT' from range(522) union all select 'PSE' from range(365)"
        " union all select 'JFK' from range(329174)",
    )
    lake.table("raw.airports", "select 'JFK' as faa")
    lake.table("marts.fct", "select i from range(284170) t(i)")
    lake.table("raw.flights", "select i from range(336776) t(i)")

    related = lake.check(
        {"relationships": {"to": "raw.airports.faa", "severity": "warn"}},
        asset="staging.flights",
        column="dest",
    )
    counted = lake.check({"row_count": {"equal_to": "raw.flights"}}, asset="marts.fct")

    assert (
        related.message
        == "relationships(dest -> raw.airports.faa): 7,602 of 336,776 rows (2.3 %), 4 values"
    )
    assert related.sample == (
        {"dest": "SJU", "rows": 5819},
        {"dest": "BQN", "rows": 896},
        {"dest": "STT", "rows": 522},
        {"dest": "PSE", "rows": 365},
    )
    assert (
        counted.message
        == "row_count(equal_to raw.flights): 284,170 rows, expected 336,776; 52,606 missing"
    )


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        ({}, "failed"),
        ({"severity": "warn"}, "warned"),
        ({"severity": "info"}, "warned"),
        ({"mostly": 0.75}, "passed"),
        ({"mostly": 0.76}, "failed"),
        ({"mostly": 0}, "passed"),
        ({"error_if": "> 1"}, "warned"),
        ({"error_if": "> 1", "warn_if": "> 1"}, "passed"),
        ({"error_if": ">= 1"}, "failed"),
        ({"error_if": "> 24%", "warn_if": "> 50%"}, "failed"),
        ({"error_if": "> 25%", "warn_if": "> 25%"}, "passed"),
        ({"severity": "warn", "warn_if": "> 1"}, "passed"),
        ({"severity": "warn", "error_if": ">= 1"}, "warned"),
    ],
)
def test_severity_and_thresholds_decide_as_in_dbt(flights, options, verdict):
    result = flights.check({"not_null": options}, column="dest")

    assert result.verdict == verdict
    assert (result.failed_count, result.row_count) == (1, 4)
    assert result.holds_publishing == (verdict == "failed")


def test_allowed_rows_are_said(flights):
    result = flights.check({"not_null": {"mostly": 0.9}}, column="dest")

    assert result.message == "not_null(dest): 1 of 4 rows (25.0 %), allowed 10 %"


@pytest.mark.parametrize(
    "values", [[1, 2, 3, 4], ["1", "2", "3", "4"], [1.0, 2, "3", 4]], ids=["int", "text", "mixed"]
)
@pytest.mark.parametrize("column", ["id", "code"])
def test_values_of_another_type_compare_with_the_column(lake, column, values):
    lake.table("raw.t", "select i as id, i::varchar as code from range(1, 4) t(i)")
    if column == "code":
        values = [int(float(value)) for value in values]

    assert lake.check({"accepted_values": values}, column=column).verdict == "passed"


def test_text_that_is_no_number_is_not_cast_to_one(lake):
    lake.table("raw.t", "select unnest(['1', 'x', 'true']) as code")

    result = lake.check({"accepted_values": [1, True]}, column="code")

    assert (result.verdict, result.failed_count) == ("failed", 1)


@pytest.mark.parametrize(("column", "length"), [("s", 2), ("l", 3), ("m", 1), ("b", 4), ("n", 3)])
def test_length_is_of_text_lists_maps_and_bytes(lake, column, length):
    lake.table(
        "raw.t",
        "select 'äö' as s, [1, 2, null] as l, map {'a': 1} as m, 'abcd'::blob as b, 123 as n",
    )

    assert lake.check({"length": length}, column=column).verdict == "passed"
    assert lake.check({"length": length + 1}, column=column).verdict == "failed"


def test_a_sample_is_json_and_no_longer_than_asked(lake):
    lake.table(
        "raw.t",
        "select 1.5::decimal(9,2) as d, 3::decimal(9,0) as w, date '2013-01-01' as day,"
        " timestamptz '2013-01-01 00:00:00+00' as at, time '10:00' as t, 'ab'::blob as b,"
        " uuid() as u, 'nan'::double as f, {'a': [1]} as s, map {'k': date '2013-01-01'} as m"
        " from range(50)",
    )

    result = lake.check({"expression": {"sql": "false", "sample": 3}})

    assert len(result.sample) == 3
    row = orjson.loads(orjson.dumps(result.sample[0]))
    assert (row["d"], row["w"], row["day"]) == ("1.50", 3, "2013-01-01")
    assert row["at"].startswith("2013-01-01T00:00:00")
    assert (row["b"], row["f"], row["s"]) == ("6162", "nan", {"a": [1]})


def test_no_sample_is_taken_if_none_is_wanted(flights):
    result = flights.check({"accepted_values": {"values": [], "sample": 0}}, column="dest")

    assert (result.failed_count, result.sample) == (3, ())
    assert result.message.endswith("2 values")


def test_odd_names_of_columns_are_quoted(lake):
    lake.table("raw.t", 'select 1 as "a ""b", 2 as "select", 3 as "rows"')

    for column in ('a "b', "select", "rows"):
        for name in ("not_null", "unique", "increasing"):
            assert lake.check(name, column=column).verdict in {"passed", "proven"}
        assert lake.check({"accepted_values": [9]}, column=column).failed_count == 1


def test_a_column_called_rows_is_counted_right(lake):
    lake.table("raw.t", "select unnest([5, 5, 5, 7]) as rows")

    result = lake.check("unique", column="rows")

    assert (result.failed_count, result.sample) == (2, ({"rows": 3},))


@pytest.mark.parametrize(
    "entry",
    [
        {"expression": "nothing > 1"},
        {"between": {"column": "day", "min": "yesterday"}},
        {"not_null": {"column": "id", "where": "dst = 'x'"}},
        {"relationships": {"column": "dest", "to": "raw.never.faa"}},
        {"relationships": {"column": "dest", "to": "raw.airports.fa"}},
        {"sql": "select nothing from {{ this }}"},
        {"sum": {"column": "dest", "min": 0}},
        {"not_null": "dst"},
    ],
)
def test_a_check_that_cannot_be_evaluated_is_errored_and_holds(flights, entry):
    result = flights.check(entry)

    assert result.verdict == "errored"
    assert result.holds_publishing
    assert "\n" not in result.message


def test_a_missing_column_names_the_nearest(flights):
    result = flights.check({"not_null": "dst"})

    assert result.message == "not_null(dst): raw.t has no column `dst`. Did you mean `dest`?"


def test_columns_are_found_without_case(flights):
    assert flights.check({"not_null": "ID"}).verdict == "proven"
    assert flights.check({"unique": "ID"}).verdict == "passed"
