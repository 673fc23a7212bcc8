# SPDX-License-Identifier: Apache-2.0
"""Query results as data files: the COPY statement, what it made, and whether that is right."""

from __future__ import annotations

import contextlib
import glob
import re
import shutil
import uuid
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from mainstem.engines.durability import sync_files, sync_folders
from mainstem.engines.faults import from_os
from mainstem.engines.names import file_list, in_brackets, literal, quote, type_sql
from mainstem.engines.partitions import PartitionColumn, partition_columns
from mainstem.engines.statistics import leaves_of, read_statistics
from mainstem.errors import ContractBroken, InternalError, Where
from mainstem.types import (
    DataFile,
    Field,
    List,
    Map,
    PartitionValue,
    Primitive,
    Schema,
    Struct,
    Type,
    WriteTarget,
    dataclass,
)

_FILE_SIZE_BYTES = 256 * 1024 * 1024
_IS_SELECT = re.compile(r"\s*(select|with)\b", re.IGNORECASE)
"""What COPY surely takes as it is; of what else may stand in a FROM clause that is not known."""

Run = Callable[[str], list[tuple[Any, ...]]]
"""Runs a statement of ours and fetches its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyPlan:
    """One COPY statement and where it writes."""

    folder: Path
    """New, below the target's folder; partitions are renamed out of it when all is well. Also what
    the names of all files start with."""
    statement: str
    before: str
    """What stands in the statement before the query."""
    partitions: tuple[PartitionColumn, ...]


def plan_copy(
    sql: str, given: Schema, target: WriteTarget, *, given_types: Sequence[str]
) -> CopyPlan:
    """Plan the writing of a query.

    Args:
        sql: The query, without a semicolon.
        given: Its columns, as `describe` tells them.
        target: Where to write, and as what.
        given_types: DuckDB's types of the same columns: those that fit are not cast.

    Raises:
        ContractBroken: A required column of the target is not given.
        InternalError: A column is given that the target lacks.
    """
    folder = Path(target.warehouse.removeprefix("file://")) / target.directory
    token = uuid.uuid4().hex[:8]
    partitions = partition_columns(target.spec, target.schema)
    types = dict(zip((field.name.casefold() for field in given), given_types, strict=True))
    columns = [_column(field, given, types, target) for field in target.schema]
    if unknown := [field.name for field in given if target.schema.field(field.name) is None]:
        raise InternalError("A9053", f"{target.key} has no place for columns {unknown}.")
    before, after = f"copy (select {', '.join(columns)} from (", " as query)"
    if partitions:
        # Computed on the columns as they are stored, so that value and rows agree.
        extra = ", ".join(f"{part.sql} as {quote(part.name)}" for part in partitions)
        before = before.replace("copy (", f"copy (select *, {extra} from (", 1)
        after += " as stored)"
    elif columns == [_as(quote(name), name) for name in given.names] and _IS_SELECT.match(sql):
        before, after = "copy (", ""  # DuckDB parses a microsecond for each character
    into = folder / f"{target.prefix}{token}"
    options = _options(target.schema, partitions)
    place = into if partitions else _name(into, 0)
    if partitions:
        # Half-written files bear the prefix too: after a crash the lake's sweep finds them by it.
        options.append(f"filename_pattern {literal(into.name + '-{uuid}')}")
    return CopyPlan(
        folder=into,
        statement=f"{before}{in_brackets(sql)[1:]}{after} to {literal(place)} "
        f"({', '.join(options)})",
        before=before,
        partitions=partitions,
    )


def _column(field: Field, given: Schema, types: dict[str, str], target: WriteTarget) -> str:
    found = given.field(field.name)
    wanted = type_sql(field.type)
    if found is None:
        if field.required:
            raise ContractBroken(
                "A7509",
                f"{target.key} needs column `{field.name}`, which is missing.",
                where=Where(asset=str(target.key)),
                known=given.names,
            )
        return _as(f"cast(null as {wanted})", field.name)
    name = quote(found.name)
    if types[found.name.casefold()] == wanted:
        return _as(name, field.name)
    return _as(f"cast({name} as {wanted})", field.name)


def _as(sql: str, name: str) -> str:
    return f"{sql} as {quote(name)}"


def _options(schema: Schema, partitions: tuple[PartitionColumn, ...]) -> list[str]:
    options = [
        "format parquet",
        "compression zstd",
        f"field_ids {_field_ids(schema.fields)}",
        "return_stats",
    ]
    if not partitions:
        # One file, however large: DuckDB loses the order of rows when it begins new ones (seen in
        # 8 of 40 writes), and splits the reading of a file by row groups anyway.
        options.append("write_empty_file false")
    else:
        names = ", ".join(quote(part.name) for part in partitions)
        # An extra column is no column of the table; the real one is in `columns` anyway.
        options += [f"partition_by ({names})", "write_partition_columns false"]
        options.append(f"file_size_bytes {_FILE_SIZE_BYTES}")
    return options


def _field_ids(fields: Iterable[Field], own: str = "") -> str:
    entries = [own] if own else []
    entries += [f"{quote(field.name)}: {_ids_of(field.type, field.id)}" for field in fields]
    return "{" + ", ".join(entries) + "}"


def _ids_of(of: Type, id_: int) -> str:
    own = f"__duckdb_field_id: {id_}"
    match of:
        case Primitive():
            return str(id_)
        case Struct(fields=fields):
            return _field_ids(fields, own)
        case List():
            return f"{{{own}, element: {_ids_of(of.element, of.element_id)}}}"
        case Map():
            key, value = _ids_of(of.key, of.key_id), _ids_of(of.value, of.value_id)
            return f"{{{own}, key: {key}, value: {value}}}"


def finish(
    rows: Iterable[tuple[Any, ...]], plan: CopyPlan, target: WriteTarget, run: Run
) -> tuple[DataFile, ...]:
    """Check what COPY wrote, give it its names, and wait until it is on the disk.

    Args:
        rows: What the statement returned: one row a file.
        plan: As the statement was made.
        target: As given to `plan_copy`.
        run: Runs statements in the same session.
    """
    written = [row for row in rows if row[1]]
    if written:
        _verify(str(written[0][0]), target, run)
    leaves = leaves_of(target.schema)
    warehouse = Path(target.warehouse.removeprefix("file://"))
    files, paths = [], []
    for number, (name, count, size, _, columns, keys, *_) in enumerate(written):
        path = _name(plan.folder, number)
        found = read_statistics(columns or {}, leaves)
        partition = _partition(plan.partitions, keys or {}, str(name), run)
        _rename(Path(name), path)
        paths.append(path)
        files.append(
            DataFile(
                path=path.relative_to(warehouse).as_posix(),
                record_count=count,
                size_bytes=size,
                schema_id=target.schema.schema_id,
                spec_id=target.spec.spec_id,
                partition=partition,
                lower_bounds=found.lower_bounds,
                upper_bounds=found.upper_bounds,
                null_counts=found.null_counts,
                value_counts=found.value_counts,
                nan_counts=found.nan_counts,
                column_sizes=found.column_sizes,
            )
        )
    _remove(plan.folder)
    if paths:
        sync_files(paths)
        sync_folders(plan.folder.parent, warehouse)
    return tuple(files)


def discard(plan: CopyPlan) -> None:
    """Remove what a COPY left behind; what cannot be removed is left to the lake's sweep."""
    _remove(plan.folder)
    with contextlib.suppress(OSError):
        for path in plan.folder.parent.glob(f"{glob.escape(plan.folder.name)}-*.parquet"):
            path.unlink(missing_ok=True)


def _name(folder: Path, number: int) -> Path:
    return folder.parent / f"{folder.name}-{number:05d}.parquet"


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):
        if folder.is_dir():
            shutil.rmtree(folder)


def _rename(old: Path, new: Path) -> None:
    if old == new:
        return
    try:
        old.rename(new)
    except OSError as error:
        raise from_os(error, str(new)) from error


def _partition(
    parts: tuple[PartitionColumn, ...], keys: dict[str, str | None], path: str, run: Run
) -> tuple[PartitionValue, ...]:
    values: list[PartitionValue] = []
    for part in parts:
        try:
            values.append(part.value(keys[part.name]))
        except LookupError:
            column = quote(part.source.name)
            shown = column if part.source.type == Primitive("string") else f"lower(hex({column}))"
            source = f"read_parquet({file_list([path])}, hive_partitioning=false)"
            values.append(run(f"select {shown} from {source} limit 1")[0][0])
    return tuple(values)


def _verify(path: str, target: WriteTarget, run: Run) -> None:
    """Compare the columns of a written file with the table's (SEMANTICS, Types)."""
    rows = run(
        f"select name, num_children, field_id, duckdb_type from parquet_schema({file_list([path])})"
    )
    found = _Reading(rows).columns()
    wanted = [(field.name, field.id, _shape(field.type)) for field in target.schema]
    if found != wanted:
        raise InternalError(
            "A9054",
            f"the file written for {target.key} has other columns than the table.",
            details=f"written: {found}\nwanted:  {wanted}",
        )


def _shape(of: Type) -> object:
    """Give a type with its field ids as plain values that compare."""
    match of:
        case Primitive():
            return type_sql(of)
        case Struct(fields=fields):
            return [(field.name, field.id, _shape(field.type)) for field in fields]
        case List():
            return [("element", of.element_id, _shape(of.element))]
        case Map():
            return [
                ("key", of.key_id, _shape(of.key)),
                ("value", of.value_id, _shape(of.value)),
            ]


class _Reading:
    """The rows of `parquet_schema`, which list a tree depth first, read into the shape above."""

    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._rows = iter(rows)

    def columns(self) -> list[object]:
        _, children, _, _ = next(self._rows)
        return [self._field() for _ in range(children)]

    def _field(self) -> tuple[str, int | None, object]:
        name, children, id_, kind = next(self._rows)
        if not children:
            return name, id_, kind
        if str(kind).startswith("STRUCT(") and str(kind).endswith(")"):  # not STRUCT(...)[]
            return name, id_, [self._field() for _ in range(children)]
        _, parts, _, _ = next(self._rows)  # the repeated group of a list or a map
        return name, id_, [self._field() for _ in range(parts)]
