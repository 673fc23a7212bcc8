# SPDX-License-Identifier: Apache-2.0
"""Random histories of a table's schema, nested fields included, against a plain-Python model.

The model keeps values by field id; a row reads as the current schema names its ids.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstem.engines import literal, quote, type_sql
from mainstem.types import Field, List, Map, Primitive, Schema, Struct

PRIMITIVES = {
    "int": st.integers(-5, 5),
    "long": st.integers(-(2**40), 2**40),
    "float": st.sampled_from([0.5, -1.25]),
    "double": st.sampled_from([0.5, 1e300]),
    "string": st.sampled_from(["", "a", "it's", "ä"]),
}
WIDER = {"int": "long", "float": "double"}
NAMES = ["a", "b", "A b", 'c"d', "select"]


@dataclass
class Model:
    """The table as plain Python: schemas, and rows by field id."""

    ids: itertools.count = field(default_factory=lambda: itertools.count(1))
    schema: Schema = field(default_factory=lambda: Schema(fields=()))
    schemas: list = field(default_factory=list)
    rows: list = field(default_factory=list)
    files: list = field(default_factory=list)

    def draw_type(self, draw, depth):
        kind = draw(st.sampled_from([*PRIMITIVES, *(["struct", "list", "map"] if depth else [])]))
        if kind == "struct":
            names = draw(st.lists(st.sampled_from(NAMES[:3]), min_size=1, max_size=2, unique=True))
            return Struct(fields=tuple(self.draw_field(draw, name, depth - 1) for name in names))
        if kind == "list":
            return List(element=self.draw_type(draw, depth - 1), element_id=next(self.ids))
        if kind == "map":
            return Map(
                key=Primitive("string"),
                value=self.draw_type(draw, depth - 1),
                key_id=next(self.ids),
                value_id=next(self.ids),
            )
        return Primitive(kind)

    def draw_field(self, draw, name, depth):
        return Field(name=name, id=next(self.ids), type=self.draw_type(draw, depth))

    def evolve(self, draw):
        fields = self._evolved(draw, self.schema.fields)
        self.schema = Schema(fields=fields, schema_id=len(self.schemas) + 1)
        self.schemas.append(self.schema)

    def _evolved(self, draw, fields):
        change = draw(st.sampled_from(["add", "drop", "rename", "move", "inner", "inner"]))
        index = draw(st.integers(0, len(fields) - 1)) if fields else 0
        free = [
            name for name in NAMES if name.casefold() not in {f.name.casefold() for f in fields}
        ]
        if change == "add" and free:
            added = self.draw_field(draw, draw(st.sampled_from(free)), 2)
            return (*fields[:index], added, *fields[index:])
        if change == "drop" and len(fields) > 1:
            return (*fields[:index], *fields[index + 1 :])
        if change == "rename" and free and fields:
            renamed = replace(fields[index], name=draw(st.sampled_from(free)))
            return (*fields[:index], renamed, *fields[index + 1 :])
        if change == "move":
            return tuple(reversed(fields))
        if change == "inner" and fields:
            inner = replace(fields[index], type=self._inner(draw, fields[index].type))
            return (*fields[:index], inner, *fields[index + 1 :])
        return fields

    def _inner(self, draw, of):
        match of:
            case Primitive(name):
                return Primitive(WIDER.get(name, name))
            case Struct(fields=fields):
                return Struct(fields=self._evolved(draw, fields))
            case List():
                return replace(of, element=self._inner(draw, of.element))
            case Map():
                return replace(of, value=self._inner(draw, of.value))

    def draw_value(self, draw, of):
        """Draw a value, fields of structs by id."""
        if draw(st.integers(0, 4)) == 0:
            return None
        match of:
            case Primitive(name):
                return draw(PRIMITIVES[name])
            case Struct(fields=fields):
                return {each.id: self.draw_value(draw, each.type) for each in fields}
            case List():
                return [self.draw_value(draw, of.element) for _ in range(draw(st.integers(0, 2)))]
            case Map():
                keys = draw(st.lists(st.sampled_from("xyz"), max_size=2, unique=True))
                return {key: self.draw_value(draw, of.value) for key in keys}


def sql_of(value, of):
    if value is None:
        return f"cast(null as {type_sql(of)})"
    match of:
        case Struct(fields=fields):
            members = (f"{quote(f.name)} := {sql_of(value[f.id], f.type)}" for f in fields)
            text = f"struct_pack({', '.join(members)})"
        case List():
            text = f"[{', '.join(sql_of(each, of.element) for each in value)}]"
        case Map():
            values = ", ".join(sql_of(each, of.value) for each in value.values())
            text = f"map([{', '.join(map(literal, value))}], [{values}])"
        case _:
            text = literal(value)
    return f"cast({text} as {type_sql(of)})"


def read_as(value, of):
    if value is None:
        return None
    match of:
        case Struct(fields=fields):
            return {each.name: read_as(value.get(each.id), each.type) for each in fields}
        case List():
            return [read_as(each, of.element) for each in value]
        case Map():
            return {key: read_as(each, of.value) for key, each in value.items()}
        case _:
            return value


@settings(
    max_examples=settings().max_examples // 2,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_rows_of_every_age_read_as_the_current_schema_says(engine, warehouse, data):
    model = Model()
    model.schema = Schema(fields=(model.draw_field(data.draw, "a", 3),), schema_id=1)
    model.schemas.append(model.schema)
    with engine.session() as session:
        for _ in range(data.draw(st.integers(1, 4))):
            row = {each.id: model.draw_value(data.draw, each.type) for each in model.schema}
            columns = (f"{sql_of(row[f.id], f.type)} as {quote(f.name)}" for f in model.schema)
            target = warehouse.target(model.schema)
            model.files += session.write(f"select {', '.join(columns)}", target)
            model.rows.append(row)
            for _ in range(data.draw(st.integers(0, 3))):
                model.evolve(data.draw)

        table = warehouse.ref(model.schema, model.files, schemas=model.schemas)
        session.register(table)
        found = session.rows("select * from raw.t")
        described = session.describe("select * from raw.t")

    expected = [
        tuple(read_as(row.get(each.id), each.type) for each in model.schema) for row in model.rows
    ]
    # Files are grouped by schema, so rows come in another order; `repr` because dicts do not sort.
    assert sorted(map(repr, found)) == sorted(map(repr, expected))
    assert [str(each.type) for each in described] == [str(each.type) for each in model.schema]
