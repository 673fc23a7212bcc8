# SPDX-License-Identifier: Apache-2.0
"""What the engine takes, we take: parsed, rewritten without harm, and inferred without error."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainstem.engines import open_engine
from mainstem.sql import change_parts, infer, parse, qualify
from mainstem.types import AssetKey

CASES = Path(__file__).parent.parent / "cases" / "sql" / "dialect.sql"
TABLES = (
    "create schema raw",
    (
        "create table raw.t (a int, b varchar, d date, l int[], s struct(x int, y varchar), "
        "m map(varchar, int), j json, ts timestamp)"
    ),
    "create table raw.u (a int, c int, ts timestamp)",
    """insert into raw.t values (1, 'x', '2020-01-01', [1], {'x': 1, 'y': 'z'}, map {'k': 1},
      '{"q": 1}', '2020-01-01')""",
)
NAMES = {name: AssetKey.parse(name) for name in ("raw.t", "raw.u")}
QUERIES = [
    line for line in CASES.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"
]


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    engine = open_engine("duckdb", temp_directory=str(tmp_path_factory.mktemp("spill")))
    with engine.session() as opened:
        for statement in TABLES:
            opened.rows(statement)
        yield opened
    engine.close()


@pytest.mark.parametrize("sql", QUERIES)
def test_what_the_engine_takes_is_parsed_and_stays_valid(session, sql):
    query = parse(sql)

    rewritten = qualify(query, NAMES)

    assert session.rows(f"explain {rewritten}")
    assert change_parts(query)
    assert {table.name for table in query.tables} <= set(NAMES)


@pytest.mark.parametrize("sql", QUERIES)
def test_inferred_columns_are_the_engines_or_unknown(session, sql):
    schemas = {name: session.describe(f"from {name}") for name in NAMES}

    found = infer(parse(sql), schemas, resolve=lambda name: NAMES.get(name.casefold()))

    assert found.problems == ()
    if found.columns is not None:
        assert found.columns == tuple(session.arrow(sql.rstrip("; ")).schema.names)
