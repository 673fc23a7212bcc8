# SPDX-License-Identifier: Apache-2.0
"""What changed between two texts of a model: columns one by one, and which rows there are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mainstem.sql import change_parts, column_lines, parse


def changed(before, after):
    old, new = change_parts(parse(before)), change_parts(parse(after))
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("select a from t", "select a, b from t", ["columns.b"]),
        ("select a, b from t", "select a from t", ["columns.b"]),
        ("select a, b + 1 as c from t", "select a, b + 2 as c from t", ["columns.c"]),
        ("select a from t", "select a from t where a > 1", ["rows"]),
        ("select y.a from t as y", "SELECT x.a FROM t AS x", []),
        (
            "select a, b as b1, b1 + 1 as b2 from t",
            "select a, c as b1, b1 + 1 as b2 from t",
            ["columns.b1", "columns.b2"],
        ),
        (
            "select a, sum(b) as s from t group by 1",
            "select a, sum(b) as s, max(b) as m from t group by 1",
            ["columns.m"],
        ),
        (
            "select a, sum(b) as s from t group by 1",
            "select c, sum(b) as s from t group by 1",
            ["columns.a", "columns.c", "rows"],
        ),
        (
            "select a, sum(b) as s from t group by all",
            "select a, c, sum(b) as s from t group by all",
            ["columns.c", "rows"],
        ),
        ("select distinct a from t", "select distinct a, b from t", ["columns.b", "rows"]),
        ("select a from t", "select a, unnest(l) as e from t", ["columns.e", "rows"]),
        (
            "select a, b as k from t where k > 1",
            "select a, c as k from t where k > 1",
            ["columns.k", "rows"],
        ),
        ("select count(*) as n from t", "select count(*) as n, 1 as one from t", ["columns.one"]),
        ("select a from t", "select a, count(*) as n from t", ["columns.n", "rows"]),
        ("select a from t limit 1", "select a, b from t limit 1", ["columns.b"]),
        (
            "with x as (select * from t), final as (select a from x) select * from final",
            "with x as (select * from t), final as (select a, b from x) select * from final",
            ["columns.b"],
        ),
        (
            "with x as (select * from t) select a from x",
            "with x as (select * from t where k) select a from x",
            ["rows"],
        ),
        (
            "select a from t union all select a from u",
            "select a from t union all select a from v",
            ["rows"],
        ),
        (
            "select f.*, p.seats from f join p using (k)",
            "select f.*, p.seats, p.year from f join p using (k)",
            ["columns.year"],
        ),
    ],
)
def test_a_change_is_told_part_by_part(before, after, expected):
    assert changed(before, after) == expected


def test_columns_know_their_lines():
    text = "select\n  a,\n  b + 1 as c, t.d,\n  t.*,\n  1\nfrom t"

    assert column_lines(parse(text)) == {"a": 2, "c": 3, "d": 3}


CASES = Path(__file__).parent.parent / "cases" / "sql"
COUNTED = (
    "select a, (with x as (select 1 as n) select n from x) as b from t",
    "with y as (select 1 as n) select (with x as (select 1 as n) select n from x) as b, n from y",
    "with x as (select a, b from t) select * from (select a as c, c + 1 as d from x) as s",
    "select distinct a, b as c, c * 2 from t join u using (k) order by 2",
    "select k, unnest(l) as e, e + 1 as f, sum(v) over w from t window w as (partition by k)",
)


def _queries():
    for path in sorted(CASES.glob("*.sql")):
        for case in path.read_text(encoding="utf-8").split("\n## ")[1:]:
            yield from case.partition("\n")[2].split("\n--\n")
    yield from COUNTED


def test_parts_cut_from_the_one_walk_are_what_each_is_when_written_alone():
    apart = 0
    for text in _queries():
        query = parse(text)
        is_free = query.outline is not None and query.outline.is_free
        apart += query.shaping is not None and not is_free

        assert change_parts(query) == change_parts(replace(query, outline=None)), text
    assert apart == 2  # those of COUNTED that have a CTE in a projection
