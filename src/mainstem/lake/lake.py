# SPDX-License-Identifier: Apache-2.0
"""`Lake`: what `Versions` has, and tables as Arrow.

Pyarrow is loaded when the first method that needs it is called, not before.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mainstem.errors import BranchConflict
from mainstem.lake import schema_edit
from mainstem.lake.content import load_state, table_at
from mainstem.lake.evolve import Edit, evolve
from mainstem.lake.ref import MAIN
from mainstem.lake.revision import resolve
from mainstem.lake.values import Commit
from mainstem.lake.versions import Versions
from mainstem.types import AssetKey, Field, LayoutColumn, Type

if TYPE_CHECKING:
    import pyarrow as pa

    from mainstem.lake.editing import LakeTransaction

_TRIES = 10
"""How often a change that reads what it changes is computed again when somebody was faster."""


class Lake(Versions):
    """Branches, commits and tables; safe to use from several threads and processes."""

    @contextmanager
    def transaction(
        self,
        branch: str = MAIN,
        *,
        message: str = "",
        author: str = "",
        meta: Mapping[str, Any] | None = None,
    ) -> Iterator[LakeTransaction]:
        """Gather changes for one commit, made when the block ends without an error."""
        changes = self.changes(branch)
        yield changes
        if changes.intents:
            self.commit(
                branch, changes.intents, message=message or "changes", author=author, meta=meta
            )

    def changes(self, branch: str = MAIN) -> LakeTransaction:
        """Begin to gather changes; whoever asks commits their intents."""
        found: LakeTransaction = _editing().LakeTransaction(self, branch)
        return found

    def append(
        self,
        key: AssetKey | str,
        rows: Any,
        *,
        branch: str = MAIN,
        message: str = "",
        partition_by: Sequence[LayoutColumn | str] = (),
    ) -> Commit:
        """Add rows to a table, making it if it is not there; protected branches take this too."""
        changes = self.changes(branch)
        changes.append(key, rows, partition_by=partition_by)
        return self.commit(
            branch,
            changes.intents,
            message=message or f"append to {key}",
            allow_protected=True,
            durable=self.is_protected(branch, None),
        )

    def overwrite(
        self,
        key: AssetKey | str,
        rows: Any,
        *,
        branch: str = MAIN,
        message: str = "",
        partition_by: Sequence[LayoutColumn | str] = (),
    ) -> Commit:
        """Replace all rows of a table, and its columns."""
        changes = self.changes(branch)
        changes.overwrite(key, rows, partition_by=partition_by)
        return self.commit(branch, changes.intents, message=message or f"overwrite {key}")

    def replace_partitions(
        self, key: AssetKey | str, rows: Any, *, branch: str = MAIN, message: str = ""
    ) -> Commit:
        """Replace the partitions that the rows fall into."""
        table = _editing().table_of(rows)
        return self._again(
            branch,
            message or f"replace partitions of {key}",
            lambda changes: changes.replace_partitions(key, table),
        )

    def upsert(
        self,
        key: AssetKey | str,
        rows: Any,
        *,
        on: Sequence[str],
        branch: str = MAIN,
        message: str = "",
    ) -> Commit:
        """Replace the rows with the same key, add the others.

        Raises:
            KeyNotUnique: A key repeats in the rows, or is null.
        """
        table = _editing().table_of(rows)
        return self._again(
            branch,
            message or f"upsert into {key}",
            lambda changes: changes.upsert(key, table, on=on),
        )

    def delete(
        self,
        key: AssetKey | str,
        keys: Any,
        *,
        on: Sequence[str],
        branch: str = MAIN,
        message: str = "",
    ) -> Commit:
        """Delete the rows that have one of some keys."""
        table = _editing().table_of(keys)
        return self._again(
            branch,
            message or f"delete from {key}",
            lambda changes: changes.delete(key, table, on=on),
        )

    def compact(self, key: AssetKey | str, *, branch: str = MAIN, message: str = "") -> Commit:
        """Put small files together; readers see the same rows and the same data version."""
        return self._again(
            branch, message or f"compact {key}", lambda changes: changes.compact(key)
        )

    def drop(self, key: AssetKey | str, *, branch: str = MAIN, message: str = "") -> Commit:
        """Remove a table or view from a branch; other branches and history keep it."""
        changes = self.changes(branch)
        changes.drop(key)
        return self.commit(branch, changes.intents, message=message or f"drop {key}")

    def arrow(
        self, key: AssetKey | str, at: str = MAIN, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Read a table.

        Raises:
            UserError: It is a view: those are queried.
        """
        table: pa.Table = _editing().read(self.relation, key, at, columns)
        return table

    def metadata_path(self, key: AssetKey | str, at: str = MAIN) -> str:
        """Write the Iceberg files of a table's version, if they are not there, and tell where.

        Gives the path of the `metadata.json` that any Iceberg reader opens.
        """
        project = importlib.import_module("mainstem.lake.iceberg")
        table = _key(key)
        with self.reading() as catalog:
            entry = table_at(catalog, resolve(catalog, at), table)
            path: str = project.write_metadata(
                load_state(catalog, entry.content),
                catalog.objects,
                self.warehouse,
                now=catalog.now.timestamp(),
            )
        return path

    def add_column(
        self, key: AssetKey | str, name: str, of: Type, *, branch: str = MAIN, doc: str = ""
    ) -> Commit:
        """Add an optional column, null in old rows; `of` may be nested, ids are allocated."""
        field = Field(name=name, type=of, doc=doc)
        return self._evolve(
            key,
            branch,
            f"add column {name} to {key}",
            lambda state, ids: schema_edit.add_column(
                state.schema, field, ids, dropped=state.dropped_ids
            ),
        )

    def drop_column(self, key: AssetKey | str, path: str, *, branch: str = MAIN) -> Commit:
        """Drop a column or, by dotted path, a nested field."""
        return self._evolve(
            key,
            branch,
            f"drop column {path} of {key}",
            lambda state, ids: schema_edit.drop_column(
                state.schema, path, ids, spec=state.spec, row_key=state.row_key
            ),
        )

    def rename_column(
        self, key: AssetKey | str, path: str, name: str, *, branch: str = MAIN
    ) -> Commit:
        """Rename a column or nested field; old rows keep their values."""
        return self._evolve(
            key,
            branch,
            f"rename column {path} of {key} to {name}",
            lambda state, ids: schema_edit.rename_column(state.schema, path, name, ids),
        )

    def reorder(self, key: AssetKey | str, names: Sequence[str], *, branch: str = MAIN) -> Commit:
        """Put columns first in this order; the others keep theirs."""
        return self._evolve(
            key,
            branch,
            f"reorder columns of {key}",
            lambda state, ids: schema_edit.reorder_columns(state.schema, names, ids),
        )

    def _evolve(self, key: AssetKey | str, branch: str, message: str, edit: Edit) -> Commit:
        with self.writing() as catalog:
            return evolve(catalog, branch, _key(key), edit, message=message)

    def _again(
        self, branch: str, message: str, change: Callable[[LakeTransaction], object]
    ) -> Commit:
        """Compute and commit a change that reads the table, anew if the table moved meanwhile."""
        for number in range(1, _TRIES + 1):
            changes = self.changes(branch)
            change(changes)
            try:
                return self.commit(branch, changes.intents, message=message)
            except BranchConflict:
                if number == _TRIES or self.is_closed(branch):
                    raise
        raise AssertionError("the last try returns or raises")


def _key(key: AssetKey | str) -> AssetKey:
    return key if isinstance(key, AssetKey) else AssetKey.parse(key)


def _editing() -> Any:
    return importlib.import_module("mainstem.lake.editing")
