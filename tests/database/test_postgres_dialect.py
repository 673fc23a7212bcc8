# SPDX-License-Identifier: Apache-2.0
"""From the common subset to PostgreSQL's SQL."""

import pytest

from mainstem.database.postgres.dialect import statement_of


def _text(sql):
    return statement_of(sql).text


@pytest.mark.parametrize(
    ("common", "own"),
    [
        ("select ?, ?", "select $1, $2"),
        ("select '?' where a = ?", "select '?' where a = $1"),
        ("select 'it''s ?', ?", "select 'it''s ?', $1"),
        ('select "a?", ?', 'select "a?", $1'),
        ("select ? -- really?\n, ?", "select $1 -- really?\n, $2"),
        ("select /* ? \n ? */ ?", "select /* ? \n ? */ $1"),
        ("a like '100%' and b = ?", "a like '100%' and b = $1"),
        ("in (" + ",".join("?" * 12) + ")", "in ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)"),
    ],
)
def test_placeholders_are_numbered_outside_of_literals_and_comments(common, own):
    assert statement_of(common).text == own


@pytest.mark.parametrize(
    ("sql", "has_rows"),
    [
        ("select 1", True),
        ("  -- first\n with a as (select 1) select * from a", True),
        ("values (1)", True),
        ("insert into t values (1)", False),
        ("insert into t values ('returning')", False),
        ("insert into t values (1) returning n", True),
        ("update t set n = 1 RETURNING n", True),
        ("delete from t", False),
        ("create table t (x text)", False),
    ],
)
def test_it_is_known_which_statements_give_rows(sql, has_rows):
    assert statement_of(sql).has_rows is has_rows


def test_columns_hold_what_they_hold_in_sqlite():
    assert _text("create table t (id integer primary key, b blob, r real, t text)") == (
        'create table t (id bigint primary key, b bytea, r double precision, t text collate "C")'
    )


def test_a_column_may_have_the_name_of_a_type():
    assert _text("create table t (text text not null, blob integer)") == (
        'create table t (text text collate "C" not null, blob bigint)'
    )
    assert _text("alter table t add column text text default 'a text'") == (
        "alter table t add column text text collate \"C\" default 'a text'"
    )


def test_other_statements_are_left_as_they_are():
    assert _text("create index i on t (text)") == "create index i on t (text)"
    assert _text("insert into t select text from u") == "insert into t select text from u"
