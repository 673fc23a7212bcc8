# SPDX-License-Identifier: Apache-2.0
"""Persistent values against what they stand for: a list, and a sorted list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mainstem.runs.persistent import Chunks, Heap, pushed

_PAIRS = st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 200)), max_size=12)


@given(st.lists(st.one_of(_PAIRS, st.none()), max_size=40))
def test_a_heap_gives_the_smallest_first_and_its_copies_stay_as_they_were(script):
    heap: Heap | None = None
    model: list[tuple[int, int]] = []
    kept: list[tuple[Heap | None, list[tuple[int, int]]]] = []
    for items in script:
        if items is not None:
            heap, model = pushed(heap, items), sorted([*model, *items])
        elif heap is not None:
            assert heap.first == model[0][1]
            heap, model = heap.rest, model[1:]
        kept.append((heap, model))

    for copy, expected in kept:
        assert _drained(copy) == [number for _order, number in expected]


@given(
    st.lists(st.integers(), min_size=1, max_size=300),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers()), max_size=20),
)
def test_a_changed_copy_of_a_sequence_leaves_the_sequence_alone(items, changes):
    before = Chunks.of([item] for item in items)
    draft, model = before.edit(), [[item] for item in items]
    for at, value in changes:
        draft.own(at % len(items))[0] = model[at % len(items)][0] = value

    after = draft.done()

    assert list(draft) == [draft[at] for at in range(len(items))] == model
    assert list(after) == [after[at] for at in range(len(after))] == model
    assert list(before) == [[item] for item in items]


def _drained(heap: Heap | None) -> list[int]:
    found = []
    while heap is not None:
        found.append(heap.first)
        heap = heap.rest
    return found
