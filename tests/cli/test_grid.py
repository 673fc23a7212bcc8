# SPDX-License-Identifier: Apache-2.0
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from mainstem.cli.render.grid import cell, grid, groups


def test_numbers_stand_to_the_right_and_text_to_the_left():
    lines = grid(("name", "n"), [("a", 1), ("long one", 200)])

    assert lines == [
        "name        n",
        "--------  ---",
        "a           1",
        "long one  200",
    ]


def test_null_is_empty_and_differs_from_the_word():
    assert [cell(None), cell("null"), cell("")] == ["", "null", ""]


def test_values_are_written_on_one_line():
    assert cell("a\nb") == "a\\nb"
    assert cell(date(2013, 1, 1)) == "2013-01-01"
    assert cell(Decimal("1.50")) == "1.50"
    assert cell(b"\x00\xff") == "00ff"
    assert cell(True) == "true"


def test_a_result_without_rows_still_names_its_columns():
    assert grid(("a", "b"), []) == ["a  b", "-  -"]


def test_groups_read_across_then_down():
    rows = [{"v": letter, "rows": 10 - at} for at, letter in enumerate("abcdef")]

    lines = groups(rows, indent=2, width=100)

    assert lines == [
        "  v  rows      v  rows      v  rows      v  rows",
        "  a    10      b     9      c     8      d     7",
        "  e     6      f     5",
    ]


@given(st.lists(st.tuples(st.text(), st.integers() | st.floats() | st.none()), max_size=5))
def test_any_values_give_lines_without_breaks(rows):
    lines = grid(("a", "b"), rows)

    assert len(lines) == 2 + len(rows)
    assert not any("\n" in line for line in lines)
