# SPDX-License-Identifier: Apache-2.0
"""Where an attempt writes: ids allocated, folder made, the names of its files recorded first.

Because a prefix is in the database before a file with it exists, a sweep after a crash knows all
files there can be. Called by `Lake.target`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from mainstem.errors import StorageFailed
from mainstem.lake.allocation import TableAllocator, table_id_of
from mainstem.lake.catalog import Catalog, microseconds
from mainstem.lake.content import find_entry, load_state
from mainstem.lake.evolution import assign_ids
from mainstem.lake.layout import assign_spec
from mainstem.lake.ref import head_of, load_open
from mainstem.lake.table_state import table_location
from mainstem.types import AssetKey, LayoutColumn, PartitionSpec, Schema, WriteTarget

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


def prepare(
    catalog: Catalog,
    branch: str,
    key: AssetKey,
    schema: Schema,
    *,
    attempt: str,
    partition_by: Sequence[LayoutColumn] = (),
    replaces: bool = True,
) -> WriteTarget:
    """Allocate ids for a schema and record where its files will be; the folder is not made yet.

    Raises:
        SchemaDrifted: A type change that is no legal promotion (only with `replaces=False`), or
            `partition_by` names no column.
        RefNotFound: There is no such branch.
        BranchConflict: It is sealed.
    """
    head = head_of(catalog, load_open(catalog, branch))
    entry = find_entry(catalog, head.root, key)
    state = (
        load_state(catalog, entry.content) if entry is not None and entry.kind == "table" else None
    )
    table_id = table_id_of(catalog, key)
    allocator = TableAllocator(catalog, table_id)
    assigned = assign_ids(
        schema,
        state.schema if state is not None else None,
        allocator,
        replaces=replaces,
        dropped=state.dropped_ids if state is not None else (),
    )
    keeps_layout = state is not None and not replaces and not partition_by
    spec = (
        state.spec
        if state is not None and keeps_layout
        else assign_spec(partition_by, assigned, allocator)
    )
    return record_target(
        catalog,
        key,
        schema=assigned,
        spec=spec,
        allocator=allocator,
        location=state.location if state is not None else table_location(key, table_id),
        attempt=attempt,
    )


def record_target(
    catalog: Catalog,
    key: AssetKey,
    *,
    schema: Schema,
    spec: PartitionSpec,
    allocator: TableAllocator,
    location: str,
    attempt: str,
) -> WriteTarget:
    """Record how the names of an attempt's files will begin; ids are allocated already."""
    directory = f"{location}/data"
    safe = _UNSAFE.sub("-", attempt).strip("-.")[:80] or "attempt"
    prefix = f"{safe}-{allocator.prefix_number()}-"
    catalog.transaction.execute(
        "insert into lake_prefix (directory, prefix, created_at) values (?, ?, ?)",
        (directory, prefix, microseconds(catalog.now)),
    )
    return WriteTarget(
        key=key,
        warehouse=catalog.warehouse,
        directory=directory,
        prefix=prefix,
        schema=schema,
        spec=spec,
        table_id=allocator.table_id,
    )


def make_folder(target: WriteTarget) -> None:
    """Make a target's folder so that it survives power loss; called once the record is committed.

    Raises:
        StorageFailed: It cannot be made.
    """
    folder = Path(target.warehouse, target.directory)
    if folder.is_dir():
        return
    missing = [folder, *(parent for parent in folder.parents if not parent.exists())]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for made in missing:
            descriptor = os.open(made.parent, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    except OSError as error:
        raise StorageFailed(
            "A5023",
            f"The folder {folder} for the files of {target.key} cannot be made: {error.strerror}.",
            hint="Check that the warehouse is on a disk with space and belongs to you.",
        ) from error
