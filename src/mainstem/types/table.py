# SPDX-License-Identifier: Apache-2.0
"""Tables as values: data files, references for reading, targets for writing, changes to commit.

These cross every package line: engines and workers read a `TableRef` and write to a `WriteTarget`,
the lake commits a `TableWrite`. A `DataFile` is named relative to the warehouse (SEMANTICS).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from mainstem.types.key import AssetKey
from mainstem.types.layout import PartitionSpec, PartitionValue
from mainstem.types.schema import Schema
from mainstem.types.value import dataclass

Physical = bool | int | float | str
"""A bound as a plain value that compares in the column's order: int for integers, dates (days),
times, timestamps (microseconds, UTC) and decimals (unscaled); float; str for strings (whole
characters, truncated upwards for upper bounds) and for uuid and binary (lower-case hex)."""

Origin = Literal["derived", "ingested", "manual"]
Operation = Literal[
    "overwrite", "append", "replace_partitions", "upsert", "delete", "compact", "evolve", "drop"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One Parquet file with the statistics its writer computed; never read to be committed."""

    path: str
    """Relative to the warehouse, forward slashes."""
    record_count: int
    size_bytes: int
    schema_id: int
    """Schema the file was written with: tells which field ids are inside."""
    spec_id: int = 0
    partition: tuple[PartitionValue, ...] = ()
    """One value per field of the spec."""
    lower_bounds: Mapping[int, Physical] = field(default_factory=dict)
    upper_bounds: Mapping[int, Physical] = field(default_factory=dict)
    null_counts: Mapping[int, int] = field(default_factory=dict)
    value_counts: Mapping[int, int] = field(default_factory=dict)
    nan_counts: Mapping[int, int] = field(default_factory=dict)
    column_sizes: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRef:
    """All that is needed to read one version of a table; holds no data and no connection."""

    key: AssetKey
    schema: Schema
    files: tuple[DataFile, ...]
    warehouse: str
    """Absolute folder (or URI) that the files' paths are relative to."""
    schemas: Mapping[int, Schema] = field(default_factory=dict)
    """Every schema that a file of this version was written with, by id."""
    spec: PartitionSpec = field(default_factory=PartitionSpec)
    specs: Mapping[int, PartitionSpec] = field(default_factory=dict)
    row_count: int = 0
    size_bytes: int = 0
    data_version: str = ""
    table_id: str = ""
    commit_id: str = ""
    location: str = ""
    """Folder of the table, relative to the warehouse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewRef:
    """A view as text, with what its names meant when it was defined."""

    key: AssetKey
    sql: str
    """One SELECT statement in DuckDB's dialect whose tables are written as `namespace.name`."""
    schema: Schema
    """Columns when it was defined; what it reads may give it others by now."""
    inputs: tuple[AssetKey, ...] = ()
    data_version: str = ""
    commit_id: str = ""


Relation = TableRef | ViewRef


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteTarget:
    """Where and how to write data files for one attempt at one table.

    The lake has recorded `prefix` before it hands this out, so that sweeping after a crash needs
    no listing of the warehouse.
    """

    key: AssetKey
    warehouse: str
    directory: str
    """Folder for the files, relative to the warehouse; exists."""
    prefix: str
    """Every file name starts with this; it names the attempt."""
    schema: Schema
    """Columns in order with allocated ids; what is written must have these names and types."""
    spec: PartitionSpec
    table_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPartitions:
    """Partitions of one table that were built from the same: a run of its run-length record."""

    partitions: str
    """The set as text (`mainstem.graph.PartitionSet`)."""
    version: str
    """Of each of them: the fingerprint of code and of what it read of each input when built."""
    code_version: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    """By input: the version as of which they are right, or what its mapped partitions were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a version came from: kept with the table's entry in the commit."""

    origin: Origin
    data_version: str
    """Derivation id (SEMANTICS, Versions): equal ids mean equal contents, whatever the files."""
    fingerprint: str = ""
    """Of code + configuration + input versions; empty for data that was not derived."""
    code_version: str = ""
    """Hash of code and configuration alone: tells whether code or inputs changed."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Data version of each input by asset key, as read."""
    run_id: int = 0
    cursor_interval: str = ""
    """For ingested data: which part of the source, so that merges know what is disjoint."""
    partitions: tuple[BuiltPartitions, ...] = ()
    """Of a partitioned table: what each partition came from; the data version is their hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableWrite:
    """An intent: one change of one table, rebased on the head when it is committed.

    `overwrite` replaces all rows; `append` adds files; `replace_partitions` drops the files of
    `partitions` and adds; `upsert` and `delete` are copy-on-write: `removed` files are replaced by
    `added` ones and conflict if a removed file is gone; `compact` is the same with equal rows;
    `evolve` changes the schema alone; `drop` removes the table from the branch.
    """

    key: AssetKey
    operation: Operation
    provenance: Provenance
    schema: Schema
    spec: PartitionSpec = field(default_factory=PartitionSpec)
    table_id: str = ""
    added: tuple[DataFile, ...] = ()
    removed: tuple[str, ...] = ()
    """Paths of files whose rows live on in `added`, changed or not."""
    partitions: tuple[tuple[PartitionValue, ...], ...] = ()
    row_key: tuple[str, ...] = ()
    """Declared primary key columns, if any."""
    base_version: str = ""
    """Data version that the change was computed from; empty if it read nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewWrite:
    """An intent: define a view."""

    key: AssetKey
    sql: str
    schema: Schema
    inputs: tuple[AssetKey, ...]
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorWrite:
    """An intent: move a replication position; committed with the rows it stands for."""

    key: AssetKey
    value: Mapping[str, object]
    """JSON-able; for files: identity of each file that was loaded."""


Change = TableWrite | ViewWrite | CursorWrite
