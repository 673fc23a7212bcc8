# SPDX-License-Identifier: Apache-2.0
"""Tables and views as relations: every evolution of a schema, files unlike what was committed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mainstem.engines import register_all
from mainstem.engines.registration import table_select
from mainstem.errors import AssetNotFound, EngineUnavailable, SqlInvalid, StorageFailed
from mainstem.types import (
    AssetKey,
    Field,
    List,
    Map,
    Primitive,
    Schema,
    Struct,
    ViewRef,
)

LONG, INT, TEXT = Primitive("long"), Primitive("int"), Primitive("string")


def evolved(*fields, schema_id=2):
    return Schema(fields=tuple(fields), schema_id=schema_id)


def build(session, warehouse, sql):
    schema = warehouse.with_ids(session.describe(sql))
    return schema, session.write(sql, warehouse.target(schema))


def read(session, warehouse, table):
    session.register(table)
    return session.rows("select * from raw.t")


def test_a_table_without_files_is_empty_and_typed(session, warehouse):
    schema = warehouse.with_ids(session.describe("select 1 as a, {'b': [1.5::double]} as s"))
    session.register(warehouse.ref(schema, ()))

    assert session.rows("select * from raw.t") == []
    assert [str(field.type) for field in session.describe("select * from raw.t")] == [
        "int",
        "struct<b: list<double>>",
    ]


def test_files_of_the_current_schema_are_read_as_they_are(session, warehouse):
    schema, files = build(session, warehouse, "select 1 as a, 'x' as b")

    sql = table_select(warehouse.ref(schema, files))

    assert "schema=" not in sql
    assert "union" not in sql


def test_columns_come_in_the_order_of_the_table(session, warehouse):
    schema, files = build(session, warehouse, "select 1 as a, 'x' as b")
    a, b = schema.fields

    rows = read(session, warehouse, warehouse.ref(evolved(b, a), files, schemas=[schema]))

    assert rows == [("x", 1)]


def test_an_added_column_is_null_in_older_files(session, warehouse):
    schema, files = build(session, warehouse, "select 1 as a")
    new = evolved(*schema.fields, Field(name="b", type=TEXT, id=50))

    assert read(session, warehouse, warehouse.ref(new, files, schemas=[schema])) == [(1, None)]


def test_a_renamed_column_keeps_its_values(session, warehouse):
    schema, files = build(session, warehouse, "select 1 as a")
    new = evolved(replace(schema.fields[0], name="A"))

    session.register(warehouse.ref(new, files, schemas=[schema]))

    assert session.arrow("select * from raw.t").to_pylist() == [{"A": 1}]


def test_two_columns_that_swapped_names_keep_their_values(session, warehouse):
    schema, files = build(session, warehouse, "select 1 as a, 2 as b")
    a, b = schema.fields
    new = evolved(replace(a, name="b"), replace(b, name="a"))

    assert read(session, warehouse, warehouse.ref(new, files, schemas=[schema])) == [(1, 2)]


def test_a_dropped_column_added_again_has_no_old_values(session, warehouse):
    schema, files = build(session, warehouse, "select 1 as a, 2 as b")
    new = evolved(schema.fields[0], Field(name="b", type=INT, id=60))

    assert read(session, warehouse, warehouse.ref(new, files, schemas=[schema])) == [(1, None)]


@pytest.mark.parametrize(
    ("value", "wider", "expected"),
    [
        ("2147483647::int", "long", "2147483647"),
        ("-0.5::float", "double", "-0.5"),
        ("-1.25::decimal(9,2)", "decimal(38,2)", "-1.25"),
    ],
)
def test_a_promoted_column_reads_as_the_wider_type(session, warehouse, value, wider, expected):
    schema, files = build(session, warehouse, f"select {value} as a")
    new = evolved(replace(schema.fields[0], type=Primitive(wider)))

    session.register(warehouse.ref(new, files, schemas=[schema]))

    assert str(session.describe("select a from raw.t").field("a").type) == wider
    assert session.rows("select a::varchar from raw.t") == [(expected,)]


def test_filters_on_a_promoted_column_find_old_rows(session, warehouse):
    schema, files = build(session, warehouse, "select i::int as a from range(1000) t(i)")
    new = evolved(replace(schema.fields[0], type=LONG))
    session.register(warehouse.ref(new, files, schemas=[schema]))

    assert session.rows("select count(*) from raw.t where a >= 990 and a < 99999999999") == [(10,)]


NESTED = "select 1 as id, {'a': 1, 'b': 'x'} as s, [{'p': 1}] as l, map {'k': {'q': 1}} as m"


def nested_fields(schema):
    s, items, mapping = schema.field("s"), schema.field("l"), schema.field("m")
    return s, items, mapping


def test_nested_fields_are_added_dropped_renamed_and_promoted_by_id(session, warehouse):
    schema, files = build(session, warehouse, NESTED)
    s, items, mapping = nested_fields(schema)
    a, b = s.type.fields
    p = items.type.element.fields[0]
    q = mapping.type.value.fields[0]
    new = evolved(
        schema.field("id"),
        replace(
            s,
            type=Struct(
                fields=(
                    Field(name="new", type=TEXT, id=70),
                    replace(a, name="renamed", type=LONG),
                    Field(name="b", type=INT, id=71),
                )
            ),
        ),
        replace(items, type=replace(items.type, element=Struct(fields=(replace(p, name="pp"),)))),
        replace(
            mapping,
            type=replace(mapping.type, value=Struct(fields=(replace(q, type=LONG, name="qq"),))),
        ),
    )
    assert b.id != 71

    session.register(warehouse.ref(new, files, schemas=[schema]))

    assert session.rows("select * from raw.t") == [
        (1, {"new": None, "renamed": 1, "b": None}, [{"pp": 1}], {"k": {"qq": 1}})
    ]
    described = session.describe("select s from raw.t").field("s").type
    assert str(described) == "struct<new: string, renamed: long, b: int>"


def test_old_and_new_files_of_a_nested_evolution_read_together(session, warehouse):
    schema, old = build(session, warehouse, "select 1 as id, {'a': 1} as s")
    s = schema.field("s")
    inner = Struct(fields=(replace(s.type.fields[0], name="b"), Field(name="a", type=TEXT, id=80)))
    new = evolved(schema.field("id"), replace(s, type=inner))
    files = session.write("select 2 as id, {'b': 5, 'a': 'y'} as s", warehouse.target(new))

    session.register(warehouse.ref(new, [*old, *files], schemas=[schema]))

    assert session.rows("select id, s.b, s.a from raw.t order by id") == [(1, 1, None), (2, 5, "y")]


def test_null_structs_lists_and_maps_stay_null_through_a_projection(session, warehouse):
    sql = f"{NESTED} union all select 2, null, null, null"
    schema, files = build(session, warehouse, sql)
    s, items, mapping = nested_fields(schema)
    rename = {"a": "aa", "p": "pp", "q": "qq"}

    def renamed(struct):
        return Struct(
            fields=tuple(replace(f, name=rename.get(f.name, f.name)) for f in struct.fields)
        )

    new = evolved(
        schema.field("id"),
        replace(s, type=renamed(s.type)),
        replace(items, type=replace(items.type, element=renamed(items.type.element))),
        replace(mapping, type=replace(mapping.type, value=renamed(mapping.type.value))),
    )

    session.register(warehouse.ref(new, files, schemas=[schema]))

    assert session.rows("select * from raw.t where id = 2") == [(2, None, None, None)]


def test_nested_lists_evolve_at_every_depth(session, warehouse):
    schema, files = build(session, warehouse, "select [[{'a': [{'b': 1}]}]] as l")
    outer = schema.field("l").type
    a = outer.element.element.fields[0]
    b = a.type.element.fields[0]
    item = Struct(fields=(replace(b, name="bb", type=LONG), Field(name="c", type=TEXT, id=90)))
    changed = replace(a, name="aa", type=List(element=item, element_id=a.type.element_id))
    element = replace(outer.element, element=Struct(fields=(changed,)))
    new = evolved(replace(schema.field("l"), type=replace(outer, element=element)))

    session.register(warehouse.ref(new, files, schemas=[schema]))

    assert session.rows("select l from raw.t") == [([[{"aa": [{"bb": 1, "c": None}]}]],)]


def test_a_promoted_map_key_is_read(session, warehouse):
    schema, files = build(session, warehouse, "select map {1: 'x'} as m")
    of = schema.field("m").type
    new = evolved(
        replace(
            schema.field("m"),
            type=Map(key=LONG, value=TEXT, key_id=of.key_id, value_id=of.value_id),
        )
    )

    session.register(warehouse.ref(new, files, schemas=[schema]))

    assert session.rows("select m from raw.t") == [({1: "x"},)]


def test_folders_that_look_like_globs_or_hive_partitions_mean_nothing(session, warehouse, tmp_path):
    warehouse.folder = tmp_path / "we[i]rd *? x=1 'q'"
    schema, files = build(session, warehouse, "select 1 as a")

    assert read(session, warehouse, warehouse.ref(schema, files)) == [(1,)]
    assert session.describe("select * from raw.t").names == ("a",)


def test_a_missing_file_is_named_with_its_table(session, warehouse):
    schema, files = build(session, warehouse, "select 1 as a")
    (warehouse.folder / files[0].path).unlink()

    with pytest.raises(StorageFailed) as caught:
        session.register(warehouse.ref(schema, files))

    assert caught.value.code == "A5510"
    assert "raw.t" in caught.value.summary
    assert files[0].path in caught.value.summary


def test_a_truncated_file_is_named_with_its_table(session, warehouse):
    schema, files = build(session, warehouse, "select 1 as a")
    path = warehouse.folder / files[0].path
    path.write_bytes(path.read_bytes()[:-10])

    with pytest.raises(StorageFailed) as caught:
        session.register(warehouse.ref(schema, files))

    assert caught.value.code == "A5511"
    assert "raw.t" in caught.value.summary


@pytest.mark.parametrize("damage", ["middle", "footer"])
def test_a_damaged_file_is_named_with_its_table(session, warehouse, damage):
    sql = "select hash(i) as a from range(50000) t(i)"
    schema, files = build(session, warehouse, sql)
    path = warehouse.folder / files[0].path
    content = bytearray(path.read_bytes())
    place = slice(1000, 100_000) if damage == "middle" else slice(-300, None)
    content[place] = b"\x55" * len(content[place])
    path.write_bytes(content)

    with pytest.raises(StorageFailed) as caught:
        read(session, warehouse, warehouse.ref(schema, files))

    assert caught.value.code == "A5511"
    assert "raw.t" in caught.value.summary


def test_a_file_that_vanishes_while_it_is_read_is_named_with_its_table(session, warehouse):
    schema, files = build(session, warehouse, "select 1 as a")
    session.register(warehouse.ref(schema, files))
    (warehouse.folder / files[0].path).unlink()

    with pytest.raises(StorageFailed) as caught:
        session.rows("select * from raw.t")

    assert "raw.t" in caught.value.summary


def test_a_warehouse_that_is_no_folder_is_refused(session, warehouse):
    schema, files = build(session, warehouse, "select 1 as a")

    with pytest.raises(EngineUnavailable) as caught:
        session.register(replace(warehouse.ref(schema, files), warehouse="s3://lake"))

    assert caught.value.code == "A7532"


def view(sql, *fields, key="staging.v", inputs=()):
    return ViewRef(
        key=AssetKey.parse(key),
        sql=sql,
        schema=Schema(fields=tuple(Field(name=n, type=Primitive(t)) for n, t in fields)),
        inputs=tuple(AssetKey.parse(each) for each in inputs),
    )


def test_a_view_gives_the_types_that_it_promises(session):
    session.register(view("select sum(i) as total from range(4) t(i)", ("total", "long")))

    assert session.rows("select total, typeof(total) from staging.v") == [(6, "BIGINT")]


def test_a_view_of_all_columns_gains_and_loses_those_of_what_it_reads(session, warehouse):
    warehouse.build(session, "select 'a' as id, 2 as gained")
    session.register(view("select * from raw.t", ("id", "long"), ("lost", "int")))

    assert session.rows("select * from staging.v") == [("a", 2)]
    assert session.describe("select * from staging.v").names == ("id", "gained")


def test_views_are_registered_after_what_they_read(session, warehouse):
    table = warehouse.build(session, "select 1 as a")
    relations = {
        AssetKey.parse("raw.t"): table,
        AssetKey.parse("a.v"): view(
            "select a + 1 as a from raw.t", ("a", "int"), key="a.v", inputs=["raw.t"]
        ),
        AssetKey.parse("b.v"): view(
            "select a + 1 as a from a.v", ("a", "int"), key="b.v", inputs=["a.v", "raw.t"]
        ),
    }

    register_all(session, [AssetKey.parse("b.v")], relations.__getitem__)

    assert session.rows("select a from b.v") == [(3,)]


def test_a_view_that_no_longer_fits_says_so(session, warehouse):
    warehouse.build(session, "select 1 as a")

    with pytest.raises(SqlInvalid) as caught:
        session.register(view("select b from raw.t", ("b", "int")))

    assert caught.value.code == "A7503"
    assert "staging.v" in caught.value.summary


def test_an_input_that_was_never_built_is_the_callers_error(session):
    def relation(key):
        raise AssetNotFound("A5001", f"{key} was never built.")

    with pytest.raises(AssetNotFound):
        register_all(session, [AssetKey.parse("raw.t")], relation)


@pytest.mark.parametrize("namespace", ["memory", "main", "MAINSTEM_1", "a.b", 'we"ird', "Äß"])
def test_namespaces_are_taken_as_they_are(session, warehouse, namespace):
    key = AssetKey(namespace, "select")
    schema, files = build(session, warehouse, "select 1 as a")
    session.register(replace(warehouse.ref(schema, files), key=key))

    quoted = namespace.replace('"', '""')
    assert session.rows(f'select a from "{quoted}"."select"') == [(1,)]


@pytest.mark.parametrize("namespace", ["system", "temp", "pg_catalog", "Information_Schema"])
def test_namespaces_that_duckdb_keeps_are_refused(session, warehouse, namespace):
    schema, files = build(session, warehouse, "select 1 as a")

    with pytest.raises(SqlInvalid) as caught:
        session.register(replace(warehouse.ref(schema, files), key=AssetKey(namespace, "t")))

    assert caught.value.code == "A7507"


def test_a_relation_may_get_another_name(session, warehouse):
    schema, files = build(session, warehouse, "select 1 as a")
    table = warehouse.ref(schema, files)

    session.register(table, name="flights")
    session.register(table, name="here.flights")

    assert session.rows("select f.a + g.a from flights as f, here.flights as g") == [(2,)]


def test_registering_reads_no_rows(session, warehouse):
    schema, files = build(session, warehouse, "select 1 as a")
    path = Path(warehouse.folder / files[0].path)
    content = path.read_bytes()
    path.write_bytes(b"PAR1" + b"\x00" * 20 + content[24:])

    session.register(warehouse.ref(schema, files))

    assert session.describe("select * from raw.t").names == ("a",)
