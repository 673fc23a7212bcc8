# SPDX-License-Identifier: Apache-2.0
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mainstem
from mainstem import Context, TableRef, asset, between, check, multi_asset, relationships, unique
from mainstem.errors import ModelInvalid, StepFailed
from mainstem.testing import build, frame, table


@asset(
    checks=[
        unique("airport", "month"),
        between("mean_delay", min=-60, max=600, severity="warn"),
    ]
)
def delays(flights: pa.Table, airports: pl.LazyFrame) -> pa.Table:
    grouped = flights.group_by("month").aggregate([("dep_delay", "mean")])
    return grouped.rename_columns(["month", "mean_delay"]).append_column(
        "airport", pa.array(["JFK"] * grouped.num_rows)
    )


def test_the_decorator_returns_the_function_itself():
    flights = table(month=[1, 1], dep_delay=[10, None])

    assert delays(flights=flights, airports=frame(faa=["JFK"]))["mean_delay"].to_pylist() == [10.0]


def test_build_converts_rows_and_runs_the_checks():
    built = build(delays, flights=[{"month": 1, "dep_delay": 9999}], airports=[])

    assert built.rows == [{"month": 1, "mean_delay": 9999.0, "airport": "JFK"}]
    assert built.failed_checks == ("between(mean_delay)",)


def test_checks_that_hold_are_not_among_the_failed():
    built = build(delays, flights=[{"month": 1, "dep_delay": 5}], airports=[])

    assert built.failed_checks == ()
    assert len(built.checks) == 2


@asset
def forms(a: pd.DataFrame, b: pl.DataFrame, c: duckdb.DuckDBPyRelation, d: TableRef, e):
    return [
        {
            "a": type(a).__name__,
            "b": type(b).__name__,
            "c": c.fetchall()[0][0],
            "d": d.row_count,
            "e": type(e).__name__,
        }
    ]


def test_inputs_arrive_in_the_annotated_forms():
    rows = [{"x": 7}]

    assert build(forms, a=rows, b=rows, c=rows, d=rows, e=rows).rows == [
        {"a": "DataFrame", "b": "DataFrame", "c": 7, "d": 1, "e": "Table"}
    ]


@asset(checks=[relationships("code", to="raw.airports.faa")])
def routes(flights: pa.Table, airports: pa.Table) -> pa.Table:
    return flights


def test_a_check_may_compare_with_an_input():
    built = build(routes, flights=[{"code": "JFK"}, {"code": "XXX"}], airports=[{"faa": "JFK"}])

    assert built.failed_checks == ("relationships(code)",)


@multi_asset({"raw.a": {"checks": [unique("x")]}, "raw.b": {}})
def both(context: Context):
    yield "raw.a", [{"x": 1}, {"x": 1}]
    yield "raw.b", [{"branch": context.branch}]


def test_a_multi_asset_gives_a_table_for_each_output():
    built = build(both, context=Context(branch="dev"))

    assert built.tables["raw.b"].to_pylist() == [{"branch": "dev"}]
    assert built.failed_checks == ("unique(x)",)


@asset(materialized="incremental")
def running(this: pa.Table | None):
    return [{"seen": 0 if this is None else this.num_rows}]


def test_an_increment_sees_the_rows_that_a_test_says_are_there():
    assert build(running).rows == [{"seen": 0}]
    assert build(running, this=[{"seen": 1}, {"seen": 2}]).rows == [{"seen": 2}]


@asset
def effect(x) -> None:
    pass


def test_an_effect_gives_no_table():
    assert build(effect, x=[]).tables == {}


def test_a_missing_input_is_named():
    with pytest.raises(TypeError, match="`airports` of delays"):
        build(delays, flights=[])


def test_a_result_without_rows_is_told_as_in_a_run():
    @asset
    def wrong() -> pa.Table:
        return 3

    with pytest.raises(StepFailed) as caught:
        build(wrong)
    assert caught.value.code == "A7113"


def test_a_plain_function_or_a_check_is_refused():
    with pytest.raises(ModelInvalid):
        build(lambda: None)
    with pytest.raises(ModelInvalid):
        build(check("a.b")(lambda b: True))


def test_every_public_name_is_there():
    assert {name for name in mainstem.__all__ if not hasattr(mainstem, name)} == set()
