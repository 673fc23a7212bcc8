# SPDX-License-Identifier: Apache-2.0
"""DuckDB's types as storage types: one fixed table, errors that name the cast."""

from __future__ import annotations

import pytest

from mainstem.errors import SqlInvalid
from mainstem.types import Primitive

CASES = [
    ("true", "boolean"),
    ("1::tinyint", "int"),
    ("1::smallint", "int"),
    ("1::integer", "int"),
    ("1::utinyint", "int"),
    ("1::usmallint", "int"),
    ("1::uinteger", "long"),
    ("1::bigint", "long"),
    ("1::ubigint", "decimal(20,0)"),
    ("1::uhugeint", "decimal(38,0)"),
    ("1::float", "float"),
    ("1::double", "double"),
    ("1::decimal(7,3)", "decimal(7,3)"),
    ("'a'", "string"),
    ("'a'::enum('a','b')", "string"),
    ("'{}'::json", "string"),
    ("uuid()", "uuid"),
    ("'a'::blob", "binary"),
    ("date '2020-01-01'", "date"),
    ("time '10:00'", "time"),
    ("timestamp '2020-01-01'", "timestamp"),
    ("timestamp_s '2020-01-01'", "timestamp"),
    ("timestamp_ms '2020-01-01'", "timestamp"),
    ("timestamptz '2020-01-01'", "timestamptz"),
    ("[1, 2]", "list<int>"),
    ("[1, 2]::int[2]", "list<int>"),
    ("{'a': 1, 'b c': {'d': 'x'}}", "struct<a: int, b c: struct<d: string>>"),
    ("map {'a': [1.5::double]}", "map<string, list<double>>"),
    ("null", "int"),
    ("[null]", "list<int>"),
]


@pytest.mark.parametrize(("expression", "expected"), CASES)
def test_a_type_is_stored_as_the_fixed_table_says(session, expression, expected):
    schema = session.describe(f"select {expression} as x")

    assert [(field.name, str(field.type)) for field in schema] == [("x", expected)]


@pytest.mark.parametrize(("expression", "expected"), CASES)
def test_what_describe_says_is_what_the_file_holds(session, warehouse, expression, expected):
    table = warehouse.build(session, f"select {expression} as x")

    again = session.describe("select x from raw.t")

    assert str(again.field("x").type) == expected
    assert table.files[0].record_count == 1


@pytest.mark.parametrize(
    ("expression", "cast"),
    [
        ("interval 1 day", "extract('epoch'"),
        ("timestamp_ns '2020-01-01'", "TIMESTAMP"),
        ("'101'::bit", "VARCHAR"),
        ("'10:00+01'::timetz", "TIME"),
        ("union_value(num := 2)", "union_extract"),
        ("5::bignum", "DECIMAL(38,0)"),
        ("{'a': interval 1 day}", "extract('epoch'"),
    ],
)
def test_a_type_that_tables_lack_is_an_error_that_names_the_cast(session, expression, cast):
    with pytest.raises(SqlInvalid) as caught:
        session.describe(f"select {expression} as x")

    assert caught.value.code == "A7506"
    assert cast in caught.value.hint


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select sum(i) as x from range(3) t(i)", "long"),
        ("with a as (select sum(i) as s from range(3) t(i)) select s * 2 as x from a", "long"),
        ("select sum(i) as x from range(3) t(i) -- not a hugeint", "long"),
        ("select sum(i) as x from range(3) t(i) where 'hugeint' <> ''", "long"),
        ("select sum(i)::hugeint as x from range(3) t(i)", "decimal(38,0)"),
        ("select cast(sum(i) as HUGEINT) as x from range(3) t(i)", "decimal(38,0)"),
        ("select 99999999999999999999 as x", "decimal(38,0)"),
        ("select factorial(5) as x", "decimal(38,0)"),
        ("select {'total': sum(i)} as x from range(3) t(i)", "struct<total: long>"),
    ],
)
def test_sums_are_long_and_other_hugeints_decimal(session, sql, expected):
    assert str(session.describe(sql).field("x").type) == expected


def test_a_sum_above_2_to_the_53_keeps_every_digit(session, warehouse):
    warehouse.build(session, "select sum(i) as x from (values (9007199254740992), (1)) t(i)")

    assert session.rows("select x from raw.t") == [(9007199254740993,)]


def test_a_decimal_of_38_digits_keeps_every_digit(session, warehouse):
    digits = "12345678901234567890123456789012345678"
    warehouse.build(session, f"select '{digits}'::hugeint as x")

    assert session.rows("select x::varchar from raw.t") == [(digits,)]


@pytest.mark.parametrize("query", ["select 1 as a, 2 as A", "select 1 as a, 2 as a"])
def test_two_columns_equal_but_for_case_are_refused(session, query):
    with pytest.raises(SqlInvalid) as caught:
        session.describe(query)

    assert caught.value.code == "A7505"


@pytest.mark.parametrize("query", ["select 1; select 2", "create table x as select 1", "", "-- x"])
def test_only_one_select_is_described(session, query):
    with pytest.raises(SqlInvalid) as caught:
        session.describe(query)

    assert caught.value.code == "A7504"


def test_describing_runs_nothing(session):
    schema = session.describe("select error('it ran') as x, 1 as y")

    assert schema.field("y").type == Primitive("int")
