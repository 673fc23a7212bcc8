# SPDX-License-Identifier: Apache-2.0
"""Writing the rows of some partitions in place of those that a table has of them."""

from __future__ import annotations

from collections.abc import Sequence

from mainstem.errors import StepFailed, Where
from mainstem.graph import Asset
from mainstem.models.row_key import register_part
from mainstem.runs import (
    PartitionSlice,
    StepContext,
    bounds_of,
    layout_of,
    prune,
    required_condition,
)
from mainstem.types import (
    DataFile,
    LayoutColumn,
    Provenance,
    Schema,
    Session,
    TableRef,
    TableWrite,
    WriteTarget,
)


def write_partitions(
    session: Session, context: StepContext, asset: Asset, sql: str, schema: Schema
) -> tuple[TableWrite, int, WriteTarget]:
    """Write what a query gives for the partitions of a step; its other rows are left out.

    Files that hold rows of other partitions too are rewritten without those that are replaced.

    Returns:
        The change, how many rows came in, and where they went.

    Raises:
        ModelInvalid: The rows have no column that tells their partition (A2067).
    """
    slice_ = context.partition
    assert slice_ is not None, "called for partitioned assets"
    belongs = required_condition(slice_.rows, schema, asset.key)
    target = context.target(
        asset.key,
        schema,
        partition_by=layout(asset, slice_, schema),
        replaces=slice_.starts_over,
    )
    exact, mixed = files_to_replace(context, asset, slice_)
    own = f"select * from (\n{sql}\n) as result where {belongs}"
    others = 0
    if mixed:
        current = context.current(asset.key)
        assert isinstance(current, TableRef), "files belong to a table"
        old = register_part(session, current, mixed, "mixed")
        stays = required_condition(slice_.rows, current.schema, asset.key)
        rest = f"select * from {old} where ({stays}) is not true"
        others = session.rows(f"select count(*) from ({rest})")[0][0]
        own = f"{own} union all by name {rest}"
    files = session.write(own, target)
    row_count = sum(file.record_count for file in files) - others
    write = partition_write(asset, target, files, (*exact, *mixed))
    return write, row_count, target


def partition_write(
    asset: Asset, target: WriteTarget, added: tuple[DataFile, ...], removed: Sequence[DataFile]
) -> TableWrite:
    """Say which files stand for the partitions from now on.

    Neither a row key nor a base version: other partitions may have come since, and those commute;
    that the files which go are still there is what counts.
    """
    return TableWrite(
        key=asset.key,
        operation="upsert" if removed else "append",
        provenance=Provenance(origin="derived", data_version=""),
        schema=target.schema,
        spec=target.spec,
        table_id=target.table_id,
        added=added,
        removed=tuple(file.path for file in removed),
    )


def layout(asset: Asset, slice_: PartitionSlice, schema: Schema) -> tuple[LayoutColumn, ...]:
    """Give the layout of an asset's files: as declared, or what fits its partitions."""
    return asset.partition_by or layout_of(slice_.rows, slice_.grains, schema)


def files_to_replace(
    context: StepContext, asset: Asset, slice_: PartitionSlice
) -> tuple[tuple[DataFile, ...], tuple[DataFile, ...]]:
    """Give the files of the table that hold only rows of the partitions, and that may hold some."""
    current = context.current(asset.key)
    if slice_.starts_over or not isinstance(current, TableRef):
        return (), ()
    found = prune(current, slice_.rows)
    return found.exact, found.mixed


def require_own_rows(
    asset: Asset, slice_: PartitionSlice, target: WriteTarget, files: tuple[DataFile, ...]
) -> None:
    """Make sure, by statistics, that a function gave rows of its partitions only.

    Raises:
        ModelInvalid: The rows have no column that tells their partition (A2067).
        StepFailed: Some belong to another partition, or to none (A2068).
    """
    required_condition(slice_.rows, target.schema, asset.key)
    written = TableRef(
        key=asset.key,
        schema=target.schema,
        files=files,
        warehouse=target.warehouse,
        schemas={target.schema.schema_id: target.schema},
    )
    found = prune(written, slice_.rows)
    if len(found.exact) == len(files):
        return
    seen = [
        f"`{column}` from {low} to {high}"
        for file in files
        for column, (low, high) in bounds_of(file, target.schema).items()
        if asset.partitions is not None and column in map(str.casefold, asset.partitions.columns)
    ]
    raise StepFailed(
        "A2068",
        f"{asset.key} gave rows that are not of the partition {slice_.text}"
        f"{': ' + seen[0] if seen else ''}.",
        hint="`context.partition` has its key, start and end; the end is not part of it.",
        where=Where(file=asset.file, line=asset.line, asset=str(asset.key)),
    )
