# SPDX-License-Identifier: Apache-2.0
"""Changes of tables from Arrow data, gathered for one commit.

Data files are written at once, the catalog changes when the caller commits. Loaded only when data
is written or read: it brings pyarrow. Called by `Lake`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import pyarrow as pa

from mainstem.errors import SelectionInvalid, UserError
from mainstem.lake.arrow_types import schema_of_arrow
from mainstem.lake.reader import read_arrow, read_batches
from mainstem.lake.upsert import RowChange, delete_rows, replace_rows, upsert_rows
from mainstem.lake.values import Entry, Intent
from mainstem.lake.version import derived_version
from mainstem.lake.writer import write_arrow
from mainstem.types import (
    AssetKey,
    CursorWrite,
    DataFile,
    LayoutColumn,
    Operation,
    Provenance,
    Relation,
    Schema,
    TableRef,
    TableWrite,
    ViewWrite,
    WriteTarget,
)

Rows: TypeAlias = "pa.Table | pa.RecordBatchReader"
Layout = Sequence[LayoutColumn | str]
SMALL_BYTES = 32 << 20
"""Files below this size are worth putting together."""

_CALL = re.compile(r"(identity|year|month|day|hour)\((.+)\)")


class Tables(Protocol):
    """What changes need of the lake."""

    def entry(self, key: AssetKey, at: str) -> Entry | None:
        """Give what a key has at a place."""
        ...

    def relation(self, key: AssetKey, at: str) -> Relation:
        """Give what is needed to read a table."""
        ...

    def target(
        self,
        branch: str,
        key: AssetKey,
        schema: Schema,
        *,
        attempt: str,
        partition_by: Sequence[LayoutColumn] = (),
        replaces: bool = True,
    ) -> WriteTarget:
        """Allocate ids and a place for data files."""
        ...


class LakeTransaction:
    """Changes to one branch that become one commit.

    Keys are `namespace.name`. Rows are matched to columns by name; new columns are added, types
    are promoted where that loses nothing. Within one commit a table may be appended to as often as
    wanted, but a change that has to read it must be the only one.
    """

    __slots__ = ("_branch", "_lake", "intents")

    def __init__(self, lake: Tables, branch: str) -> None:
        self._lake = lake
        self._branch = branch
        self.intents: list[Intent] = []

    def append(self, key: AssetKey | str, rows: Any, *, partition_by: Layout = ()) -> None:
        """Add rows; makes the table if it is not there."""
        table, data = key_of(key), rows_of(rows)
        target = self._target(table, data.schema, partition_by=partition_by, replaces=False)
        self._write(target, "append", write_arrow(data, target))

    def overwrite(self, key: AssetKey | str, rows: Any, *, partition_by: Layout = ()) -> None:
        """Replace all rows, and the columns with them."""
        table, data = key_of(key), rows_of(rows)
        target = self._target(table, data.schema, partition_by=partition_by, replaces=True)
        self._write(target, "overwrite", write_arrow(data, target))

    def replace_partitions(self, key: AssetKey | str, rows: Any) -> None:
        """Replace the partitions that the rows fall into.

        Raises:
            UserError: The table is not partitioned.
        """
        ref, target, data = self._existing(key, rows)
        if not target.spec.fields:
            raise UserError(
                "A5045",
                f"{ref.key} has no partitions to replace.",
                hint="Write it with partition_by once, or overwrite it.",
            )
        self._change(ref, target, "replace_partitions", replace_rows(ref, data, target=target))

    def upsert(self, key: AssetKey | str, rows: Any, *, on: Sequence[str]) -> None:
        """Replace the rows with the same key, add the others.

        Raises:
            KeyNotUnique: A key repeats in the rows, or is null.
        """
        table = key_of(key)
        if self._lake.entry(table, self._branch) is None:
            empty = rows_of(rows).schema.empty_table()
            ref, target, data = self._new(table, rows, empty)
        else:
            ref, target, data = self._existing(table, rows)
        change = upsert_rows(ref, data, on=on, target=target)
        self._change(ref, target, "upsert", change, row_key=tuple(on))

    def delete(self, key: AssetKey | str, keys: Any, *, on: Sequence[str]) -> int:
        """Delete the rows that have one of some keys; gives how many there were."""
        ref = self._ref(key_of(key))
        data = table_of(keys)
        target = self._lake.target(
            self._branch, ref.key, ref.schema, attempt="delete", replaces=False
        )
        change = delete_rows(ref, data, on=on, target=target)
        if change.removed:
            self._change(ref, target, "delete", change)
        return change.matched_count

    def compact(self, key: AssetKey | str) -> int:
        """Put small files of one partition together; gives how many were replaced."""
        ref = self._ref(key_of(key))
        groups: dict[object, list[DataFile]] = {}
        for file in ref.files:
            if file.size_bytes < SMALL_BYTES or file.spec_id != ref.spec.spec_id:
                groups.setdefault((file.spec_id, file.partition), []).append(file)
        chosen = tuple(
            file
            for files in groups.values()
            if len(files) > 1 or files[0].spec_id != ref.spec.spec_id
            for file in files
        )
        if not chosen:
            return 0
        target = self._lake.target(
            self._branch, ref.key, ref.schema, attempt="compact", replaces=False
        )
        added = write_arrow(read_batches(_with_files(ref, chosen)), target)
        entry = self._lake.entry(ref.key, self._branch)
        assert entry is not None, "what was read has an entry"
        self._write(
            target,
            "compact",
            added,
            provenance=entry.provenance,
            removed=tuple(file.path for file in chosen),
        )
        return len(chosen)

    def drop(self, key: AssetKey | str) -> None:
        """Remove a table or view from the branch, with its cursor."""
        self.intents.append(
            TableWrite(
                key=key_of(key),
                operation="drop",
                provenance=Provenance(origin="manual", data_version=""),
                schema=Schema(fields=()),
            )
        )

    def view(
        self, key: AssetKey | str, sql: str, *, schema: Schema, inputs: Sequence[AssetKey] = ()
    ) -> None:
        """Define a view."""
        version = derived_version("view", sql)
        self.intents.append(
            ViewWrite(
                key=key_of(key),
                sql=sql,
                schema=schema,
                inputs=tuple(inputs),
                provenance=Provenance(origin="manual", data_version=version),
            )
        )

    def cursor(self, key: AssetKey | str, value: Mapping[str, object]) -> None:
        """Move a table's replication position."""
        self.intents.append(CursorWrite(key=key_of(key), value=value))

    def add(self, intent: Intent) -> None:
        """Add an intent that was made elsewhere."""
        self.intents.append(intent)

    def _existing(self, key: AssetKey | str, rows: Any) -> tuple[TableRef, WriteTarget, pa.Table]:
        ref, data = self._ref(key_of(key)), table_of(rows)
        return ref, self._target(ref.key, data.schema, partition_by=(), replaces=False), data

    def _new(
        self, key: AssetKey, rows: Any, empty: pa.Table
    ) -> tuple[TableRef, WriteTarget, pa.Table]:
        self._refuse_second_change(key)
        target = self._target(key, empty.schema, partition_by=(), replaces=False)
        ref = TableRef(
            key=key,
            schema=target.schema,
            files=(),
            warehouse=target.warehouse,
            spec=target.spec,
            table_id=target.table_id,
        )
        return ref, target, table_of(rows)

    def _ref(self, key: AssetKey) -> TableRef:
        self._refuse_second_change(key)
        return table_at(self._lake.relation, key, self._branch)

    def _refuse_second_change(self, key: AssetKey) -> None:
        if any(intent.key == key for intent in self.intents):
            raise UserError(
                "A5046",
                f"{key} was changed in this transaction already, so its rows cannot be read.",
                hint="Commit first, or give all its rows to one call.",
            )

    def _target(
        self, key: AssetKey, schema: pa.Schema, *, partition_by: Layout, replaces: bool
    ) -> WriteTarget:
        return self._lake.target(
            self._branch,
            key,
            schema_of_arrow(schema),
            attempt="python",
            partition_by=layout_of(partition_by),
            replaces=replaces,
        )

    def _change(
        self,
        ref: TableRef,
        target: WriteTarget,
        operation: Operation,
        change: RowChange,
        *,
        row_key: tuple[str, ...] = (),
    ) -> None:
        reads = operation != "replace_partitions"
        self._write(
            target,
            operation,
            change.added,
            removed=change.removed,
            partitions=change.partitions,
            row_key=row_key,
            base_version=ref.data_version if reads else "",
        )

    def _write(
        self,
        target: WriteTarget,
        operation: Operation,
        added: tuple[DataFile, ...],
        *,
        provenance: Provenance | None = None,
        **more: Any,
    ) -> None:
        version = derived_version("written by hand", target.table_id, target.prefix)
        self.intents.append(
            TableWrite(
                key=target.key,
                operation=operation,
                provenance=provenance or Provenance(origin="manual", data_version=version),
                schema=target.schema,
                spec=target.spec,
                table_id=target.table_id,
                added=added,
                **more,
            )
        )


def key_of(key: AssetKey | str) -> AssetKey:
    """Read a key."""
    return key if isinstance(key, AssetKey) else AssetKey.parse(key)


def rows_of(rows: Any) -> Rows:
    """Take Arrow as it is, and everything that can give Arrow (pandas, polars, dictionaries)."""
    if isinstance(rows, pa.Table | pa.RecordBatchReader):
        return rows
    if hasattr(rows, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(rows)
    return pa.table(rows)


def table_of(rows: Any) -> pa.Table:
    """Take rows into memory."""
    data = rows_of(rows)
    return data if isinstance(data, pa.Table) else data.read_all()


def table_at(relation: Callable[[AssetKey, str], Relation], key: AssetKey, at: str) -> TableRef:
    """Look up a table.

    Raises:
        UserError: It is a view.
        AssetNotFound: It is not there.
    """
    found = relation(key, at)
    if not isinstance(found, TableRef):
        raise UserError(
            "A5044",
            f"{key} is a view, and has no rows of its own.",
            hint=f'Query it: mainstem query "select * from {key}".',
        )
    return found


def read(
    relation: Callable[[AssetKey, str], Relation],
    key: AssetKey | str,
    at: str,
    columns: Sequence[str] | None,
) -> pa.Table:
    """Read a table as Arrow."""
    return read_arrow(table_at(relation, key_of(key), at), columns)


def layout_of(columns: Layout) -> tuple[LayoutColumn, ...]:
    """Read `partition_by`: `carrier`, `month(time_hour)`."""
    return tuple(
        column if isinstance(column, LayoutColumn) else _layout_column(column) for column in columns
    )


def _layout_column(text: str) -> LayoutColumn:
    call = _CALL.fullmatch(text.strip())
    if call is not None:
        return LayoutColumn(column=call[2].strip(), transform=call[1])  # type: ignore[arg-type]  # the pattern has no other
    if "(" in text:
        raise SelectionInvalid(
            "A5047",
            f"`{text}` is not a partition of files.",
            hint="Write a column, or year, month, day or hour of one: month(time_hour).",
        )
    return LayoutColumn(column=text.strip())


def _with_files(ref: TableRef, files: tuple[DataFile, ...]) -> TableRef:
    return TableRef(
        key=ref.key,
        schema=ref.schema,
        files=files,
        warehouse=ref.warehouse,
        schemas=ref.schemas,
        spec=ref.spec,
        specs=ref.specs,
        table_id=ref.table_id,
    )
