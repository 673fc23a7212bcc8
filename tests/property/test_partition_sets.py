# SPDX-License-Identifier: Apache-2.0
"""Sets of partitions against Python's sets of points, in one dimension and in several."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstem.graph import (
    DynamicPartitions,
    PartitionSet,
    product_partitions,
    static_partitions,
    time_partitions,
)

MONTHS = time_partitions("month", "2013-01-01")
REGIONS = static_partitions(("eu", "us", 'a,"b"|c', "..", "*", "latest", " x", "(y)"))
TENANTS = DynamicPartitions(name="tenants", keys=((0, "a"), (2, "b"), (3, "c,d"), (7, "..e")))
CUBE = product_partitions([("month", MONTHS), ("region", REGIONS), ("tenant", TENANTS)])
DEFINITIONS = [MONTHS, REGIONS, TENANTS, CUBE]
NOW = datetime(2014, 6, 1, tzinfo=UTC)


@st.composite
def _sets(draw, count=1):
    definition = draw(st.sampled_from(DEFINITIONS))
    axes = [
        st.sampled_from([of.ordinal(key) for key in PartitionSet.existing(of, NOW)])
        for of in definition.dimensions
    ]
    points = [draw(st.sets(st.tuples(*axes), max_size=30)) for _ in range(count)]
    return definition, points


@given(_sets(2))
def test_algebra_is_that_of_plain_sets(drawn):
    definition, (left, right) = drawn
    a, b = PartitionSet.of_points(definition, left), PartitionSet.of_points(definition, right)

    assert set((a | b).points()) == left | right
    assert set((a & b).points()) == left & right
    assert set((a - b).points()) == left - right
    assert (a | b).count == len(left | right)
    assert (a <= b) == (left <= right)
    assert bool(a) == bool(left)


@given(_sets(2))
def test_equal_sets_are_equal_values_however_they_came_about(drawn):
    definition, (left, right) = drawn
    a, b = PartitionSet.of_points(definition, left), PartitionSet.of_points(definition, right)

    assert (a | b) == (b | a) == PartitionSet.of_points(definition, left | right)
    assert ((a | b) - b) | (a & b) == a


@given(_sets())
def test_text_comes_back_as_the_same_set(drawn):
    definition, (points,) = drawn
    some = PartitionSet.of_points(definition, points)

    assert PartitionSet.parse(some.text(), definition) == some
    assert PartitionSet.parse(some.text(is_stored=True), definition) == some


@given(_sets())
def test_keys_come_back_and_are_in_the_set(drawn):
    definition, (points,) = drawn
    some = PartitionSet.of_points(definition, points)

    assert PartitionSet.of_keys(definition, some) == some
    assert all(key in some for key in some)
    assert len(set(some)) == some.count
    assert sum(part.count for part in some.ranges()) == some.count


@given(_sets())
def test_points_beside_a_set_are_not_in_it(drawn):
    definition, (points,) = drawn
    some = PartitionSet.of_points(definition, points)
    everything = PartitionSet.existing(definition, NOW)

    assert {point for point in everything.points() if some.has(point)} == points
    assert set((everything - some).points()) == set(everything.points()) - points


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_all_partitions_together_are_few_ranges(definition):
    everything = PartitionSet.existing(definition, NOW)

    assert everything.count > 0
    assert len(everything.ranges()) <= 4
