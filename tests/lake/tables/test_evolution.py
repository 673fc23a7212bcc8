# SPDX-License-Identifier: Apache-2.0
"""What a table's schema may become, and which ids its columns have."""

import pyarrow as pa
import pytest

from mainstem.errors import SchemaDrifted
from mainstem.lake.arrow_types import schema_of_arrow
from mainstem.lake.evolution import assign_ids, fits, is_promotion
from mainstem.lake.schema_edit import rename_column
from mainstem.testing.tables import CountingAllocator
from mainstem.types import Field, Primitive, Schema, Struct

NUMBER, TEXT = pa.int64(), pa.string()


@pytest.fixture
def allocator():
    return CountingAllocator()


def columns(**types):
    return schema_of_arrow(pa.schema(list(types.items())))


def new(allocator, **types):
    return assign_ids(columns(**types), None, allocator, replaces=True)


def ids(schema):
    return {field.name: field.id for field in schema.fields}


def types(schema):
    return {field.name: str(field.type) for field in schema.fields}


def test_a_write_with_the_tables_columns_gets_the_tables_schema_itself(allocator):
    table = new(allocator, a=NUMBER, b=TEXT)

    assert assign_ids(columns(b=TEXT, a=NUMBER), table, allocator, replaces=False) is table


def test_an_append_may_bring_columns_and_lack_columns(allocator):
    table = new(allocator, a=NUMBER, b=TEXT)

    evolved = assign_ids(columns(c=TEXT, a=NUMBER), table, allocator, replaces=False)

    assert ids(evolved) == {"a": 1, "b": 2, "c": 3}
    assert evolved.schema_id != table.schema_id


def test_a_replacing_write_drops_what_it_lacks_and_gives_its_own_order(allocator):
    table = new(allocator, a=NUMBER, b=TEXT)

    replaced = assign_ids(columns(c=TEXT, a=NUMBER), table, allocator, replaces=True)

    assert ids(replaced) == {"c": 3, "a": 1}


def test_a_column_added_again_after_a_drop_is_another_column(allocator):
    table = new(allocator, a=NUMBER, b=TEXT)

    again = assign_ids(
        columns(a=NUMBER, b=TEXT),
        Schema(fields=table.fields[:1]),
        allocator,
        replaces=False,
        dropped=[2],
    )

    assert ids(again) == {"a": 1, "b": 3}


def test_the_same_column_added_on_two_branches_is_one_column(allocator):
    table = new(allocator, a=NUMBER)

    ours = assign_ids(columns(a=NUMBER, X=TEXT), table, allocator, replaces=False)
    theirs = assign_ids(columns(a=NUMBER, x=TEXT), table, allocator, replaces=False)
    other = assign_ids(columns(a=NUMBER, x=NUMBER), table, allocator, replaces=False)

    assert ours.fields[1].id == theirs.fields[1].id != other.fields[1].id


def test_a_column_named_like_one_that_was_renamed_is_another_column(allocator):
    table = new(allocator, a=NUMBER, b=TEXT)
    renamed = rename_column(table, "b", "c", allocator)

    again = assign_ids(columns(a=NUMBER, b=TEXT), renamed, allocator, replaces=False)

    assert ids(again) == {"a": 1, "c": 2, "b": 3}


def test_types_are_promoted_when_the_rows_are_wider_and_kept_when_they_are_narrower(allocator):
    table = new(allocator, a=pa.int32(), b=pa.int64(), c=pa.decimal128(5, 2), d=pa.float64())

    evolved = assign_ids(
        columns(a=pa.int64(), b=pa.int16(), c=pa.decimal128(9, 2), d=pa.int32()),
        table,
        allocator,
        replaces=False,
    )

    assert types(evolved) == {"a": "long", "b": "long", "c": "decimal(9,2)", "d": "double"}
    assert ids(evolved) == ids(table)


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        (pa.int64(), pa.string()),
        (pa.int64(), pa.float64()),
        (pa.string(), pa.int64()),
        (pa.timestamp("us"), pa.timestamp("us", tz="UTC")),
        (pa.decimal128(5, 2), pa.decimal128(9, 3)),
        (pa.date32(), pa.timestamp("us")),
        (pa.list_(pa.int64()), pa.list_(pa.string())),
        (pa.list_(pa.int64()), pa.int64()),
        (pa.struct([("x", pa.int64())]), pa.struct([("x", pa.string())])),
    ],
)
def test_a_type_that_is_no_promotion_is_refused_naming_both(allocator, table, rows):
    current = new(allocator, v=table)

    with pytest.raises(SchemaDrifted) as caught:
        assign_ids(columns(v=rows), current, allocator, replaces=False)

    assert caught.value.code == "A5502"
    assert "column `v" in caught.value.summary
    assert caught.value.hint


def test_all_refused_columns_are_named_at_once(allocator):
    current = new(allocator, a=NUMBER, b=NUMBER, c=NUMBER)

    with pytest.raises(SchemaDrifted) as caught:
        assign_ids(columns(a=TEXT, b=NUMBER, c=TEXT), current, allocator, replaces=False)

    assert "`a`" in caught.value.summary
    assert "`c`" in caught.value.summary
    assert "`b`" not in caught.value.summary


def test_a_replacing_write_of_another_type_makes_another_column(allocator):
    table = new(allocator, a=NUMBER, s=pa.struct([("x", NUMBER), ("y", NUMBER)]))

    replaced = assign_ids(
        columns(a=TEXT, s=pa.struct([("x", TEXT), ("y", NUMBER)])), table, allocator, replaces=True
    )

    old, fresh = table.field("s"), replaced.field("s")
    assert replaced.field("a").id not in ids(table).values()
    assert fresh.id == old.id
    assert fresh.type.fields[1] == old.type.fields[1]
    assert fresh.type.fields[0].id != old.type.fields[0].id


def test_nested_fields_evolve_as_columns_do(allocator):
    table = new(allocator, s=pa.list_(pa.struct([("x", pa.int32())])))

    evolved = assign_ids(
        columns(s=pa.list_(pa.struct([("y", TEXT), ("X", pa.int64())]))),
        table,
        allocator,
        replaces=False,
    )

    before, after = table.fields[0].type.element, evolved.fields[0].type.element
    assert [(own.name, str(own.type)) for own in after.fields] == [("x", "long"), ("y", "string")]
    assert after.fields[0].id == before.fields[0].id


def test_the_struct_of_a_map_key_may_not_gain_fields(allocator):
    table = new(allocator, m=pa.map_(pa.struct([("x", NUMBER)]), TEXT))

    with pytest.raises(SchemaDrifted) as caught:
        assign_ids(
            columns(m=pa.map_(pa.struct([("x", NUMBER), ("y", NUMBER)]), TEXT)),
            table,
            allocator,
            replaces=False,
        )

    assert "m.key" in caught.value.summary


@pytest.mark.parametrize(
    "fields",
    [
        (Field(name="A", type=Primitive("int")), Field(name="a", type=Primitive("int"))),
        (
            Field(
                name="s",
                type=Struct(
                    fields=(
                        Field(name="x", type=Primitive("int")),
                        Field(name="X", type=Primitive("int")),
                    )
                ),
            ),
        ),
    ],
)
def test_names_that_differ_only_in_case_are_refused(allocator, fields):
    with pytest.raises(SchemaDrifted) as caught:
        assign_ids(Schema(fields=fields), None, allocator, replaces=True)

    assert caught.value.code == "A5501"


def test_required_may_become_optional_and_not_the_other_way_round(allocator):
    required = Field(name="a", type=Primitive("int"), required=True)
    optional = Field(name="a", type=Primitive("int"))
    table = assign_ids(Schema(fields=(required,)), None, allocator, replaces=True)

    relaxed = assign_ids(Schema(fields=(optional,)), table, allocator, replaces=False)
    again = assign_ids(Schema(fields=(required,)), relaxed, allocator, replaces=False)

    assert table.fields[0].required
    assert not relaxed.fields[0].required
    assert again == relaxed


def test_a_new_column_of_an_existing_table_is_optional(allocator):
    table = new(allocator, a=NUMBER)
    added = Field(name="b", type=Primitive("int"), required=True)

    evolved = assign_ids(Schema(fields=(added,)), table, allocator, replaces=False)

    assert not evolved.field("b").required


@pytest.mark.parametrize(
    ("value", "column", "expected"),
    [
        ("int", "long", True),
        ("int", "double", True),
        ("long", "double", False),
        ("int", "decimal(10,0)", True),
        ("int", "decimal(11,2)", False),
        ("long", "decimal(38,2)", True),
        ("decimal(5,2)", "decimal(7,4)", True),
        ("decimal(5,2)", "decimal(6,4)", False),
        ("string", "decimal(38,0)", False),
    ],
)
def test_values_fit_a_column_only_without_loss(value, column, expected):
    assert fits(Primitive(value), Primitive(column)) is expected


def test_only_icebergs_promotions_are_promotions():
    names = ["int", "long", "float", "double", "decimal(5,2)", "decimal(6,2)", "decimal(6,3)"]
    names += ["date", "timestamp", "string", "binary", "uuid", "boolean", "fixed[4]"]

    found = {(a, b) for a in names for b in names if is_promotion(Primitive(a), Primitive(b))}

    assert found == {("int", "long"), ("float", "double"), ("decimal(5,2)", "decimal(6,2)")}
