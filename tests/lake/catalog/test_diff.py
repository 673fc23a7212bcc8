# SPDX-License-Identifier: Apache-2.0
"""Differences of commits: tables, schemas, counts, files."""

from __future__ import annotations

import pytest

from mainstem.lake import LinkWrite
from mainstem.lake.diff import schema_changes
from mainstem.types import AssetKey, Field, List, Primitive, Schema, Struct

KEY = AssetKey.parse("raw.flights")
LONG, TEXT = Primitive("long"), Primitive("string")


@pytest.fixture
def database_url(tmp_path):
    """One adapter is enough: nothing here depends on where the catalog is."""
    return f"sqlite:///{tmp_path / 'lake.db'}"


def test_tables_that_came_went_and_changed_are_told_apart(lake, author):
    author.write("raw.went")
    author.write("raw.flights")
    author.write("raw.same")
    lake.tag("v1")
    author.drop("raw.went")
    author.write("raw.flights", rows=5)
    author.write("raw.came")
    found = lake.diff("v1", "main")

    assert [str(entry.key) for entry in found.added] == ["raw.came"]
    assert [str(entry.key) for entry in found.removed] == ["raw.went"]
    (changed,) = found.changed
    assert (changed.key, changed.rows_before, changed.rows_after) == (KEY, 10, 15)
    assert (len(changed.files_added), len(changed.files_removed)) == (1, 0)


def test_only_the_keys_that_were_asked_for_are_compared(lake, author):
    lake.tag("v1")
    author.write("raw.a")
    author.write("raw.b")
    found = lake.diff("v1", "main", keys=[AssetKey.parse("raw.b")])

    assert [str(entry.key) for entry in found.added] == ["raw.b"]


def test_an_overwrite_replaces_all_files(lake, author):
    author.write("raw.flights", files=3)
    author.write("raw.flights", "overwrite", files=2)
    (changed,) = lake.diff("main~1", "main").changed

    assert (len(changed.files_added), len(changed.files_removed)) == (2, 3)


def test_a_linked_version_is_said_to_be_the_same_data(lake, author):
    author.write("raw.flights")
    entry = lake.entry(KEY)
    link = LinkWrite(key=KEY, content=entry.content, provenance=entry.provenance)
    lake.commit("main", [link], message="link")
    (changed,) = lake.diff("main~1", "main").changed

    assert (changed.is_same_data, changed.files_added) == (True, ())


def test_columns_are_compared_by_id():
    before = Schema(
        fields=(
            Field(name="a", type=LONG, id=1),
            Field(name="b", type=Primitive("int"), id=2),
            Field(name="c", type=TEXT, id=3, required=True),
            Field(name="s", type=Struct(fields=(Field(name="x", type=TEXT, id=5),)), id=4),
            Field(name="l", type=List(element=Primitive("int"), element_id=7), id=6),
        )
    )
    after = Schema(
        fields=(
            Field(name="bb", type=LONG, id=2),
            Field(name="c", type=TEXT, id=3),
            Field(name="s", type=Struct(fields=(Field(name="y", type=TEXT, id=8),)), id=4),
            Field(name="l", type=List(element=LONG, element_id=7), id=6),
            Field(name="a", type=LONG, id=9),
        )
    )

    assert [(change.change, change.column) for change in schema_changes(before, after)] == [
        ("dropped", "a"),
        ("renamed", "bb"),
        ("retyped", "bb"),
        ("optional", "c"),
        ("dropped", "s.x"),
        ("added", "s.y"),
        ("retyped", "l.element"),
        ("added", "a"),
    ]


def test_a_column_that_moved_is_one_change():
    a, b = Field(name="a", type=LONG, id=1), Field(name="b", type=LONG, id=2)
    changes = list(schema_changes(Schema(fields=(a, b)), Schema(fields=(b, a))))

    assert [change.change for change in changes] == ["moved"]
