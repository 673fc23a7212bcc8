# SPDX-License-Identifier: Apache-2.0
"""Seeds: CSV files of the project, loaded whole whenever their text changes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from mainstem.errors import MainstemError, ModelInvalid, Where
from mainstem.graph import Asset
from mainstem.models.definition import Seed
from mainstem.models.properties import Properties
from mainstem.models.seed_shape import require_shape
from mainstem.models.sql_draft import key_of
from mainstem.runs import StepContext, StepOutcome
from mainstem.types import AssetKey, Engine, Provenance, Session, TableWrite, did_you_mean

_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_ ]*(\(\s*\d+\s*(,\s*\d+\s*)?\))?(\[\])*\Z")


def seed_key(path: str, *, namespace: str = "") -> AssetKey:
    """Give the asset key of a seed's file: `seeds/holidays.csv` is `seeds.holidays`."""
    return key_of(path, namespace=namespace or "seeds")


def load_seed(path: str, digest: str, properties: Properties | None = None) -> Asset:
    """Describe a seed; its rows are read by `SeedStep`.

    Args:
        path: Relative to the project folder: `seeds/holidays.csv`.
        digest: Hash of the file's bytes.
        properties: What property files say of it.

    Raises:
        ModelInvalid: A declared type cannot be one (A2036).
    """
    options = properties.options if properties is not None else {}
    columns = dict(properties.columns) if properties is not None else {}
    types = _types(options, columns, properties, path)
    delimiter = str(options.get("delimiter") or "")
    seed = Seed(
        path=path,
        digest=digest,
        columns=types,
        delimiter=delimiter,
        checks=properties.checks if properties is not None else (),
    )
    shape = blake2b(orjson.dumps([digest, types, delimiter]), digest_size=16).hexdigest()
    return Asset(
        key=seed_key(path, namespace=str(options.get("namespace") or "")),
        kind="seed",
        materialized="table",
        code_version=shape,
        code_text_hash=shape,
        tags=properties.tags if properties is not None else (),
        owner=properties.owner if properties is not None else "",
        description=properties.description if properties is not None else "",
        file=path,
        line=1,
        columns=columns,
        change_summary={"rows": digest},
        definition=seed,
    )


def _types(
    options: Mapping[str, Any],
    columns: Mapping[str, Mapping[str, Any]],
    properties: Properties | None,
    path: str,
) -> dict[str, str]:
    written = options.get("column_types")
    types = (
        {str(name): str(of) for name, of in written.items()} if isinstance(written, dict) else {}
    )
    types |= {name: str(of["type"]) for name, of in columns.items() if of.get("type")}
    for name, of in types.items():
        if not _TYPE.match(of):
            raise ModelInvalid(
                "A2036",
                f"`{of}` cannot be the type of the seed's column `{name}`.",
                hint="Write a DuckDB type: bigint, double, decimal(10,2), date, timestamp, text.",
                where=properties.where if properties is not None else Where(file=path),
            )
    return types


class SeedStep:
    """Implements `mainstem.runs.Step` for seeds.

    Args:
        asset: The seed.
        engine: What reads the file.
        folder: The project's.
    """

    def __init__(self, asset: Asset, engine: Engine, *, folder: Path) -> None:
        assert isinstance(asset.definition, Seed), "a SeedStep loads seeds"
        self.asset = asset
        self.seed = asset.definition
        self.engine = engine
        self.folder = folder
        self.outputs: tuple[AssetKey, ...] = (asset.key,)
        self.inputs: tuple[AssetKey, ...] = ()

    def execute(self, context: StepContext) -> StepOutcome:
        """Read the file and write the table.

        Raises:
            MainstemError: With the seed's file as its place.
        """
        try:
            with self.engine.session() as session:
                deregister = context.cancel.on_cancel(session.interrupt)
                try:
                    return self._load(session, context)
                finally:
                    deregister()
        except MainstemError as error:
            if error.where is None or not error.where.file:
                error.where = Where(file=self.asset.file, asset=str(self.asset.key))
            raise

    def _load(self, session: Session, context: StepContext) -> StepOutcome:
        key = self.asset.key
        path = self.folder / self.seed.path
        delimiter = require_shape(path, self.seed.path, delimiter=self.seed.delimiter)
        self._require_columns(session, delimiter)
        sql = f"select * from {self._reader(delimiter, typed=True)}"
        schema = session.describe(sql)
        target = context.target(key, schema, replaces=True)
        files = session.write(sql, target)
        row_count = sum(file.record_count for file in files)
        write = TableWrite(
            key=key,
            operation="overwrite",
            provenance=Provenance(origin="derived", data_version=""),
            schema=target.schema,
            spec=target.spec,
            table_id=target.table_id,
            added=files,
        )
        return StepOutcome(changes=(write,), rows={key: row_count})

    def _require_columns(self, session: Session, delimiter: str) -> None:
        """Make sure that columns with a declared type exist."""
        if not self.seed.columns:
            return
        names = session.describe(f"select * from {self._reader(delimiter, typed=False)}").names
        for column in self.seed.columns:
            if column.casefold() not in {name.casefold() for name in names}:
                raise ModelInvalid(
                    "A2036",
                    f"{self.seed.path} has no column `{column}`, which has a declared type.",
                    hint=did_you_mean(column, names) or f"Its columns are {', '.join(names)}.",
                    known=names,
                )

    def _reader(self, delimiter: str, *, typed: bool) -> str:
        # Seeds are small: all rows are looked at, so that no late value breaks the type.
        arguments = [_text(str(self.folder / self.seed.path)), "header = true", "sample_size = -1"]
        nulls = ", ".join(_text(value) for value in self.seed.null_values)
        arguments.append(f"nullstr = [{nulls}]")
        arguments += [f"delim = {_text(delimiter)}", "quote = '\"'", "escape = '\"'", "skip = 0"]
        if typed and self.seed.columns:
            types = ", ".join(
                f"{_text(name)}: {_text(of)}" for name, of in self.seed.columns.items()
            )
            arguments.append(f"types = {{{types}}}")
        return f"read_csv({', '.join(arguments)})"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
