# SPDX-License-Identifier: Apache-2.0
"""Single edits of a schema, and what they refuse."""

import pyarrow as pa
import pytest

from mainstem.errors import SchemaDrifted
from mainstem.lake import schema_edit as edit
from mainstem.lake.arrow_types import schema_of_arrow
from mainstem.lake.evolution import assign_ids
from mainstem.lake.layout import assign_spec
from mainstem.testing.tables import CountingAllocator
from mainstem.types import Field, LayoutColumn, Primitive, Schema

LONG = Primitive("long")


@pytest.fixture
def allocator():
    return CountingAllocator()


@pytest.fixture
def schema(allocator):
    address = pa.struct([("city", pa.string()), ("zip", pa.int32())])
    arrow = pa.schema(
        [
            ("id", pa.int64()),
            ("address", address),
            ("items", pa.list_(pa.struct([("price", pa.float32())]))),
            ("scores", pa.map_(pa.string(), pa.struct([("mean", pa.float64())]))),
            ("a.b", pa.int32()),
        ]
    )
    return assign_ids(schema_of_arrow(arrow), None, allocator, replaces=True)


def at(schema, *path):
    field = schema.field(path[0])
    of = field.type
    for name in path[1:]:
        if name == "element":
            of = of.element
        elif name == "value":
            of = of.value
        else:
            field = next(own for own in of.fields if own.name == name)
            of = field.type
    return field


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("id", ("id",)),
        ("address.city", ("address", "city")),
        ("items.element.price", ("items", "element", "price")),
        ("scores.value.mean", ("scores", "value", "mean")),
        ("a.b", ("a.b",)),
        (("a.b",), ("a.b",)),
        ("ADDRESS.City", ("address", "city")),
    ],
)
def test_a_rename_keeps_the_id_at_any_depth(schema, allocator, path, where):
    before = at(schema, *where)

    renamed = edit.rename_column(schema, path, "other", allocator)

    after = at(renamed, *where[:-1], "other")
    assert (after.id, after.type) == (before.id, before.type)
    assert renamed.schema_id != schema.schema_id


def test_a_rename_may_change_the_case_alone(schema, allocator):
    assert edit.rename_column(schema, "id", "ID", allocator).names[0] == "ID"


def test_a_promotion_at_depth_keeps_everything_else(schema, allocator):
    promoted = edit.promote_column(schema, "items.element.price", Primitive("double"), allocator)

    assert str(at(promoted, "items", "element", "price").type) == "double"
    assert promoted.field("address") == schema.field("address")


def test_an_added_field_is_optional_and_new(schema, allocator):
    field = Field(name="street", type=Primitive("string"), required=True)

    added = at(edit.add_column(schema, field, allocator, into="address"), "address", "street")

    assert not added.required
    assert added.id > max(own.id for own in schema.fields)


def test_reordering_puts_the_named_first(schema, allocator):
    moved = edit.reorder_columns(schema, ["scores", "id"], allocator)
    inner = edit.reorder_columns(schema, ["zip"], allocator, into="address")

    assert moved.names == ("scores", "id", "address", "items", "a.b")
    assert [field.name for field in inner.field("address").type.fields] == ["zip", "city"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda s, a: edit.rename_column(s, "ix", "x", a), "A5508"),
        (lambda s, a: edit.rename_column(s, "address.town", "x", a), "A5508"),
        (lambda s, a: edit.rename_column(s, "id.x", "y", a), "A5508"),
        (lambda s, a: edit.rename_column(s, "items.price", "y", a), "A5508"),
        (lambda s, a: edit.rename_column(s, "scores.key.x", "y", a), "A5508"),
        (lambda s, a: edit.rename_column(s, "id", "ITEMS", a), "A5501"),
        (lambda s, a: edit.add_column(s, Field(name="Id", type=LONG), a), "A5501"),
        (lambda s, a: edit.promote_column(s, "id", Primitive("int"), a), "A5502"),
        (lambda s, a: edit.promote_column(s, "address", LONG, a), "A5502"),
        (lambda s, a: edit.drop_column(s, "items.element.price", a), "A5509"),
        (lambda s, a: edit.drop_column(s, "id", a, row_key=["ID"]), "A5509"),
        (lambda s, a: edit.reorder_columns(s, ["id", "ID"], a), "A5501"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(schema, allocator, change, code):
    with pytest.raises(SchemaDrifted) as caught:
        change(schema, allocator)

    assert caught.value.code == code
    assert caught.value.hint or caught.value.known


def test_a_column_that_files_are_laid_out_by_cannot_be_dropped(schema, allocator):
    spec = assign_spec([LayoutColumn(column="id")], schema, allocator)

    with pytest.raises(SchemaDrifted, match="laid out"):
        edit.drop_column(schema, "id", allocator, spec=spec)


def test_a_nested_field_named_like_a_layout_column_can_be_dropped(schema, allocator):
    spec = assign_spec([LayoutColumn(column="id")], schema, allocator)

    dropped = edit.drop_column(schema, "address.zip", allocator, spec=spec, row_key=["zip"])

    assert [field.name for field in dropped.field("address").type.fields] == ["city"]


def test_a_column_may_become_optional(allocator):
    field = Field(name="a", type=LONG, required=True)
    schema = assign_ids(Schema(fields=(field,)), None, allocator, replaces=True)

    assert not edit.relax_column(schema, "a", allocator).fields[0].required
