# SPDX-License-Identifier: Apache-2.0
"""An engine, and a warehouse folder to write tables to without a lake."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mainstem.engines import open_engine
from mainstem.types import (
    AssetKey,
    Field,
    List,
    Map,
    PartitionField,
    PartitionSpec,
    Schema,
    Struct,
    TableRef,
    Type,
    WriteTarget,
)


@dataclass
class Warehouse:
    """Stands in for the lake: allocates ids, gives targets and references."""

    folder: Path
    ids: itertools.count = field(default_factory=lambda: itertools.count(1))

    def with_ids(self, schema: Schema, *, schema_id: int = 1) -> Schema:
        fields = tuple(self._field(each) for each in schema)
        return Schema(fields=fields, schema_id=schema_id)

    def target(self, schema, *, key="raw.t", partition=(), prefix="attempt"):
        parts = tuple(
            PartitionField(
                source_id=schema.field(column).id,
                field_id=1000 + number,
                name=f"{column}_{transform}",
                transform=transform,
            )
            for number, (column, transform) in enumerate(partition)
        )
        asset = AssetKey.parse(key)
        directory = f"{asset.namespace}/{asset.name}/data"
        (self.folder / directory).mkdir(parents=True, exist_ok=True)
        return WriteTarget(
            key=asset,
            warehouse=str(self.folder),
            directory=directory,
            prefix=prefix,
            schema=schema,
            spec=PartitionSpec(spec_id=1 if parts else 0, fields=parts),
            table_id="table",
        )

    def ref(self, schema, files, *, key="raw.t", schemas=()):
        return TableRef(
            key=AssetKey.parse(key),
            schema=schema,
            files=tuple(files),
            warehouse=str(self.folder),
            schemas={each.schema_id: each for each in (schema, *schemas)},
        )

    def build(self, session, sql, *, key="raw.t", schema_id=1, prefix="attempt"):
        """Write a query as a table and register it."""
        schema = self.with_ids(session.describe(sql), schema_id=schema_id)
        files = session.write(sql, self.target(schema, key=key, prefix=prefix))
        table = self.ref(schema, files, key=key)
        session.register(table)
        return table

    def names(self, key="raw.t"):
        asset = AssetKey.parse(key)
        folder = self.folder / asset.namespace / asset.name / "data"
        return sorted(path.name for path in folder.iterdir())

    def _field(self, of: Field) -> Field:
        return Field(id=next(self.ids), name=of.name, type=self._type(of.type))

    def _type(self, of: Type) -> Type:
        match of:
            case Struct(fields=fields):
                return Struct(fields=tuple(self._field(each) for each in fields))
            case List():
                return List(element_id=next(self.ids), element=self._type(of.element))
            case Map():
                return Map(
                    key_id=next(self.ids),
                    value_id=next(self.ids),
                    key=self._type(of.key),
                    value=self._type(of.value),
                )
            case _:
                return of


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    opened = open_engine(temp_directory=tmp_path_factory.mktemp("spill"), threads=2)
    yield opened
    opened.close()


@pytest.fixture
def session(engine):
    with engine.session() as opened:
        yield opened


@pytest.fixture
def warehouse(tmp_path):
    return Warehouse(tmp_path / "warehouse")
