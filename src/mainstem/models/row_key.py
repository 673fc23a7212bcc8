# SPDX-License-Identifier: Apache-2.0
"""Keys of incremental models: the columns exist, no key repeats, none is null."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mainstem.errors import KeyNotUnique, ModelInvalid, Where
from mainstem.graph import Asset
from mainstem.types import AssetKey, DataFile, Schema, Session, TableRef, WriteTarget, did_you_mean

NAMESPACE = "__mainstem"
"""Of what a step registers for itself."""
_SHOWN = 10


def key_columns(asset: Asset, *schemas: Schema) -> tuple[str, ...]:
    """Give the key columns, quoted.

    Raises:
        ModelInvalid: One is not among the columns (A2047).
    """
    for key in asset.row_key:
        for schema in schemas:
            if schema.field(key) is None:
                raise ModelInvalid(
                    "A2047",
                    f"the key column `{key}` of {asset.key} is not among its columns.",
                    hint=did_you_mean(key, schema.names) or "Select it, or change `key:`.",
                    where=Where(file=asset.file, line=asset.line, asset=str(asset.key)),
                    known=schema.names,
                )
    return tuple(quoted(key) for key in asset.row_key)


def require_unique(session: Session, asset: Asset, relation: str, keys: Sequence[str]) -> None:
    """Make sure that each key stands once.

    Args:
        session: Where `relation` can be read.
        asset: Whose rows they are.
        relation: Name of what holds the rows.
        keys: Quoted columns.

    Raises:
        KeyNotUnique: A key repeats or is null; names the first ten (A2048).
    """
    columns = ", ".join(keys)
    is_null = " or ".join(f"{key} is null" for key in keys)
    null_count = session.rows(f"select count(*) from {relation} where {is_null}")[0][0]
    repeated = session.rows(
        f"select {columns}, count(*) from {relation} where not ({is_null}) group by {columns} "
        f"having count(*) > 1 order by count(*) desc, {columns} limit {_SHOWN + 1}"
    )
    if not null_count and not repeated:
        return
    found = []
    if repeated:
        shown = ", ".join("/".join(str(value) for value in row[:-1]) for row in repeated[:_SHOWN])
        more = " and more" if len(repeated) > _SHOWN else ""
        found.append(f"these keys come more than once: {shown}{more}")
    if null_count:
        one = "1 row has a null in its key"
        found.append(one if null_count == 1 else f"{null_count:,} rows have a null in their key")
    raise KeyNotUnique(
        "A2048",
        f"the new rows of {asset.key} cannot be matched by ({', '.join(asset.row_key)}): "
        f"{'; '.join(found)}.",
        hint="Select one row for each key (for example with `qualify row_number() over ... = 1`), "
        "or use `strategy: delete_insert`.",
        where=Where(file=asset.file, line=asset.line, asset=str(asset.key)),
    )


def require_unique_files(
    session: Session, asset: Asset, files: tuple[DataFile, ...], target: WriteTarget
) -> None:
    """Make sure of the same for files that were just written; reads their key columns only.

    Raises:
        KeyNotUnique: A key repeats or is null.
    """
    keys = key_columns(asset, target.schema)
    written = TableRef(
        key=AssetKey(NAMESPACE, "written"),
        schema=target.schema,
        files=files,
        warehouse=target.warehouse,
        schemas={target.schema.schema_id: target.schema},
        spec=target.spec,
        specs={target.spec.spec_id: target.spec},
        row_count=sum(file.record_count for file in files),
    )
    session.register(written)
    require_unique(session, asset, f"{NAMESPACE}.written", keys)


def register_part(session: Session, table: TableRef, files: tuple[DataFile, ...], name: str) -> str:
    """Make some files of a table readable; gives the name to select from."""
    rows = sum(file.record_count for file in files)
    key = AssetKey(NAMESPACE, name)
    session.register(replace(table, key=key, files=files, row_count=rows))
    return f"{NAMESPACE}.{name}"


def quoted(name: str) -> str:
    """Quote a column."""
    return '"' + name.replace('"', '""') + '"'
