# SPDX-License-Identifier: Apache-2.0
"""Layouts: what holds of every drawing."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstem.api.layout import layout


@st.composite
def graphs(draw):
    size = draw(st.integers(1, 25))
    names = [f"n{number:02}" for number in range(size)]
    pairs = st.tuples(st.sampled_from(names), st.sampled_from(names))
    edges = draw(st.lists(pairs, max_size=60))
    return names, [(a, b) for a, b in edges if a < b]


@settings(deadline=None)
@given(graphs())
def test_every_node_and_edge_is_drawn_forward_and_apart(graph):
    names, edges = graph
    drawn = layout(names, edges)
    at = {node.name: node for node in drawn.nodes}

    assert set(at) == set(names)
    assert {(edge.source, edge.target) for edge in drawn.edges} == set(edges)
    for edge in drawn.edges:
        xs = [x for x, _y in edge.points]
        assert xs == [float(x) for x in range(at[edge.source].layer, at[edge.target].layer + 1)]
        assert edge.points[0] == (at[edge.source].x, at[edge.source].y)
        assert edge.points[-1] == (at[edge.target].x, at[edge.target].y)
    by_layer = {}
    for node in drawn.nodes:
        by_layer.setdefault(node.layer, []).append(node.y)
        assert 0 <= node.x <= drawn.width
        assert 0 <= node.y <= drawn.height
    for heights in by_layer.values():
        heights.sort()
        assert all(b - a >= 0.999 for a, b in itertools.pairwise(heights))


@settings(deadline=None)
@given(graphs(), st.randoms(use_true_random=False))
def test_the_order_of_what_is_given_does_not_matter(graph, shuffler):
    names, edges = graph
    before = layout(names, edges)
    shuffler.shuffle(names)
    shuffler.shuffle(edges)

    assert layout(names, edges) == before


@settings(deadline=None)
@given(graphs())
def test_crossings_are_counted_right(graph):
    names, edges = graph
    drawn = layout(names, edges)
    pieces = [
        (*a, *b) for edge in drawn.edges for a, b in zip(edge.points, edge.points[1:], strict=False)
    ]
    crossed = sum(
        1
        for at, (x, y, _x, end) in enumerate(pieces)
        for other_x, other_y, _x2, other_end in pieces[at + 1 :]
        if x == other_x and (y - other_y) * (end - other_end) < 0
    )

    assert drawn.crossings == crossed


def test_a_chain_is_a_straight_line():
    drawn = layout("abcd", ["ab", "bc", "cd"])

    assert {node.y for node in drawn.nodes} == {0.0}
    assert [node.layer for node in drawn.nodes] == [0, 1, 2, 3]


def test_a_source_stands_beside_its_reader():
    drawn = layout("abcs", ["ab", "bc", "sc"])

    assert {node.name: node.layer for node in drawn.nodes} == {"a": 0, "b": 1, "c": 2, "s": 1}


def test_edges_that_can_be_are_uncrossed():
    drawn = layout("abxy", ["ay", "bx"])

    assert drawn.crossings == 0


def test_what_closes_a_circle_is_not_drawn():
    drawn = layout("ab", ["ab", "ba"])

    assert [(edge.source, edge.target) for edge in drawn.edges] == [("a", "b")]


@pytest.mark.parametrize("names", [[], ["a"]])
def test_small_graphs_are_drawn(names):
    drawn = layout(names, [])

    assert (len(drawn.nodes), drawn.width, drawn.height) == (len(names), 0, 0)


def test_a_large_graph_is_drawn_with_few_crossings():
    shuffled = random.Random(7)
    names = [f"{layer:02}-{number:03}" for layer in range(10) for number in range(40)]
    edges = [
        (f"{layer - 1:02}-{shuffled.randrange(40):03}", f"{layer:02}-{number:03}")
        for layer in range(1, 10)
        for number in range(40)
    ]

    drawn = layout(names, edges)

    assert drawn.crossings < 400
