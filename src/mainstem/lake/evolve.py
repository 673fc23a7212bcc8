# SPDX-License-Identifier: Apache-2.0
"""Schema edits as commits: a table's next schema, allocated and committed in one transaction."""

from __future__ import annotations

from collections.abc import Callable

from mainstem.lake.allocation import TableAllocator
from mainstem.lake.catalog import Catalog
from mainstem.lake.content import load_state, table_at
from mainstem.lake.ref import head_of, load_ref
from mainstem.lake.table_state import TableState
from mainstem.lake.values import Commit
from mainstem.lake.writing import commit
from mainstem.types import AssetKey, Schema, TableWrite

Edit = Callable[[TableState, TableAllocator], Schema]


def evolve(
    catalog: Catalog, branch: str, key: AssetKey, edit: Edit, *, message: str, author: str = ""
) -> Commit:
    """Edit a table's schema on a branch; no file is touched and the data version stays.

    Raises:
        AssetNotFound: There is no such table.
        UserError: It is a view.
        SchemaDrifted: The edit is not possible.
    """
    head = head_of(catalog, load_ref(catalog, branch, kind="branch"))
    entry = table_at(catalog, head, key)
    state = load_state(catalog, entry.content)
    schema = edit(state, TableAllocator(catalog, state.table_id))
    write = TableWrite(
        key=entry.key,
        operation="evolve",
        provenance=entry.provenance,
        schema=schema,
        spec=state.spec,
        table_id=state.table_id,
    )
    return commit(catalog, branch, [write], message=message, author=author)
