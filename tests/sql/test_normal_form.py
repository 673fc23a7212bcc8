# SPDX-License-Identifier: Apache-2.0
"""The normal form: equal for equal meanings only, and quick to make."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstem.sql import parse

CASES = Path(__file__).parent.parent / "cases" / "sql"


def pairs(name):
    text = (CASES / name).read_text(encoding="utf-8").split("\n## ")[1:]
    for case in text:
        title, _, body = case.partition("\n")
        first, second = body.split("\n--\n")
        yield pytest.param(first, second, id=title)


@pytest.mark.parametrize(("one", "other"), list(pairs("same_meaning.sql")))
def test_queries_that_mean_the_same_have_one_normal_form(one, other):
    assert parse(one).normal_form == parse(other).normal_form


@pytest.mark.parametrize(("one", "other"), list(pairs("different_meaning.sql")))
def test_queries_that_mean_different_things_have_different_normal_forms(one, other):
    assert parse(one).normal_form != parse(other).normal_form


def test_the_normal_form_is_stable():
    # A change of this value rebuilds every SQL model of every project: raise the version instead.
    text = "with a as (select x, count(*) as n from raw.t group by x) select a.* from a where n > 1"

    assert parse(text).normal_form == parse(text.upper().replace("N", "n")).normal_form
    assert len(parse(text).normal_form) == 32


@given(
    names=st.lists(
        st.from_regex(r"[a-z][a-z0-9_]{0,6}q", fullmatch=True), min_size=3, max_size=3, unique=True
    ),
    spaces=st.text(alphabet=" \t\n", min_size=1, max_size=5),
)
def test_any_alias_and_any_white_space_give_one_normal_form(names, spaces):
    f, p, c = names
    text = (
        f"with {c} as (select k from raw.x) select {f}.a, {p}.b from raw.t as {f} join {c} "
        f"as {p} on {f}.k = {p}.k"
    )
    plain = (
        "with c1 as (select k from raw.x) select t1.a, t2.b from raw.t as t1 join c1 as "
        "t2 on t1.k = t2.k"
    )

    assert parse(text.replace(" ", spaces)).normal_form == parse(plain).normal_form
