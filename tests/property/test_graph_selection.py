# SPDX-License-Identifier: Apache-2.0
"""Random graphs: orders respect edges, closures agree with a plain walk, circles are found."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from mainstem.graph import Asset, Graph, fingerprint, increment_version, select
from mainstem.types import AssetKey

_NAMES = [f"n.a{number}" for number in range(8)]


@st.composite
def _edges(draw, *, acyclic):
    pairs = draw(
        st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda p: p[0] != p[1]))
    )
    return {(min(pair), max(pair)) for pair in pairs} if acyclic else pairs


def _graph(edges, shuffled=None):
    assets = [
        Asset(
            key=AssetKey.parse(name),
            kind="sql",
            materialized="table",
            inputs=tuple(AssetKey.parse(_NAMES[a]) for a, b in sorted(edges) if b == number),
            code_version=name,
        )
        for number, name in enumerate(_NAMES)
    ]
    return Graph.build([assets[index] for index in shuffled] if shuffled else assets)


def _reachable(edges, start):
    found, pending = set(), [start]
    while pending:
        at = pending.pop()
        for a, b in edges:
            if a == at and b not in found:
                found.add(b)
                pending.append(b)
    return found


@given(_edges(acyclic=True), st.permutations(range(8)))
def test_inputs_come_first_whatever_the_order_of_the_files(edges, shuffled):
    graph = _graph(edges, shuffled)

    assert graph.problems == ()
    assert graph.order == _graph(edges).order
    for a, b in edges:
        assert (
            graph.positions[AssetKey.parse(_NAMES[a])] < graph.positions[AssetKey.parse(_NAMES[b])]
        )


@given(_edges(acyclic=True), st.integers(0, 7))
def test_closures_agree_with_a_plain_walk(edges, start):
    graph = _graph(edges)

    below = {str(key) for key in select(graph, [f"{_NAMES[start]}+"])}
    above = {str(key) for key in select(graph, [f"+{_NAMES[start]}"])}

    assert below == {_NAMES[n] for n in {*_reachable(edges, start), start}}
    reverse = {(b, a) for a, b in edges}
    assert above == {_NAMES[n] for n in {*_reachable(reverse, start), start}}


@given(_edges(acyclic=False))
def test_a_circle_is_reported_exactly_if_there_is_one(edges):
    graph = _graph(edges)
    has_circle = any(number in _reachable(edges, number) for number in range(8))

    assert bool(graph.problems) == has_circle
    assert len(set(graph.order)) == 8
    for problem in graph.problems:
        drawn = problem.summary.partition(": ")[2].rstrip(".").split(" -> ")
        assert drawn[0] == drawn[-1]
        for a, b in itertools.pairwise(drawn):
            assert (_NAMES.index(a), _NAMES.index(b)) in edges


_VERSIONS = st.dictionaries(
    st.sampled_from(_NAMES).map(AssetKey.parse), st.text(max_size=5), max_size=4
)


@given(st.text(max_size=5), _VERSIONS, st.text(max_size=5), _VERSIONS)
def test_fingerprints_are_equal_exactly_if_code_and_inputs_are(code_a, inputs_a, code_b, inputs_b):
    same = code_a == code_b and inputs_a == inputs_b

    assert (fingerprint(code_a, inputs_a) == fingerprint(code_b, inputs_b)) == same


@given(st.text(max_size=5), st.text(max_size=5))
def test_an_increment_is_never_the_version_it_was_made_from(previous, mark):
    assert increment_version(previous, mark) not in {previous, mark}
