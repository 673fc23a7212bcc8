# SPDX-License-Identifier: Apache-2.0
"""Every way to write a check (GRAMMAR 5), and what is said of those that cannot be read."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mainstem.checks import number_repeats, parse_checks
from mainstem.errors import ConfigInvalid, ErrorGroup
from mainstem.types import AssetKey

T = AssetKey("staging", "flights")


def parse(entry, column=None):
    return parse_checks([entry], T, column=column, file="models/a.yml", line=7)


def shape(specs):
    return [(spec.name, spec.columns, dict(spec.arguments)) for spec in specs]


@pytest.mark.parametrize(
    ("entry", "column", "expected"),
    [
        ("not_null", "a", [("not_null", ("a",), {})]),
        ("unique", "a", [("unique", ("a",), {})]),
        ({"not_null": "a"}, None, [("not_null", ("a",), {})]),
        ({"not_null": ["a", "b"]}, None, [("not_null", ("a",), {}), ("not_null", ("b",), {})]),
        ({"null": ["a"]}, None, [("null", ("a",), {})]),
        ({"unique": ["a", "b"]}, None, [("unique", ("a", "b"), {})]),
        ({"unique": {"columns": ["a", "b"]}}, None, [("unique", ("a", "b"), {})]),
        ({"unique": None}, "a", [("unique", ("a",), {})]),
        ({"unique": {"severity": "warn"}}, "a", [("unique", ("a",), {})]),
        ({"accepted_values": [1, 2]}, "a", [("accepted_values", ("a",), {"values": [1, 2]})]),
        (
            {"accepted_values": {"column": "a", "values": ["x"]}},
            None,
            [("accepted_values", ("a",), {"values": ["x"]})],
        ),
        ({"between": [0, 9]}, "a", [("between", ("a",), {"min": 0, "max": 9})]),
        ({"between": {"min": 0}}, "a", [("between", ("a",), {"min": 0})]),
        (
            {"between": {"columns": ["a", "b"], "max": 1}},
            None,
            [("between", ("a",), {"max": 1}), ("between", ("b",), {"max": 1})],
        ),
        ({"regex": "^N"}, "a", [("regex", ("a",), {"pattern": "^N"})]),
        ({"like": "N%"}, "a", [("like", ("a",), {"pattern": "N%"})]),
        ({"length": 3}, "a", [("length", ("a",), {"equal_to": 3})]),
        ({"type": "bigint"}, "a", [("type", ("a",), {"type": "bigint"})]),
        ({"increasing": "a"}, None, [("increasing", ("a",), {})]),
        ({"increasing": {"strictly": True}}, "a", [("increasing", ("a",), {"strictly": True})]),
        ({"relationships": "raw.a.b"}, "a", [("relationships", ("a",), {"to": "raw.a.b"})]),
        (
            {"relationships": {"to": "ref('airports')", "field": "faa"}},
            "a",
            [("relationships", ("a",), {"to": "airports.faa"})],
        ),
        (
            {"relationships": {"arguments": {"to": "source('raw', 'x')", "field": "y"}}},
            "a",
            [("relationships", ("a",), {"to": "raw.x.y"})],
        ),
        ({"row_count": 5}, None, [("row_count", (), {"equal_to": 5})]),
        ({"row_count": "raw.flights"}, None, [("row_count", (), {"equal_to": "raw.flights"})]),
        ({"row_count": {"min": 1, "max": 2}}, None, [("row_count", (), {"min": 1, "max": 2})]),
        ({"schema": ["a", "b"]}, None, [("schema", (), {"columns": ["a", "b"]})]),
        ({"schema": {"a": "long"}}, None, [("schema", (), {"columns": {"a": "long"}})]),
        (
            {"schema": {"columns": {"a": "long"}, "exact": False}},
            None,
            [("schema", (), {"columns": {"a": "long"}, "exact": False})],
        ),
        ({"expression": "a > b"}, None, [("expression", (), {"sql": "a > b"})]),
        ({"sql": "select 1"}, None, [("sql", (), {"sql": "select 1"})]),
        ({"mean": {"column": "a", "min": 0}}, None, [("mean", ("a",), {"min": 0})]),
        ({"distinct_count": 3}, "a", [("distinct_count", ("a",), {"equal_to": 3})]),
    ],
)
def test_short_forms_mean_what_the_grammar_says(entry, column, expected):
    assert shape(parse(entry, column)) == expected


def test_what_every_check_takes_is_kept():
    spec = parse(
        {
            "between": {
                "min": -120,
                "mostly": 0.999,
                "quarantine": True,
                "where": "not cancelled",
                "severity": "warn",
                "name": "sane_delay",
                "sample": 5,
                "tags": ["daily"],
                "description": "minutes",
                "config": {"warn_if": "> 10", "error_if": ">= 5%"},
            }
        },
        "dep_delay",
    )[0]

    assert (spec.mostly, spec.quarantine, spec.where) == (0.999, True, "not cancelled")
    assert (spec.severity, spec.label, spec.sample) == ("warn", "sane_delay", 5)
    assert (spec.tags, spec.description) == (("daily",), "minutes")
    assert spec.arguments == {"min": -120, "warn_if": ">10", "error_if": ">=5%"}
    assert (spec.file, spec.line) == ("models/a.yml", 7)
    assert spec.id == "staging.flights/sane_delay"


def test_ids_name_the_columns():
    specs = parse_checks([{"unique": ["origin", "time_hour"]}, {"not_null": ["a", "b"]}], T)

    assert [spec.id for spec in specs] == [
        "staging.flights/unique(origin,time_hour)",
        "staging.flights/not_null(a)",
        "staging.flights/not_null(b)",
    ]


def test_a_name_given_to_several_columns_stays_unique():
    specs = parse({"not_null": {"columns": ["a", "b"], "name": "there"}})

    assert [spec.title for spec in specs] == ["there(a)", "there(b)"]


def test_equal_ids_get_a_number():
    specs = parse_checks([{"expression": "a > 1"}, {"expression": "b > 1"}], T)

    assert [spec.title for spec in specs] == ["expression", "expression_2"]
    assert [spec.title for spec in number_repeats(specs)] == ["expression", "expression_2"]


@pytest.mark.parametrize(
    ("entry", "column", "code", "said"),
    [
        ("not_nul", "a", "A4001", "Did you mean `not_null`?"),
        ({"rowcount": 1}, None, "A4001", "Did you mean `row_count`?"),
        ({"between": {"column": "a", "minimum": 1}}, None, "A4002", "Did you mean `min`?"),
        ({"unique": {"columns": ["a"], "sevrity": "warn"}}, None, "A4002", "`severity`?"),
        ("not_null", None, "A4003", "needs a column"),
        ({"not_null": [1]}, None, "A4003", "needs a column"),
        ({"not_null": []}, None, "A4003", "needs a column"),
        ({"between": {"column": "a"}}, None, "A4003", "one of min, max"),
        ({"between": [1, 2, 3]}, "a", "A4003", "two values"),
        ({"accepted_values": ["a"]}, None, "A4003", "which column"),
        ({"accepted_values": "a"}, "a", "A4003", "a list is needed"),
        ({"regex": "("}, "a", "A4003", "is broken"),
        ({"regex": 5}, "a", "A4003", "text is needed"),
        ({"relationships": "faa"}, "a", "A4003", "names no column"),
        ({"relationships": {"field": "faa"}}, "a", "A4003", "lacks `to`"),
        ({"row_count": {}}, None, "A4003", "one of min, max, equal_to"),
        ({"row_count": {"min": "many"}}, None, "A4003", "a whole number"),
        ({"row_count": {"min": True}}, None, "A4003", "a whole number"),
        ({"not_null": {"mostly": 99}}, "a", "A4003", "between 0 and 1"),
        ({"not_null": {"mostly": "most"}}, "a", "A4003", "between 0 and 1"),
        ({"row_count": {"min": 1, "mostly": 0.5}}, None, "A4003", "`mostly`"),
        ({"not_null": {"severity": "errr"}}, "a", "A4003", "Did you mean `error`?"),
        ({"not_null": {"sample": -1}}, "a", "A4003", "`sample`"),
        ({"not_null": {"warn_if": "lots"}}, "a", "A4003", "> 10"),
        ({"not_null": {"quarantine": "yes"}}, "a", "A4003", "true or false"),
        ({"not_null": {"name": 5}}, "a", "A4003", "text is needed"),
        ({"not_null": {"tags": 5}}, "a", "A4003", "`tags`"),
        ({"not_null": {"config": "x"}}, "a", "A4003", "not a mapping"),
        ({"sql": {"sql": "select 1", "where": "a > 1"}}, None, "A4003", "`where`"),
        ({"schema": 5}, None, "A4003", "a list of columns"),
        ({"unique": {"columns": ["a"], "quarantine": True}}, None, "A4005", "single rows"),
        ({"freshness": {"column": "a"}}, None, "A4004", "does not exist yet"),
        ("expect_column_values_to_be_unique", "a", "A4004", "does not exist yet"),
        ({"dbt_utils.at_least_one": None}, "a", "A4004", "does not exist yet"),
        ({"not_null": "a", "unique": "b"}, None, "A4003", "not_null, unique"),
        (5, None, "A4003", "5"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(entry, column, code, said):
    with pytest.raises(ConfigInvalid) as caught:
        parse(entry, column)

    error = caught.value
    assert error.code == code
    assert said in str(error)
    assert (error.where.file, error.where.line) == ("models/a.yml", 7)


def test_several_faults_are_told_at_once():
    with pytest.raises(ErrorGroup) as caught:
        parse_checks(["nonsense", {"not_null": "a"}, {"between": {"column": "a"}}], T)

    assert [error.code for error in caught.value.errors] == ["A4001", "A4003"]


def test_nothing_to_check_is_nothing():
    assert parse_checks(None, T) == []
    assert parse_checks([], T) == []


def test_parsing_imports_nothing_heavy():
    program = (
        "import sys; from mainstem.checks import parse_checks; from mainstem.types import AssetKey;"
        "parse_checks([{'unique': ['a']}], AssetKey('a', 'b'));"
        "print([m for m in ('duckdb', 'pyarrow', 'sqlglot', 'pydantic', 'jinja2', 'apsw')"
        " if m in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
