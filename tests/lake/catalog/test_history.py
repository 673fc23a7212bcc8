# SPDX-License-Identifier: Apache-2.0
"""Walks over the graph of commits, held against brute force; and the small rules of merging."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstem.lake.commit import (
    commits_between,
    first_parents,
    history,
    is_ancestor,
    merge_bases,
    write_commit,
)
from mainstem.lake.interval import are_disjoint
from mainstem.lake.text_merge import merge_text
from mainstem.lake.trie import EMPTY_ROOT

_GRAPHS = st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=2), min_size=2, max_size=25)
_SETTINGS = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def catalog(lake):
    with lake.writing() as catalog:
        yield catalog


def _grow(catalog, shape):
    """Make commits whose parents are the given earlier ones; with all ancestors by id."""
    made = [write_commit(catalog, (), root=EMPTY_ROOT, message="first")]
    above = {made[0].id: {made[0].id}}
    for number, wanted in enumerate(shape):
        parents = [made[index] for index in dict.fromkeys(one % len(made) for one in wanted)]
        commit = write_commit(catalog, parents, root=EMPTY_ROOT, message=str(number))
        above[commit.id] = {commit.id}.union(*(above[parent.id] for parent in parents))
        made.append(commit)
    return made, above


@_SETTINGS
@given(shape=_GRAPHS, data=st.data())
def test_merge_bases_are_the_common_ancestors_below_no_other_one(catalog, shape, data):
    made, above = _grow(catalog, shape)
    a, b = (data.draw(st.sampled_from(made)) for _ in range(2))
    bases = merge_bases(catalog, a, b)

    common = above[a.id] & above[b.id]
    covered = {one for commit_id in common for one in above[commit_id] - {commit_id}}
    assert {base.id for base in bases} == common - covered
    assert merge_bases(catalog, b, a) == bases


@_SETTINGS
@given(shape=_GRAPHS, data=st.data())
def test_the_way_from_some_commits_to_another_is_what_only_that_descends_from(catalog, shape, data):
    made, above = _grow(catalog, shape)
    a, b = (data.draw(st.sampled_from(made)) for _ in range(2))
    c = data.draw(st.sampled_from(made))
    found = commits_between(catalog, [a, c], b)

    assert {commit.id for commit in found} == above[b.id] - above[a.id] - above[c.id]
    assert [one.generation for one in found] == sorted(one.generation for one in found)


@_SETTINGS
@given(shape=_GRAPHS, data=st.data())
def test_a_history_is_all_ancestors_newest_first(catalog, shape, data):
    made, above = _grow(catalog, shape)
    a, b = (data.draw(st.sampled_from(made)) for _ in range(2))
    walked = list(history(catalog, a))

    assert {commit.id for commit in walked} == above[a.id]
    assert len(walked) == len(above[a.id])
    assert is_ancestor(catalog, a, b) == (b.id in above[a.id])
    assert all(one.id in above[a.id] for one in first_parents(catalog, a))


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ({"1..5"}, {"5..9"}, True),
        ({"9..10"}, {"10..11"}, True),
        ({"1..5", "20..30"}, {"6..10"}, True),
        ({"1..5,20..30"}, {"25..26"}, False),
        ({"2026-01-01..2026-02-01"}, {"2026-02-01.."}, True),
        ({"..5"}, {"..3"}, False),
        ({".."}, {"7..8"}, False),
        ({"abc"}, {"abd"}, True),
        ({"abc"}, {"abd,abc"}, False),
        ({"abc"}, set(), True),
        ({""}, {"1..2"}, False),
        ({"nan..inf"}, {"inf..z"}, True),
    ],
)
def test_intervals_are_disjoint_only_if_surely_so(ours, theirs, expected):
    assert are_disjoint(ours, theirs) is expected
    assert are_disjoint(theirs, ours) is expected


_LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "d\n"]), max_size=8).map("".join)


@given(base=_LINES, ours=_LINES, theirs=_LINES)
def test_texts_merge_the_same_from_both_sides(base, ours, theirs):
    merged = merge_text(base, ours, theirs)

    assert merge_text(base, theirs, ours) == merged
    assert merge_text(base, ours, base) == ours
    assert merge_text(base, base, theirs) == theirs
    assert merge_text(base, ours, ours) == ours
