# SPDX-License-Identifier: Apache-2.0
"""Tables to check, written by the engine without a lake, and gates over them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from mainstem.checks import gate_of, gates_of, parse_checks
from mainstem.engines import open_engine
from mainstem.errors import AssetNotFound
from mainstem.types import AssetKey, List, Map, PartitionSpec, Schema, Struct, TableRef, WriteTarget


class NeverCancelled:
    is_cancelled = False

    def on_cancel(self, stop):
        return lambda: None


@dataclass
class Lake:
    """Stands in for the lake and the graph: tables by key."""

    folder: Path
    engine: object
    relations: dict = field(default_factory=dict)
    ids: itertools.count = field(default_factory=lambda: itertools.count(1))
    asked: list = field(default_factory=list)

    def table(self, key, *queries):
        """Write a table; each query gives a file of its own."""
        asset = AssetKey.parse(key)
        directory = f"{asset.namespace}/{asset.name}"
        (self.folder / directory).mkdir(parents=True, exist_ok=True)
        files = []
        with self.engine.session() as session:
            described = session.describe(queries[0])
            schema = Schema(fields=tuple(self._with_ids(each) for each in described), schema_id=1)
            target = WriteTarget(
                key=asset,
                warehouse=str(self.folder),
                directory=directory,
                prefix="a",
                schema=schema,
                spec=PartitionSpec(),
                table_id="t",
            )
            for query in queries:
                files += session.write(query, target)
        self.relations[asset] = TableRef(
            key=asset,
            schema=schema,
            files=tuple(files),
            warehouse=str(self.folder),
            schemas={1: schema},
            row_count=sum(file.record_count for file in files),
        )
        return self.relations[asset]

    def _with_ids(self, field):
        def of(kind):
            match kind:
                case Struct(fields=fields):
                    return Struct(fields=tuple(self._with_ids(each) for each in fields))
                case List():
                    return List(element=of(kind.element), element_id=next(self.ids))
                case Map():
                    key, value = next(self.ids), next(self.ids)
                    return Map(key=of(kind.key), value=of(kind.value), key_id=key, value_id=value)
                case _:
                    return kind

        return replace(field, id=next(self.ids), type=of(field.type))

    def relation(self, key):
        self.asked.append(key)
        if key not in self.relations:
            raise AssetNotFound("A5001", f"{key} was never built.")
        return self.relations[key]

    def resolve(self, name, *, namespace="", where=None):
        key = AssetKey.parse(name if "." in name else f"{namespace}.{name}")
        if key.name == "nowhere":
            raise AssetNotFound("A2003", f"`{name}` is not an asset.", where=where)
        return key

    def gate(self, entry, *, asset="raw.t", column=None):
        spec = parse_checks([entry], AssetKey.parse(asset), column=column, file="m.yml", line=3)[0]
        return gate_of(spec, engine=self.engine, resolve_name=self.resolve)

    def gates(self, entries, *, asset="raw.t"):
        specs = parse_checks(entries, AssetKey.parse(asset))
        return gates_of(specs, engine=self.engine, resolve_name=self.resolve)

    def check(self, entry, *, asset="raw.t", column=None):
        return self.gate(entry, asset=asset, column=column).evaluate(
            self.relation, NeverCancelled()
        )


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    opened = open_engine(temp_directory=tmp_path_factory.mktemp("spill"), threads=2)
    yield opened
    opened.close()


@pytest.fixture
def lake(tmp_path, engine):
    return Lake(tmp_path, engine)


@pytest.fixture
def token():
    return NeverCancelled()
