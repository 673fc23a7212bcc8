# SPDX-License-Identifier: Apache-2.0
"""Ids of a table, given out once for the whole lake, never per branch (SEMANTICS, Branches).

Two branches that add the same column, schema or layout get the same id for it, so their files merge
without being touched; sequence numbers only grow, so external readers never see a table go back.
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b
from uuid import UUID

from mainstem.lake.catalog import Catalog, microseconds
from mainstem.lake.evolution import schema_text
from mainstem.lake.table_state import SnapshotIds
from mainstem.types import AssetKey, Schema

_COLUMNS = {
    "field": "last_field",
    "schema": "last_schema",
    "spec": "last_spec",
    "partition": "last_partition",
}


def table_id_of(catalog: Catalog, key: AssetKey) -> str:
    """Give the id of the table of a name; made at first sight, the same on all branches.

    A table that is dropped and made again keeps it, and its sequence numbers go on.
    """
    rows = catalog.transaction.execute(
        "select table_id from lake_table where folded = ?", (key.folded,)
    )
    if rows:
        known: str = rows[0][0]
        return known
    seed = f"{key.folded}\0{microseconds(catalog.now)}\0{catalog.warehouse}".encode()
    table_id = str(UUID(bytes=blake2b(seed, digest_size=16).digest(), version=4))
    catalog.transaction.execute(
        "insert into lake_table (table_id, folded, last_sequence, last_field, last_schema,"
        " last_spec, last_partition, last_prefix) values (?, ?, 0, 0, -1, -1, 999, 0)",
        (table_id, key.folded),
    )
    return table_id


class TableAllocator:
    """The ids of one table; meets `evolution.Allocator`."""

    __slots__ = ("_catalog", "_newest", "table_id")

    def __init__(self, catalog: Catalog, table_id: str) -> None:
        self._catalog = catalog
        self._newest: dict[tuple[str, bytes], int] | None = None
        self.table_id = table_id

    def field_id(self, path: str, type_text: str, *, avoid: Collection[int]) -> int:
        """Give the id of a column: the newest one given for the path and type, if not avoided."""
        return self._given("field", f"{path}\0{type_text}", avoid=avoid)

    def schema_id(self, text: str) -> int:
        """Give the id of a schema, the same for the same text."""
        return self._given("schema", text)

    def spec_id(self, text: str) -> int:
        """Give the id of a layout, the same for the same text."""
        return self._given("spec", text)

    def partition_field_id(self, source_id: int, transform: str) -> int:
        """Give the id of a partition field, from 1000 on, the same for the same two."""
        return self._given("partition", f"{source_id}\0{transform}")

    def prefix_number(self) -> int:
        """Give a number that no other attempt at this table has."""
        return self._next("last_prefix")

    def snapshot_ids(self) -> SnapshotIds:
        """Give the numbers of one new snapshot."""
        sequence = self._next("last_sequence")
        # Unique like the random ids of other writers, but the same in a replayed history.
        digest = blake2b(f"{self.table_id}\0{sequence}".encode(), digest_size=8).digest()
        return SnapshotIds(
            snapshot_id=(int.from_bytes(digest, "big") >> 2) or 1,
            sequence_number=sequence,
            timestamp_ms=microseconds(self._catalog.now) // 1000,
            new_schema_id=self._new_schema_id,
        )

    def _new_schema_id(self, schema: Schema) -> int:
        return self.schema_id(schema_text(schema))

    def _given(self, kind: str, text: str, *, avoid: Collection[int] = ()) -> int:
        if self._newest is None:
            self._newest = self._load()
        what = blake2b(text.encode(), digest_size=16).digest()
        newest = self._newest.get((kind, what))
        if newest is not None and newest not in avoid:
            return newest
        number = self._newest[kind, what] = self._next(_COLUMNS[kind])
        self._catalog.transaction.execute(
            "insert into lake_given (table_id, kind, what, number) values (?, ?, ?, ?)",
            (self.table_id, kind, what, number),
        )
        return number

    def _load(self) -> dict[tuple[str, bytes], int]:
        """Read all that was given: one question instead of one a column."""
        rows = self._catalog.transaction.execute(
            "select kind, what, max(number) from lake_given where table_id = ? group by kind, what",
            (self.table_id,),
        )
        return {(kind, bytes(what)): number for kind, what, number in rows}

    def _next(self, column: str) -> int:
        rows = self._catalog.transaction.execute(
            f"update lake_table set {column} = {column} + 1 where table_id = ? returning {column}",
            (self.table_id,),
        )
        number: int = rows[0][0]
        return number
