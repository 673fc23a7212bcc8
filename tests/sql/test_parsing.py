# SPDX-License-Identifier: Apache-2.0
"""Inputs, volatility and syntax errors of one query."""

from __future__ import annotations

import gc

import pytest
from sqlglot import exp

from mainstem.errors import SqlInvalid
from mainstem.sql import infer, parse, release


def names(sql):
    return sorted({table.name for table in parse(sql).tables})


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select * from raw.a join raw.b using (k)", ["raw.a", "raw.b"]),
        ("with a as (select * from raw.x) select * from a", ["raw.x"]),
        ("with a as (select 1), b as (select * from a, c) select * from b", ["c"]),
        ("with a as (select * from a) select * from a", ["a"]),
        ("with recursive r as (select 1 as n union all select n + 1 from r) select * from r", []),
        (
            "select (select max(k) from raw.x) from raw.y where k in (select k from raw.z)",
            ["raw.x", "raw.y", "raw.z"],
        ),
        (
            "select * from raw.a union all select * from raw.b except select * from raw.c",
            ["raw.a", "raw.b", "raw.c"],
        ),
        ("select * from raw.a, lateral (select * from raw.b where b.k = a.k)", ["raw.a", "raw.b"]),
        ("select * from (raw.a join raw.b using (k))", ["raw.a", "raw.b"]),
        ("select * from range(3), unnest([1, 2]), generate_series(1, 2)", []),
        ("select * from read_csv('x.csv'), 'y.parquet', \"z.json\"", []),
        ("from raw.a select k", ["raw.a"]),
        ("from raw.a", ["raw.a"]),
        ("select * from raw.a pivot (sum(x) for y in ('p', 'q'))", ["raw.a"]),
        ("select * from lake.raw.a", ["lake.raw.a"]),
        ("values (1, 2)", []),
        ("select * from information_schema.tables", []),
        ("with a as (select 1) select * from raw.a", ["raw.a"]),
        (
            (
                "with x as (select 1) select * from (with y as (select * from x) select * from "
                "y) as x, y"
            ),
            ["y"],
        ),
    ],
)
def test_inputs_are_the_tables_that_are_no_cte(sql, expected):
    assert names(sql) == expected


def test_a_table_name_knows_its_place():
    query = parse("select 'é😀' as a\nfrom  raw.\"My t\" as m", line_offset=10)
    table = query.tables[0]

    assert query.text[table.start : table.end] == 'raw."My t"'
    assert table.parts == ("raw", "My t")
    assert table.is_aliased


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select now() as at", "it calls now()"),
        ("select current_timestamp", "it calls now()"),
        ("select current_date - 1", "it calls current_date"),
        ("select * from t where day < today()", "it calls current_date"),
        ("select random()", "it calls random()"),
        ("select uuid()", "it calls uuid()"),
        ("select gen_random_uuid()", "it calls uuid()"),
        ("select * from read_csv('https://x.org/a.csv')", "it reads https://x.org/a.csv"),
        ("select * from 's3://bucket/a.parquet'", "it reads s3://bucket/a.parquet"),
        ("select * from t using sample 10%", "it samples without a seed (repeatable)"),
        ("with a as (select random() as r) select * from a", "it calls random()"),
        ("select * from information_schema.columns", "it reads information_schema.columns"),
        ("select nextval('s')", "it calls nextval()"),
        ("select a, 'now()' as b, t.now from t -- random()", ""),
        ("select date_trunc('day', ts) from t", ""),
    ],
)
def test_a_query_is_volatile_for_a_reason(sql, reason):
    assert parse(sql).volatile == reason


@pytest.mark.parametrize(
    ("sql", "code", "place", "word"),
    [
        ("select a, from where x", "A2010", (1, 16), "where"),
        ("select\n  a b c\nfrom x", "A2010", (2, 7), "c"),
        ("select a from b where", "A2010", (1, 17), "where"),
        ("select (a from b", "A2010", (1, 11), "from"),
        ("select a,\n  , b from x", "A2010", (2, 3), ","),
        ("select 'abc", "A2010", (1, 11), "c"),
        ("", "A2011", (1, 1), ""),
        ("-- nothing\n", "A2011", (1, 1), "-"),
        ("select 1; select 2", "A2011", (1, 1), "s"),
        ("create table x as select 1", "A2011", (1, 1), "c"),
        ("drop table x", "A2011", (1, 1), "d"),
    ],
)
def test_what_is_no_select_is_refused_with_its_place(sql, code, place, word):
    with pytest.raises(SqlInvalid) as caught:
        parse(sql, file="models/m.sql")

    where = caught.value.where
    assert caught.value.code == code
    assert (where.file, where.line, where.column) == ("models/m.sql", *place)
    assert where.excerpt[where.column - 1 :][: where.length] == word


def test_a_trailing_semicolon_is_allowed():
    assert parse("select 1 as a; -- done").is_select


def test_long_chains_are_no_nesting():
    either = " or ".join(f"k = {number}" for number in range(2000))
    joined = " || ".join(f"c{number}" for number in range(2000))

    query = parse(f"select {joined} as x from raw.t where {either}")

    assert (
        query.normal_form
        != parse(f"select {joined} as x from raw.t where {either} or k = 1").normal_form
    )
    found = infer(query, {}, resolve=lambda _name: None)
    assert found.problems == ()


def test_what_is_nested_too_deeply_is_an_error_and_no_crash():
    text = "select a from t"
    for number in range(400):
        text = f"select a from ({text}) as s{number}"

    with pytest.raises(SqlInvalid) as caught:
        parse(text, file="m.sql")

    assert "nested too deeply" in caught.value.summary


def test_a_released_query_is_gone_without_the_collector_of_cycles():
    gc.collect()
    gc.disable()
    try:
        before = _nodes()
        query = parse("select a + 1 as b from (select a from t join u using (k)) where a > 1")
        while_parsed = _nodes()
        release(query)
        del query
        after = _nodes()
    finally:
        gc.enable()

    assert before == after < while_parsed


def _nodes():
    return sum(isinstance(each, exp.Column | exp.Select) for each in gc.get_objects())
