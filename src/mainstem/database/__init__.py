# SPDX-License-Identifier: Apache-2.0
"""Where catalog and run state live: the port, and the adapters behind it: SQLite, PostgreSQL.

Not here: any table of ours; `lake` and `state` bring their own migrations. Called by both, and by
`project`, which opens the database.
"""

from mainstem.database.opening import open_database
from mainstem.database.port import Database, Migration, Transaction, Watch

__all__ = ["Database", "Migration", "Transaction", "Watch", "open_database"]
