# SPDX-License-Identifier: Apache-2.0
"""Random histories of one table beside a model of plain Python: what its rows must be.

The model knows nothing of ids, files or Arrow: columns are objects, rows are dicts by column
object, and a write, an edit of the schema or a replaced partition is done to them as the owner of
the table would think of it.
"""

from __future__ import annotations

import itertools
import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from mainstem.lake.arrow_types import schema_of_arrow
from mainstem.lake.schema_edit import (
    add_column,
    drop_column,
    promote_column,
    rename_column,
    reorder_columns,
)
from mainstem.testing.tables import TableLab
from mainstem.types import Field, LayoutColumn, Primitive

ARROW = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "string": pa.string(),
    "uuid": pa.uuid(),
    "binary": pa.binary(),
    "fixed[4]": pa.binary(4),
    "decimal(6,2)": pa.decimal128(6, 2),
    "decimal(12,2)": pa.decimal128(12, 2),
    "decimal(30,2)": pa.decimal128(30, 2),
}
PROMOTIONS = {
    "int": "long",
    "float": "double",
    "decimal(6,2)": "decimal(12,2)",
    "decimal(12,2)": "decimal(30,2)",
}
TRANSFORMS = {
    "date": ("identity", "year", "month", "day"),
    "timestamp": ("identity", "year", "month", "day", "hour"),
    "timestamptz": ("identity", "year", "month", "day", "hour"),
    "string": ("identity",),
    "int": ("identity",),
    "long": ("identity",),
    "boolean": ("identity",),
    "decimal(6,2)": ("identity",),
    "decimal(12,2)": ("identity",),
    "decimal(30,2)": ("identity",),
}
STYLES = ("c{}", "C{}", "c {}", "é{}", "_{}", "c.{}")
"""Of names; the last one has a dot."""

_EPOCH = datetime(1970, 1, 1)
_numbers = itertools.count()
_TOP = 2
"""How deep types nest below a column."""


@dataclass(eq=False)
class Column:
    """A column or struct field; its identity survives renames."""

    name: str
    type: Any
    """A primitive's name, or one of the classes below."""
    key: int = field(default_factory=lambda: next(_numbers))


@dataclass(eq=False)
class StructOf:
    columns: list[Column]


@dataclass(eq=False)
class ListOf:
    element: Any


@dataclass(eq=False)
class MapOf:
    value: Any


def arrow_of(of: Any) -> pa.DataType:
    match of:
        case StructOf():
            return pa.struct([(column.name, arrow_of(column.type)) for column in of.columns])
        case ListOf():
            return pa.list_(arrow_of(of.element))
        case MapOf():
            return pa.map_(pa.string(), arrow_of(of.value))
    return ARROW[of]


def shown(value: Any, of: Any) -> Any:
    """Give a value of the model as a reader shows it under the present names."""
    if value is None:
        return None
    match of:
        case StructOf():
            return {c.name: shown(value.get(c.key), c.type) for c in of.columns}
        case ListOf():
            return [shown(inner, of.element) for inner in value]
        case MapOf():
            return [(key, shown(inner, of.value)) for key, inner in value]
    return value


class History:
    """A table, its model, and the steps that are done to both."""

    def __init__(
        self, lab: TableLab, chance: random.Random, styles: Sequence[str] = STYLES
    ) -> None:
        self.styles = styles
        self.lab = lab
        self.chance = chance
        self.columns: list[Column] = []
        self.rows: list[dict[int, Any]] = []
        self.layout: list[tuple[Column, str]] = []
        self.log: list[str] = []
        self.names: set[str] = set()
        self.given: set[str] = set()
        """Names that the present step gave out; each is free again when it is in no column."""
        self._ids = itertools.count(1)
        self._names = itertools.count(1)
        self.overwrite()

    @property
    def id(self) -> Column:
        """The key column: it may be renamed and promoted, never dropped."""
        return self.columns[[column.key for column in self.columns].index(self._id_key)]

    def expected(self) -> list[dict[str, Any]]:
        """Give the rows as a reader must show them."""
        return [
            {column.name: shown(row.get(column.key), column.type) for column in self.columns}
            for row in self.rows
        ]

    def blurred(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Give rows with absent lists and maps of structs as empty ones.

        PyIceberg 0.12 reads them so: it builds such arrays anew and forgets which were null
        (`ArrowProjectionVisitor.list` and `.map`).
        """
        return [{c.name: _blurred(row[c.name], c.type) for c in self.columns} for row in rows]

    def step(self) -> None:
        """Do something that can be done now."""
        steps = [self.append, self.append, self.upsert, self.delete, self.overwrite, self.relayout]
        steps += [self.add, self.drop, self.rename, self.reorder, self.promote] * 2
        if self.layout:
            steps += [self.replace_partitions, self.replace_partitions]
        self.given = set()
        self.chance.choice(steps)()

    def overwrite(self) -> None:
        old = self.columns
        first = Column("id", self.chance.choice(["int", "long"]))
        if old:
            first = Column(self.id.name, self.id.type)
        self.columns = [first]
        self._id_key = first.key
        for column in old[1:]:
            # The same names return, with the same type, a wider one or an unrelated one.
            if self.chance.random() < 0.6 and column is not first and column.name != first.name:
                of = column.type if self.chance.random() < 0.6 else self._type(_TOP)
                self.columns.append(Column(column.name, of))
        self.columns += [self._column(_TOP) for _ in range(self.chance.randint(1, 4))]
        self.layout = self._layout()
        self.rows = [self._row(self.columns) for _ in range(self.chance.randint(0, 8))]
        self._write("overwrite", self.columns, self.rows, partition_by=True)

    def append(self) -> None:
        columns = self._some_columns()
        rows = [self._row(columns) for _ in range(self.chance.randint(0, 6))]
        self.rows += rows
        self._write("append", columns, rows)

    def relayout(self) -> None:
        self.layout = self._layout()
        rows = [self._row(self.columns) for _ in range(self.chance.randint(1, 4))]
        self.rows += rows
        self._write("append", self.columns, rows, partition_by=True)

    def replace_partitions(self) -> None:
        rows = [self._row(self.columns) for _ in range(self.chance.randint(1, 4))]
        replaced = {self._partition(row) for row in rows}
        self.rows = [row for row in self.rows if self._partition(row) not in replaced] + rows
        self._write("replace_partitions", self.columns, rows)

    def upsert(self) -> None:
        columns = self._some_columns()
        rows = [self._row(columns) for _ in range(self.chance.randint(1, 4))]
        if self.rows:
            for row in rows[: self.chance.randint(0, len(rows))]:
                row[self._id_key] = self.chance.choice(self.rows)[self._id_key]
        rows = list({row[self._id_key]: row for row in rows}.values())
        changed = {row[self._id_key] for row in rows}
        self.rows = [row for row in self.rows if row[self._id_key] not in changed] + rows
        self._write("upsert", columns, rows)

    def delete(self) -> None:
        some = self.chance.sample(self.rows, min(len(self.rows), self.chance.randint(0, 3)))
        gone = {row[self._id_key] for row in some} | {-1}
        self.rows = [row for row in self.rows if row[self._id_key] not in gone]
        keys = [{self._id_key: value} for value in sorted(gone)]
        self._write("delete", [self.id], keys)

    def add(self) -> None:
        path, columns = self._level()
        column = self._column(_TOP if columns is self.columns else 1)
        columns.append(column)
        given = Field(name=column.name, type=_declared(column.type))
        state = self.lab.state
        self._evolve(
            add_column(
                state.schema, given, self.lab.allocator, into=path, dropped=state.dropped_ids
            ),
            f"add {path} {column.name}",
        )

    def drop(self) -> None:
        path, columns = self._level()
        fixed = {self._id_key} | {column.key for column, _ in self.layout}
        able = [column for column in columns if column.key not in fixed]
        if len(columns) < 2 or not able:
            return
        column = self.chance.choice(able)
        columns.remove(column)
        state = self.lab.state
        self._evolve(
            drop_column(state.schema, (*path, column.name), self.lab.allocator, spec=state.spec),
            f"drop {path} {column.name}",
        )

    def rename(self) -> None:
        path, columns = self._level()
        column = self.chance.choice(columns)
        old, column.name = column.name, self._name()
        edited = rename_column(self.lab.state.schema, (*path, old), column.name, self.lab.allocator)
        self._evolve(edited, f"rename {path} {old} {column.name}")

    def reorder(self) -> None:
        path, columns = self._level()
        self.chance.shuffle(columns)
        names = [column.name for column in columns]
        edited = reorder_columns(self.lab.state.schema, names, self.lab.allocator, into=path)
        self._evolve(edited, f"reorder {path} {names}")

    def promote(self) -> None:
        path, columns = self._level()
        able = [column for column in columns if column.type in PROMOTIONS]
        if able:
            column = self.chance.choice(able)
            column.type = PROMOTIONS[column.type]
            edited = promote_column(
                self.lab.state.schema,
                (*path, column.name),
                Primitive(column.type),
                self.lab.allocator,
            )
            self._evolve(edited, f"promote {path} {column.name} {column.type}")

    def _evolve(self, schema: Any, what: str) -> None:
        self.log.append(what)
        self.lab.evolve(schema)

    def _write(
        self, operation: Any, columns: list[Column], rows: list[Any], *, partition_by: bool = False
    ) -> None:
        self.log.append(f"{operation} {[c.name for c in columns]} {len(rows)} rows {self.layout}")
        arrow = pa.schema([(column.name, arrow_of(column.type)) for column in columns])
        data = pa.table(
            [
                pa.array([shown(row.get(c.key), c.type) for row in rows], arrow_of(c.type))
                for c in columns
            ],
            schema=arrow,
        )
        layout = [LayoutColumn(column=c.name, transform=how) for c, how in self.layout]
        self.lab.write(
            operation,
            data,
            partition_by=layout if partition_by else None,
            on=[self.id.name] if operation in {"upsert", "delete"} else (),
            file_bytes=self.chance.choice([1, 128 << 20]),
        )

    def _some_columns(self) -> list[Column]:
        """Columns of a write: most of the table's in another order, sometimes a new one."""
        columns = [c for c in self.columns if c.key == self._id_key or self.chance.random() < 0.8]
        self.chance.shuffle(columns)
        if self.chance.random() < 0.2:
            self.columns.append(self._column(_TOP))
            columns.append(self.columns[-1])
        return columns

    def _level(self) -> tuple[tuple[str, ...], list[Column]]:
        """Choose the columns, or the fields of a struct somewhere inside them, with their path."""
        levels: list[tuple[tuple[str, ...], list[Column]]] = [((), self.columns)]
        for column in self.columns:
            levels += _structs(column.type, (column.name,))
        return self.chance.choice(levels)

    def _layout(self) -> list[tuple[Column, str]]:
        able = [column for column in self.columns if column.type in TRANSFORMS]
        some = self.chance.sample(able, min(len(able), self.chance.choice([0, 0, 1, 1, 2])))
        return [(column, self.chance.choice(TRANSFORMS[column.type])) for column in some]

    def _partition(self, row: dict[int, Any]) -> tuple[Any, ...]:
        return tuple(_transformed(row.get(column.key), how) for column, how in self.layout)

    def _row(self, columns: list[Column]) -> dict[int, Any]:
        row = {column.key: self._value(column.type) for column in columns}
        row[self._id_key] = next(self._ids)
        return row

    def _column(self, depth: int) -> Column:
        return Column(self._name(), self._type(depth))

    def _name(self) -> str:
        gone = sorted(self.names - set(_names(self.columns)) - self.given)
        if gone and self.chance.random() < 0.4:
            name = self.chance.choice(gone)
        else:
            name = self.chance.choice(self.styles).format(next(self._names))
        self.names.add(name)
        self.given.add(name)
        return name

    def _type(self, depth: int) -> Any:
        kind = self.chance.random()
        if depth == 0 or kind < 0.7:
            # pyarrow cannot make nested UUIDs from Python values; they have a test of their own.
            able = [name for name in ARROW if name != "uuid" or depth == _TOP]
            return self.chance.choice(able)
        if kind < 0.85:
            count = self.chance.randint(1, 3)
            return StructOf([self._column(depth - 1) for _ in range(count)])
        return ListOf(self._type(depth - 1)) if kind < 0.93 else MapOf(self._type(depth - 1))

    def _value(self, of: Any) -> Any:
        chance = self.chance
        if chance.random() < 0.15:
            return None
        match of:
            case StructOf():
                return {column.key: self._value(column.type) for column in of.columns}
            case ListOf():
                return [self._value(of.element) for _ in range(chance.randint(0, 3))]
            case MapOf():
                keys = chance.sample("abcdef", chance.randint(0, 3))
                return [(key, self._value(of.value)) for key in keys]
        return _primitive(of, chance)


def _primitive(of: str, chance: random.Random) -> Any:
    if of.startswith("decimal"):
        digits = int(of[len("decimal(") : of.index(",")])
        unscaled = [0, 1, -1, 10**digits - 1, 1 - 10**digits, chance.randint(-999, 999)]
        return Decimal(f"{chance.choice(unscaled)}E-2")
    when = chance.choice([-1, 1]) * timedelta(
        days=chance.choice([0, 1, 45, 400, 20000]),
        microseconds=chance.choice([0, 1, 3_600_000_001]),
    )
    match of:
        case "boolean":
            return chance.random() < 0.5
        case "int":
            return chance.choice([0, 1, -1, 2**31 - 1, -(2**31), chance.randint(-9, 9)])
        case "long":
            return chance.choice([0, 1, 2**63 - 1, -(2**63), 2**40, chance.randint(-9, 9)])
        case "float":
            return chance.choice([0.0, -0.0, 1.5, -2.25, float("inf"), float("nan")])
        case "double":
            return chance.choice([0.0, -0.0, 1.5, 1e300, float("-inf"), float("nan")])
        case "date":
            return date(1970, 1, 1) + when
        case "time":
            return chance.choice([time(0), time(23, 59, 59, 999999), time(12, 30, 0, 1)])
        case "timestamp":
            return _EPOCH + when
        case "timestamptz":
            return (_EPOCH + when).replace(tzinfo=UTC)
        case "string":
            return chance.choice(["", "a", "B", "ü", "long" * 9, "z\U0010ffff" * 9, "'q\"\n"])
        case "uuid":
            return uuid.UUID(int=chance.choice([0, 1, 2**128 - 1, chance.getrandbits(128)]))
        case "binary":
            return chance.choice([b"", b"\x00", b"\xff" * 20, b"abc" * 9])
    return chance.choice([b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"abcd"])


def _names(columns: list[Column]) -> Iterator[str]:
    for column in columns:
        yield column.name
        for _, inner in _structs(column.type, ()):
            yield from (own.name for own in inner)


def _blurred(value: Any, of: Any) -> Any:
    match of:
        case StructOf():
            return value and {c.name: _blurred(value[c.name], c.type) for c in of.columns}
        case ListOf():
            if value is None:
                return [] if isinstance(of.element, StructOf) else None
            return [_blurred(inner, of.element) for inner in value]
        case MapOf():
            if value is None:
                return [] if isinstance(of.value, StructOf) else None
            return [(key, _blurred(inner, of.value)) for key, inner in value]
    return value


def _structs(of: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], list[Column]]]:
    match of:
        case StructOf():
            inner = [_structs(column.type, (*path, column.name)) for column in of.columns]
            return [(path, of.columns), *itertools.chain(*inner)]
        case ListOf():
            return _structs(of.element, (*path, "element"))
        case MapOf():
            return _structs(of.value, (*path, "value"))
    return []


def _declared(of: Any) -> Any:
    return schema_of_arrow(pa.schema([("x", arrow_of(of))])).fields[0].type


def _transformed(value: Any, how: str) -> Any:
    if value is None or how == "identity":
        return value
    when = value if isinstance(value, datetime) else datetime.combine(value, time(0))
    when = when.replace(tzinfo=None)
    match how:
        case "year":
            return when.year
        case "month":
            return (when.year, when.month)
        case "day":
            return when.date()
    return when.replace(minute=0, second=0, microsecond=0)
