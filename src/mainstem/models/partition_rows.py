# SPDX-License-Identifier: Apache-2.0
"""Writing the rows of some partitions; the run exchanges them for those that the table has."""

from __future__ import annotations

from mainstem.errors import StepFailed, Where
from mainstem.graph import Asset
from mainstem.runs import (
    PartitionSlice,
    StepContext,
    bounds_of,
    layout_for,
    prune,
    required_condition,
)
from mainstem.types import (
    DataFile,
    Provenance,
    Schema,
    Session,
    TableRef,
    TableWrite,
    WriteTarget,
)


def write_partitions(
    session: Session, context: StepContext, asset: Asset, sql: str, schema: Schema
) -> tuple[TableWrite, WriteTarget]:
    """Write what a query gives for the partitions of a step; its other rows are left out.

    Returns:
        The rows, and where they went; what they replace is found when they are committed.

    Raises:
        ModelInvalid: The rows have no column that tells their partition (A2067).
    """
    slice_ = context.partition
    assert slice_ is not None, "called for partitioned assets"
    belongs = required_condition(slice_.rows, schema, asset.key)
    target = context.target(
        asset.key,
        schema,
        partition_by=layout_for(asset, schema),
        replaces=slice_.starts_over,
    )
    files = session.write(f"select * from (\n{sql}\n) as result where {belongs}", target)
    return partition_write(asset, target, files), target


def partition_write(asset: Asset, target: WriteTarget, added: tuple[DataFile, ...]) -> TableWrite:
    """Say which files hold the rows of a step's partitions.

    Neither a row key nor a base version: other partitions may have come since, and those commute.
    """
    return TableWrite(
        key=asset.key,
        operation="append",
        provenance=Provenance(origin="derived", data_version=""),
        schema=target.schema,
        spec=target.spec,
        table_id=target.table_id,
        added=added,
    )


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
