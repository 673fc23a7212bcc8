# SPDX-License-Identifier: Apache-2.0
"""Where catalog and run state live: the port, and the adapters behind it: SQLite, PostgreSQL.

Not here: any table of ours; `lake` and `state` bring their own migrations. Called by both, and by
`project`, which opens the database. Lazy, as is all that `project` names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.types import lazily

if TYPE_CHECKING:
    from mainstem.database.memory import MemoryDatabase
    from mainstem.database.opening import open_database
    from mainstem.database.port import Database, Migration, Transaction, Watch

__all__ = ["Database", "MemoryDatabase", "Migration", "Transaction", "Watch", "open_database"]

_MODULES = {
    "Database": "port",
    "MemoryDatabase": "memory",
    "Migration": "port",
    "Transaction": "port",
    "Watch": "port",
    "open_database": "opening",
}

__getattr__ = lazily(__name__, _MODULES)
