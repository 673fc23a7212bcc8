# SPDX-License-Identifier: Apache-2.0
"""What loading a project does to the collector of cycles of the process that asked for it."""

import gc

import pytest

from mainstem.project.garbage import seldom_collecting


@pytest.fixture(autouse=True)
def _as_python_starts():
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_the_collector_is_asked_less_often_for_a_while():
    with seldom_collecting():
        assert gc.get_threshold()[0] > 100_000
    assert gc.get_threshold() == (700, 10, 10)


def test_what_was_loaded_counts_as_old_at_once():
    with seldom_collecting():
        loaded = [[] for _ in range(10)]

    old = {id(each) for each in gc.get_objects(generation=2)}
    assert {id(each) for each in loaded} <= old
    assert gc.get_freeze_count() == 0


def test_a_collector_that_its_process_set_stays_as_it_is():
    gc.set_threshold(400_000, 5, 5)
    with seldom_collecting(), seldom_collecting():
        young = []

    assert gc.get_threshold() == (400_000, 5, 5)
    assert any(each is young for each in gc.get_objects(generation=0))


def test_what_its_process_froze_stays_frozen():
    gc.freeze()
    count = gc.get_freeze_count()
    with seldom_collecting():
        pass

    assert gc.get_freeze_count() >= count
