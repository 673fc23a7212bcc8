# SPDX-License-Identifier: Apache-2.0
"""The trie: a dictionary whose root hash depends on its contents alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstem.database import open_database
from mainstem.lake.catalog import Caches, Catalog, open_catalog
from mainstem.lake.objects import hash_of
from mainstem.lake.trie import EMPTY_ROOT
from mainstem.lake.versions import MIGRATIONS

_KEYS = st.integers(0, 150).map(lambda number: f"t:ns.table_{number}")
_VALUES = st.integers(0, 5).map(lambda number: hash_of(str(number).encode()))
_CHANGES = st.dictionaries(_KEYS, st.none() | _VALUES, max_size=60)
_SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class _Still:
    def now(self):
        return datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def catalog(tmp_path) -> Iterator[Catalog]:
    database = open_database(str(tmp_path / "t.db"))
    database.migrate(MIGRATIONS)
    with database.write() as transaction:
        yield open_catalog(transaction, caches=Caches(), warehouse="/w", clock=_Still())
    database.close()


def _applied(contents, changes):
    merged = {**contents, **changes}
    return {key: value for key, value in merged.items() if value is not None}


@_SETTINGS
@given(history=st.lists(_CHANGES, max_size=8))
def test_equal_contents_have_equal_roots_whatever_the_history(catalog, history):
    root, contents = EMPTY_ROOT, {}
    for changes in history:
        root = catalog.tries.update(root, changes)
        contents = _applied(contents, changes)

    assert root == catalog.tries.update(EMPTY_ROOT, contents)
    assert catalog.tries.items(root) == contents


@_SETTINGS
@given(before=_CHANGES, after=_CHANGES)
def test_a_difference_is_what_differs(catalog, before, after):
    contents, root = _applied({}, before), catalog.tries.update(EMPTY_ROOT, before)
    changed, new_root = _applied(contents, after), catalog.tries.update(root, after)

    assert catalog.tries.diff(root, new_root) == {
        key: (contents.get(key), changed.get(key))
        for key in contents.keys() | changed.keys()
        if contents.get(key) != changed.get(key)
    }


@_SETTINGS
@given(changes=_CHANGES, key=_KEYS)
def test_a_look_up_finds_what_was_set(catalog, changes, key):
    root = catalog.tries.update(EMPTY_ROOT, changes)

    assert catalog.tries.find(root, key) == changes.get(key)


def test_removing_everything_gives_the_empty_root_again(catalog):
    entries = {f"t:a.t{number}": hash_of(b"x") for number in range(2000)}
    root = catalog.tries.update(EMPTY_ROOT, entries)

    assert root != EMPTY_ROOT
    assert catalog.tries.update(root, dict.fromkeys(entries)) == EMPTY_ROOT


def test_a_change_among_many_writes_a_handful_of_nodes(catalog):
    entries = {f"t:a.t{number}": hash_of(b"x") for number in range(10_000)}
    root = catalog.tries.update(EMPTY_ROOT, entries)
    count = "select count(*) from lake_object"
    before = catalog.transaction.execute(count)[0][0]
    catalog.tries.update(root, {"t:a.t77": hash_of(b"y")})

    assert catalog.transaction.execute(count)[0][0] - before <= 4
