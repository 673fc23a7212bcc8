# SPDX-License-Identifier: Apache-2.0
"""Columns, lineage and unknown names of queries, without data."""

from __future__ import annotations

import pytest

from mainstem.sql import infer, parse
from mainstem.types import AssetKey, Field, List, Primitive, Schema, Struct


def schema(**types):
    named = {name: Primitive(of) if isinstance(of, str) else of for name, of in types.items()}
    return Schema(fields=tuple(Field(name=name, type=of) for name, of in named.items()))


POINT = Struct(fields=(Field(name="lat", type=Primitive("double")),))
SCHEMAS = {
    "raw.flights": schema(
        id="int",
        carrier="string",
        dep_delay="double",
        ts="timestamp",
        tailnum="string",
        place=POINT,
        tags=List(element=Primitive("string")),
    ),
    "raw.planes": schema(tailnum="string", seats="int", carrier="string"),
}
NAMES = {
    name: AssetKey.parse(full)
    for full in ("raw.flights", "raw.planes", "raw.unknown")
    for name in (full, full.partition(".")[2])
}


def inferred(sql):
    return infer(parse(sql, file="m.sql"), SCHEMAS, resolve=lambda name: NAMES.get(name.casefold()))


def lineage(sql):
    return {
        column: [f"{key}.{name}" for key, name in origins]
        for column, origins in inferred(sql).lineage.items()
    }


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("select * from planes", ("tailnum", "seats", "carrier")),
        (
            "select p.* exclude (carrier) replace (seats + 1 as seats) from planes p",
            ("tailnum", "seats"),
        ),
        ("select * rename (seats as n) from planes", ("tailnum", "n", "carrier")),
        (
            "select f.id, p.* from flights f join planes p using (tailnum)",
            ("id", "tailnum", "seats", "carrier"),
        ),
        (
            "select * exclude (carrier) from flights join planes using (tailnum)",
            ("id", "dep_delay", "ts", "tailnum", "place", "tags", "seats"),
        ),
        ("select * from planes semi join flights using (tailnum)", ("tailnum", "seats", "carrier")),
        (
            "with a as (select *, seats * 2 as double from planes) select * exclude carrier from a",
            ("tailnum", "seats", "double"),
        ),
        ("with a(x, y) as (select seats, tailnum from planes) select y, x from a", ("y", "x")),
        ("select seats from planes union all by name select id as n from flights", ("seats", "n")),
        ("select SEATS from planes", ("seats",)),
        ("select place.lat, place.* from flights", None),
        ("select place.* from flights", ("lat",)),
        ("select columns('s.*') from planes", None),
        ("select * from raw.unknown", None),
        ("select seats, u.x from planes, raw.unknown u", ("seats", "x")),
        ("select * from (values (1, 'a')) as v(n, s)", ("n", "s")),
        ("from planes", ("tailnum", "seats", "carrier")),
    ],
)
def test_output_columns_are_known_without_data(sql, columns):
    found = inferred(sql)

    assert found.columns == columns
    assert found.problems == ()


def test_lineage_goes_through_ctes_joins_and_unions():
    sql = """
        with f as (select id, dep_delay + 1 as late, tailnum from flights),
        both as (
          select f.id, f.late * p.seats as lost, p.carrier from f join planes p using (tailnum)
        )
        select id as n, lost, carrier from both union all select seats, seats, tailnum from planes
    """

    assert lineage(sql) == {
        "n": ["raw.flights.id", "raw.planes.seats"],
        "lost": ["raw.flights.dep_delay", "raw.planes.seats"],
        "carrier": ["raw.planes.carrier", "raw.planes.tailnum"],
    }


def test_lineage_of_a_using_column_has_both_sides():
    assert lineage("select tailnum from flights join planes using (tailnum)") == {
        "tailnum": ["raw.flights.tailnum", "raw.planes.tailnum"]
    }


def test_lineage_of_windows_subqueries_and_structs():
    sql = """
        select sum(dep_delay) over (partition by carrier order by ts) as total,
          (select max(seats) from planes p where p.tailnum = f.tailnum) as seats,
          place.lat as lat, [t || 'x' for t in tags] as marked, id as base, base + 1 as following
        from flights f
    """

    assert lineage(sql) == {
        "total": ["raw.flights.carrier", "raw.flights.dep_delay", "raw.flights.ts"],
        "seats": ["raw.planes.seats"],
        "lat": ["raw.flights.place"],
        "marked": ["raw.flights.tags"],
        "base": ["raw.flights.id"],
        "following": ["raw.flights.id"],
    }


def test_reads_has_the_columns_of_filters_too():
    reads = inferred("select id from flights where dep_delay > 1 order by ts").reads

    assert {name for _, name in reads} == {"id", "dep_delay", "ts"}


def test_an_unknown_column_is_told_as_the_grammar_shows_it():
    (problem,) = inferred(
        "select\n  carrier,\n  avg(dep_dely) as mean_delay\nfrom raw.flights"
    ).problems

    assert problem.code == "A2041"
    assert problem.summary == "column `dep_dely` does not exist in raw.flights."
    assert problem.known[0] == "dep_delay"
    assert problem.hint == "raw.flights has 7 columns: mainstem show raw.flights"
    assert (problem.where.line, problem.where.column, problem.where.length) == (3, 7, 8)
    assert problem.where.excerpt == "  avg(dep_dely) as mean_delay"


@pytest.mark.parametrize(
    ("sql", "code", "word"),
    [
        ("select f.nope from flights f", "A2041", "nope"),
        ("select id from flights where nope > 1", "A2041", "nope"),
        ("select id from flights order by nope", "A2041", "nope"),
        ("select id from flights group by id having nope > 1", "A2041", "nope"),
        ("select count(*) from flights f join planes p on f.tailnum = p.nope", "A2041", "nope"),
        ("select id from flights join planes using (nope)", "A2041", "nope"),
        ("select row_number() over (order by nope) as n from flights", "A2041", "nope"),
        ("with a as (select id from flights) select nope from a", "A2041", "nope"),
        ("with a as (select id from flights) select ts from a", "A2041", "ts"),
        ("select (select nope from planes) as n from flights", "A2041", "nope"),
        ("select p.seats from raw.unknown u join planes p on u.x = p.nope", "A2041", "nope"),
        ("select * exclude (nope) from planes", "A2041", "nope"),
        ("select x.id from flights f", "A2043", "x"),
        ("select carrier from flights join planes using (tailnum)", "A2044", "carrier"),
        ("select list_transform(tags, t -> t || nope) as x from flights", "A2041", "nope"),
    ],
)
def test_names_that_do_not_exist_are_found_with_their_place(sql, code, word):
    (problem,) = inferred(sql).problems

    where = problem.where
    assert problem.code == code
    assert where.excerpt[where.column - 1 :][: where.length] == word


@pytest.mark.parametrize(
    "sql",
    [
        "select id as a, a + 1 as b from flights where b > 1 group by all having b > 2 order by a",
        (
            "select list_transform(tags, t -> upper(t)) as x, list_filter(tags, lambda y: y > "
            "'a') as z from flights"
        ),
        "select [x for x in tags if x > 'a'] as l from flights",
        "select f from flights f",
        "select carrier.upper() as u from flights",
        "select struct_pack(a := id) as s, {'k': id} as t from flights",
        "select raw.flights.id, flights.id as i from raw.flights",
        "select rowid, id from flights",
        "select * from flights order by all",
        "select anything from raw.unknown",
        "select anything from flights, raw.unknown",
        "select a from read_csv('x.csv')",
        "select n from range(3) as r(n)",
        "select id, v from flights, unnest(tags) as u(v)",
        "select k from flights f, lateral (select p.seats + f.id as k from planes p)",
        "select * from flights f where exists (select 1 from planes p where p.tailnum = f.tailnum)",
        (
            "with recursive r as (select 1 as n union all select n + 1 from r where n < 5) "
            "select n from r"
        ),
        (
            "select date_diff('day', ts, ts) as d, extract(year from ts) as y, interval 1 day as "
            "i from flights"
        ),
        "select id from flights qualify row_number() over (partition by carrier order by ts) = 1",
        "select sum(id) over w as s from flights window w as (partition by carrier)",
        "select * from planes pivot (sum(seats) for carrier in ('AA', 'UA'))",
        "select distinct on (carrier) id from flights",
        (
            "select count(*) filter (where dep_delay > 1) as n, string_agg(carrier, ',' order by "
            "ts) as s from flights"
        ),
        "select carrier from flights f join planes p using (tailnum, carrier)",
        "select id from flights where (carrier, tailnum) in (select carrier, tailnum from planes)",
        (
            "select coalesce(f.carrier, p.carrier) as carrier from flights f full join planes p "
            "using (tailnum)"
        ),
        "select max(ts) as ts from flights having max(ts) > timestamp '2020-01-01'",
        "select id, id % 2 = 0 as even, case when even then 1 end as one from flights",
        "select cast(place as struct(lat double)).lat as l from flights",
        "select __newer_than__(f.ts, '3 days') as x from flights f",
        "select #1 from flights",
    ],
)
def test_what_the_engine_takes_is_let_through(sql):
    assert inferred(sql).problems == ()
