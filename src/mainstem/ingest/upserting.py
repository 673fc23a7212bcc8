# SPDX-License-Identifier: Apache-2.0
"""Keys: which rows a load replaces, and the rule that a key is there once and never null."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mainstem.engines import quote
from mainstem.errors import ConfigInvalid, KeyNotUnique, Where
from mainstem.graph import Asset
from mainstem.ingest.scan import FILE_COLUMN
from mainstem.types import (
    AssetKey,
    DataFile,
    Schema,
    Session,
    TableRef,
    dataclass,
    did_you_mean,
    nearest,
)

_NAMESPACE = "__mainstem"
_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacing:
    """What an upsert writes."""

    sql: str
    """All rows of the files it replaces that live on, and the new rows."""
    removed: tuple[DataFile, ...]


def key_columns(asset: Asset, schema: Schema) -> tuple[str, ...]:
    """Give the key's columns as the table has them.

    Raises:
        ConfigInvalid: One is not there.
    """
    found = []
    for name in asset.row_key:
        column = schema.field(name)
        if column is None:
            raise ConfigInvalid(
                "A3006",
                f"`key` of {asset.key} names the column `{name}`, which the table does not have.",
                hint=did_you_mean(name, schema.names) or f"It has {', '.join(schema.names[:20])}.",
                where=Where(file=asset.file, line=asset.line, asset=str(asset.key)),
                known=nearest(name, schema.names) or schema.names,
            )
        found.append(column.name)
    return tuple(found)


def last_file_wins(sql: str, keys: Sequence[str]) -> str:
    """Keep of each key the rows of the last file that has it; equal keys in one file all stay."""
    listed = ", ".join(quote(key) for key in keys)
    return (
        f"select * exclude ({FILE_COLUMN}) from ({sql}) "
        f"qualify rank() over (partition by {listed} order by {FILE_COLUMN} desc) = 1"
    )


def require_unique(session: Session, asset: Asset, relation: str, keys: Sequence[str]) -> None:
    """Find keys that repeat or are null.

    Raises:
        KeyNotUnique: There are such; names the first ten.
    """
    listed = ", ".join(quote(key) for key in keys)
    is_null = " or ".join(f"{quote(key)} is null" for key in keys)
    repeated = session.records(
        f"select {listed}, count(*) as mainstem_rows from {relation} where not ({is_null}) "
        f"group by {listed} having count(*) > 1 order by count(*) desc, {listed} limit {_SHOWN + 1}"
    )
    null_count = session.rows(f"select count(*) from {relation} where {is_null}")[0][0]
    if not repeated and not null_count:
        return
    found = []
    if repeated:
        shown = ", ".join("/".join(map(str, list(row.values())[:-1])) for row in repeated[:_SHOWN])
        more = " and more" if len(repeated) > _SHOWN else ""
        found.append(f"these keys come more than once: {shown}{more}")
    if null_count:
        found.append(f"{null_count:,} row{'s' if null_count != 1 else ''} have a null in the key")
    raise KeyNotUnique(
        "A3033",
        f"The files of {asset.key} do not keep its key ({', '.join(asset.row_key)}): "
        f"{'; '.join(found)}.",
        hint="Add a column to `key`, leave rows out with `where`, or use `write: replace` "
        "without a key and check for `unique`.",
        where=Where(file=asset.file, line=asset.line, asset=str(asset.key)),
    )


def replacing(session: Session, current: TableRef, batch: str, keys: Sequence[str]) -> Replacing:
    """Find the files that hold a key of the batch; only these are written anew.

    Args:
        session: Holds the batch.
        current: The table.
        batch: Name of the new rows in the session.
        keys: Column names.
    """
    same = " and ".join(f"new.{quote(key)} = old.{quote(key)}" for key in keys)
    touched = []
    for file in _candidates(session, current, batch, keys[0]):
        _register(session, current, (file,), "candidate")
        if session.rows(
            f"select 1 from {_NAMESPACE}.candidate as old "
            f"where exists (select 1 from {batch} as new where {same}) limit 1"
        ):
            touched.append(file)
    if not touched:
        return Replacing(sql=f"select * from {batch}", removed=())
    _register(session, current, tuple(touched), "touched")
    return Replacing(
        sql=f"select * from {_NAMESPACE}.touched as old where not exists "
        f"(select 1 from {batch} as new where {same}) union all by name select * from {batch}",
        removed=tuple(touched),
    )


def _candidates(session: Session, current: TableRef, batch: str, key: str) -> tuple[DataFile, ...]:
    """Leave out files whose bounds exclude every new key."""
    column = current.schema.field(key)
    form = _PHYSICAL.get(str(column.type)) if column is not None else None
    if column is None or form is None:
        return current.files
    low, high = session.rows(
        f"select min({form.format(quote(key))}), max({form.format(quote(key))}) from {batch}"
    )[0]

    def may_hold(file: DataFile) -> bool:
        lower, upper = file.lower_bounds.get(column.id), file.upper_bounds.get(column.id)
        if isinstance(lower, str) and isinstance(upper, str) and isinstance(low, str):
            return upper >= low and lower <= high
        if isinstance(lower, int) and isinstance(upper, int) and isinstance(low, int):
            return upper >= low and lower <= high
        return True

    return tuple(file for file in current.files if may_hold(file))


def _register(session: Session, current: TableRef, files: tuple[DataFile, ...], name: str) -> None:
    rows = sum(file.record_count for file in files)
    session.register(replace(current, key=AssetKey(_NAMESPACE, name), files=files, row_count=rows))


_PHYSICAL = {
    "int": "{}",
    "long": "{}",
    "string": "{}",
    "date": "datediff('day', date '1970-01-01', {})",
    "timestamp": "epoch_us({})",
    "timestamptz": "epoch_us({})",
}
"""SQL for the plain value that bounds of a type are kept as (`types.Physical`)."""
