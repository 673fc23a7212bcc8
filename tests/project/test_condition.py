# SPDX-License-Identifier: Apache-2.0
"""Conditions that strangers write: read, quoted, and nothing else let through."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstem.errors import SelectionInvalid
from mainstem.project.condition import condition_sql

CONNECTION = duckdb.connect()
CONNECTION.execute("create table t (id varchar, name varchar)")
COLUMNS = ("id", "Name", 'odd "one', "select")


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("id = 1", '("id" = 1)'),
        ("ID <> -1.5e3", '("id" <> -1.5e3)'),
        ("name = 'O''Brien'", "(\"Name\" = 'O''Brien')"),
        ('"odd ""one" is not null', '("odd ""one" is not null)'),
        ('"select" = true', '("select" = true)'),
        ("id in (1, 2) and not name like 'a%'", None),
        ("id between 1 and 2 or id not in (5)", None),
        ("((id = 1))", '((("id" = 1)))'),
        ("id = name", '("id" = "Name")'),
    ],
)
def test_conditions_are_written_anew(text, sql):
    found = condition_sql(text, COLUMNS)

    assert sql is None or found == sql


@pytest.mark.parametrize(
    "text",
    [
        "",
        "id",
        "id =",
        "id = 1;",
        "id = 1 --",
        "id = 1 /* */",
        "id = (select 1)",
        "id = lower(name)",
        "lower(name) = 'a'",
        "1 = 1",
        "id = 1 union select 1",
        "id = 'a",
        "id = $1",
        "id = 'a'::int",
        "nme = 1",
        "id = 1 or",
        "(id = 1",
        "id = 1)",
        "id = 'a\0b'",
        "id = 1 and " * 500 + "id = 1",
        "(" * 30 + "id = 1" + ")" * 30,
    ],
)
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(SelectionInvalid) as caught:
        condition_sql(text, COLUMNS)

    assert caught.value.code == "A8114"


@settings(deadline=None)
@given(st.text(alphabet="id name'\"()=<>!,-;/*\\0123e.andornotilkebw\n\0é", max_size=60))
def test_whatever_is_let_through_is_one_condition_on_these_columns(text):
    """What is accepted runs as a single expression, and reads nothing but its row."""
    try:
        sql = condition_sql(text, ("id", "name"))
    except SelectionInvalid:
        return

    assert len(CONNECTION.extract_statements(f"select * from t where {sql}")) == 1
    CONNECTION.execute(f"explain select * from (select * from t where {sql}) where true")


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_text_is_compared_as_it_is(value):
    if "\0" in value:
        return
    quoted = "'" + value.replace("'", "''") + "'"

    found = condition_sql(f"name = {quoted}", ("name",))
    rows = CONNECTION.execute(
        f"select name from (values (?), ('other')) as v(name) where {found}", [value]
    ).fetchall()

    assert (value,) in rows
