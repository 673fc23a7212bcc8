# SPDX-License-Identifier: Apache-2.0
"""What computes: the DuckDB adapter of the engine port (`mainstem.types.engine`).

Here: sessions over one DuckDB instance, tables and views as relations, query results as data files.
Not here: which files a table has (`lake`), what a query means (`sql`). Nothing heavy is imported
until the first session is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.types import lazily

if TYPE_CHECKING:
    from mainstem.engines.names import in_brackets, literal, quote, quote_key, type_sql
    from mainstem.engines.opening import open_engine
    from mainstem.engines.registration import register_all

__all__ = [
    "in_brackets",
    "literal",
    "open_engine",
    "quote",
    "quote_key",
    "register_all",
    "type_sql",
]

_HOME = {
    "in_brackets": "names",
    "literal": "names",
    "open_engine": "opening",
    "quote": "names",
    "quote_key": "names",
    "register_all": "registration",
    "type_sql": "names",
}

__getattr__ = lazily(__name__, _HOME)
