# SPDX-License-Identifier: Apache-2.0
"""Splicing of SQL: full names, ephemeral models, times; everything else stays as written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mainstem.sql import expand, parse, pin_time, qualify
from mainstem.types import AssetKey

KEYS = {
    name: AssetKey.parse(full)
    for name, full in {
        "orders": "raw.orders",
        "raw.orders": "raw.orders",
        "odd": "My Space.odd name",
        "eph": "stg.eph",
        "stg.eph": "stg.eph",
    }.items()
}
EPHEMERAL = {AssetKey.parse("stg.eph"): "select 1 as x -- one"}
WHEN = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select o.a from orders o", "select o.a from raw.orders o"),
        ("SELECT  a,b FROM Orders -- mine\n;", "SELECT  a,b FROM raw.orders"),
        ("select 'orders' as orders from orders", "select 'orders' as orders from raw.orders"),
        ("select * from odd", 'select * from "My Space"."odd name"'),
        (
            "with orders as (select * from orders) select * from orders",
            "with orders as (select * from raw.orders) select * from orders",
        ),
        ("select __ref__.orders.a from __ref__.orders", "select raw.orders.a from raw.orders"),
        ("select * from unknown.t, __ref__.other", "select * from unknown.t, other"),
        ("select '😀', a from orders", "select '😀', a from raw.orders"),
    ],
)
def test_names_become_full_and_the_rest_stays(sql, expected):
    assert qualify(parse(sql), KEYS) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "select eph.x from stg.eph",
            (
                'with "__ephemeral__stg.eph" as (\nselect 1 as x -- one\n)\nselect eph.x from '
                '"__ephemeral__stg.eph" as eph'
            ),
        ),
        (
            "select e.x from eph as e join eph as f using (x)",
            (
                'with "__ephemeral__stg.eph" as (\nselect 1 as x -- one\n)\nselect e.x from '
                '"__ephemeral__stg.eph" as e join "__ephemeral__stg.eph" as f using (x)'
            ),
        ),
        (
            "with a as (select * from eph) select * from a",
            (
                'with "__ephemeral__stg.eph" as (\nselect 1 as x -- one\n),  a as (select * from '
                '"__ephemeral__stg.eph" as eph) select * from a'
            ),
        ),
        (
            "with recursive a as (select 1) select * from a, eph",
            (
                'with recursive "__ephemeral__stg.eph" as (\nselect 1 as x -- one\n),  a as '
                '(select 1) select * from a, "__ephemeral__stg.eph" as eph'
            ),
        ),
        (
            "select stg.eph.x from stg.eph",
            (
                'with "__ephemeral__stg.eph" as (\nselect 1 as x -- one\n)\nselect eph.x from '
                '"__ephemeral__stg.eph" as eph'
            ),
        ),
    ],
)
def test_ephemeral_models_become_ctes(sql, expected):
    assert qualify(parse(sql), KEYS, ephemeral=EPHEMERAL) == expected


def test_a_comment_behind_a_query_does_not_swallow_what_follows():
    assert qualify(parse("select 1 as x -- one"), KEYS) == "select 1 as x"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select now()", "select (timestamptz '2026-01-02 03:04:05.000006+00')"),
        ("select current_timestamp", "select (timestamptz '2026-01-02 03:04:05.000006+00')"),
        ("select current_date, today( )", "select (date '2026-01-02'), (date '2026-01-02')"),
        ("select localtimestamp", "select (timestamp '2026-01-02 03:04:05.000006')"),
        ("select current_time", "select (time '03:04:05.000006')"),
        ("select 'now()', t.now, \"now\", x as current_date from t -- now()", None),
        ("select now from t", None),
    ],
)
def test_time_is_pinned_only_where_the_engine_would_read_the_clock(sql, expected):
    assert pin_time(sql, WHEN) == (expected or sql)


def test_newer_than_and_run_started_at_are_filled_in():
    sql = (
        "select * from f where __newer_than__(f.day, '3 days') and __newer_than__(g(x, 1)) "
        "and t < '__run_started_at__-86400_25592d256d2d2564__'"
    )

    filled = expand(sql, when=WHEN, newer_than=lambda column, back: f"<{column}|{back}>")

    assert filled == "select * from f where <f.day|3 days> and <g(x, 1)|> and t < '2026-01-01'"


def test_newer_than_is_true_unless_somebody_knows_better():
    assert expand("where __newer_than__(day, '1 day')", when=WHEN) == "where true"
