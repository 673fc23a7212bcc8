# SPDX-License-Identifier: Apache-2.0
"""Proofs by file statistics: never of something that reading would deny."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstem.checks.measure import measure_together
from mainstem.checks.proof import prove
from mainstem.checks.verdict import judge
from mainstem.types import Field, Primitive, Schema

TYPES = {
    "bigint": st.integers(-5, 5),
    "double": st.sampled_from([-2.5, -0.0, 0.0, 1.5, float("nan"), float("inf")]),
    "decimal(9,2)": st.sampled_from(["-1.25", "0.00", "1.10", "2.50"]),
    "varchar": st.sampled_from(["", "a", "b", "b" * 70, "b" * 64 + "z", "ä"]),
    "date": st.sampled_from(["1969-12-31", "1970-01-01", "2013-06-01"]),
    "timestamp": st.sampled_from(["1960-01-01 00:00:00.5", "1970-01-01", "2013-06-01 12:00:00"]),
    "timestamptz": st.sampled_from(["1960-01-01 00:00:00+00", "2013-06-01 12:00:00+02"]),
}
LIMITS = {
    "bigint": st.one_of(st.integers(-5, 5), st.sampled_from([-1.5, 2.5])),
    "double": st.sampled_from([-2.5, 0, 1.5, 3]),
    "decimal(9,2)": st.sampled_from([-1.25, 0, 1.1, 2.505, "1.10"]),
    "varchar": st.sampled_from(["", "a", "b", "b" * 64, "b" * 63 + "c", "b" * 70, "c"]),
    "date": st.sampled_from(["1969-12-31", "1970-01-01", "2013-06-01"]),
    "timestamp": st.sampled_from(["1960-01-01 00:00:00.5", "2013-06-01 12:00:00"]),
    "timestamptz": st.sampled_from(["1960-01-01 00:00:00+00", "2013-06-01 10:00:00+00"]),
}


@st.composite
def cases(draw):
    kind = draw(st.sampled_from(sorted(TYPES)))
    values = st.lists(st.one_of(st.none(), TYPES[kind]), min_size=0, max_size=4)
    files = draw(st.lists(values, min_size=1, max_size=3))
    name = draw(st.sampled_from(["not_null", "null", "between", "min", "max"]))
    options = {}
    if name in {"between", "min", "max"}:
        low, high = draw(st.one_of(st.none(), LIMITS[kind])), draw(LIMITS[kind])
        options = {"max": high} if low is None else {"min": low, "max": high}
        options |= {key: draw(st.booleans()) for key in ("strict_min", "strict_max")}
    return kind, files, {name: {"column": "x", **options}}


def query(kind, values):
    rows = ", ".join("(null)" if v is None else f"('{v}')" for v in values)
    return (
        f"select x::{kind} as x from (values {rows}) t(x)"
        if values
        else f"select null::{kind} as x where false"
    )


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases())
def test_what_is_proven_is_what_reading_finds(lake, case):
    kind, files, entry = case
    table = lake.table("raw.t", *(query(kind, values) for values in files))
    gate = lake.gate(entry)

    proof = prove(gate.target, lake.relation)

    with lake.engine.session() as session:
        session.register(table)
        found = measure_together(session, [gate.target], table.schema)[0]
    read = judge(gate.spec, found, elapsed_s=0)
    if proof is not None:
        assert proof.is_passing
        assert read.verdict == "passed", (proof, read)
        assert proof.total == read.row_count


@pytest.mark.parametrize(
    ("entry", "is_proven"),
    [
        ({"not_null": "a"}, True),
        ({"not_null": "b"}, False),
        ({"null": "c"}, True),
        ({"between": {"column": "a", "min": 0, "max": 9}}, True),
        ({"between": {"column": "a", "min": 0, "max": 8}}, False),
        ({"between": {"column": "a", "min": 0, "strict_min": True}}, False),
        ({"between": {"column": "a", "min": -1, "strict_min": True}}, True),
        ({"between": {"column": "b", "min": 0}}, True),
        ({"between": {"column": "a", "min": 0, "where": "a > 1"}}, False),
        ({"between": {"column": "d", "min": "1970-01-01"}}, True),
        ({"min": {"column": "a", "min": 0}}, True),
        ({"max": {"column": "a", "max": 9}}, True),
        ({"max": {"column": "a", "equal_to": 9}}, False),
        ({"accepted_values": {"column": "a", "values": [1]}}, False),
        ({"row_count": {"min": 10}}, True),
        ({"row_count": {"min": 10, "where": "a > 1"}}, False),
    ],
)
def test_what_statistics_can_tell_is_not_read(lake, entry, is_proven):
    lake.table(
        "raw.t",
        "select i as a, case when i > 5 then i end as b, null::int as c,"
        " date '1970-01-01' + i::int as d from range(10) t(i)",
    )

    proof = prove(lake.gate(entry).target, lake.relation)

    assert (proof is not None and proof.is_passing) is is_proven


def test_an_empty_table_proves_all_that_is_said_of_rows(lake):
    lake.table("raw.t", "select 1 as a where false")

    for entry in ({"unique": "a"}, {"expression": "a > 1"}, {"increasing": "a"}):
        assert lake.check(entry).verdict == "proven"
    assert lake.check({"row_count": {"min": 1}}).verdict == "failed"


def test_a_file_older_than_its_column_has_nulls_in_it(lake):
    table = lake.table("raw.t", "select 1 as a")
    added = Field(name="b", type=Primitive("int"), id=900)
    newer = Schema(fields=(*table.schema.fields, added), schema_id=2)
    lake.relations[table.key] = replace(table, schema=newer, schemas={1: table.schema, 2: newer})

    assert lake.check({"null": "b"}).verdict == "proven"
    assert lake.check({"between": {"column": "b", "min": 0}}).verdict == "proven"
    assert lake.check({"not_null": "b"}).verdict == "failed"


def test_a_file_without_statistics_proves_nothing(lake):
    table = lake.table("raw.t", "select 1 as a")
    bare = replace(table.files[0], null_counts={}, lower_bounds={}, upper_bounds={})
    lake.relations[table.key] = replace(table, files=(bare,))

    assert lake.check({"not_null": "a"}).verdict == "passed"
    assert lake.check({"between": {"column": "a", "min": 0}}).verdict == "passed"
