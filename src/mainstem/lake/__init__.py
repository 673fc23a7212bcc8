# SPDX-License-Identifier: Apache-2.0
"""The lake: versions of all tables, and the tables' files.

Lazy: opening a lake and reading refs and entries imports neither pyarrow nor fastavro.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.types import lazily

if TYPE_CHECKING:
    from mainstem.lake.arrow_types import arrow_schema, schema_of_arrow
    from mainstem.lake.editing import LakeTransaction
    from mainstem.lake.lake import Lake
    from mainstem.lake.reader import read_arrow, read_batches, read_row_group, row_groups
    from mainstem.lake.ref import check_ref_name
    from mainstem.lake.upsert import delete_rows, replace_rows, upsert_rows
    from mainstem.lake.values import (
        CatalogDiff,
        Commit,
        Conflict,
        Damage,
        Entry,
        Intent,
        LinkWrite,
        MergeResult,
        Ref,
        SchemaChange,
        Swept,
        TableDiff,
    )
    from mainstem.lake.writer import write_arrow

__all__ = [
    "CatalogDiff",
    "Commit",
    "Conflict",
    "Damage",
    "Entry",
    "Intent",
    "Lake",
    "LakeTransaction",
    "LinkWrite",
    "MergeResult",
    "Ref",
    "SchemaChange",
    "Swept",
    "TableDiff",
    "arrow_schema",
    "check_ref_name",
    "delete_rows",
    "read_arrow",
    "read_batches",
    "read_row_group",
    "replace_rows",
    "row_groups",
    "schema_of_arrow",
    "upsert_rows",
    "write_arrow",
]

_MODULES = {
    "check_ref_name": "ref",
    "Lake": "lake",
    "LakeTransaction": "editing",
    "arrow_schema": "arrow_types",
    "delete_rows": "upsert",
    "read_arrow": "reader",
    "read_batches": "reader",
    "read_row_group": "reader",
    "replace_rows": "upsert",
    "row_groups": "reader",
    "schema_of_arrow": "arrow_types",
    "upsert_rows": "upsert",
    "write_arrow": "writer",
}

__getattr__ = lazily(__name__, {**dict.fromkeys(__all__, "values"), **_MODULES})
