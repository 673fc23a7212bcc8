# SPDX-License-Identifier: Apache-2.0
"""Inferred types against DuckDB's own binder: equal, or unknown where a case says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainstem.engines import open_engine
from mainstem.errors import SqlInvalid
from mainstem.sql import infer, parse
from mainstem.types import AssetKey

CASES = Path(__file__).parent.parent / "cases" / "sql"
TABLE = """
    create temp table t as select 1::integer as i, 1::bigint as l, 1::double as f, 1::float as r,
      1::decimal(10, 2) as d2, 'x' as s, true as b, date '2020-01-01' as day,
      timestamp '2020-01-01' as ts, timestamptz '2020-01-01' as tz, [1] as xs,
      {'a': 1, 'b': 'x'} as st
"""


def cases(name):
    lines = (CASES / name).read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line and not line.startswith("#"):
            yield pytest.param(line.removesuffix(" ?"), not line.endswith(" ?"), id=line)


@pytest.fixture(scope="module")
def binder(tmp_path_factory):
    engine = open_engine("duckdb", temp_directory=str(tmp_path_factory.mktemp("spill")))
    with engine.session() as session:
        session.rows(TABLE)
        yield session
    engine.close()


@pytest.mark.parametrize(
    ("expression", "is_known"), [*cases("types.txt"), *cases("aggregates.txt")]
)
def test_the_type_is_what_the_engine_says(binder, expression, is_known):
    schema = binder.describe("from t")
    text = f"select {expression} as x from raw.t"
    query = parse(text)

    found = infer(query, {"raw.t": schema}, resolve=lambda _name: AssetKey("raw", "t"))

    expected = binder.describe(text.replace("raw.t", "t")).field("x").type
    assert found.problems == ()
    assert found.types.get("x") == (expected if is_known else None)


def test_a_type_that_tables_do_not_store_is_unknown(binder):
    query = parse("select ts - ts as x from raw.t")

    found = infer(
        query, {"raw.t": binder.describe("from t")}, resolve=lambda _: AssetKey("raw", "t")
    )

    assert found.schema is None
    with pytest.raises(SqlInvalid):
        binder.describe("select ts - ts as x from t")
