# SPDX-License-Identifier: Apache-2.0
"""From the common subset of SQL to PostgreSQL's own: placeholders, and the types of columns."""

from __future__ import annotations

import re
from functools import lru_cache

from mainstem.types import dataclass

_TOKEN = re.compile(
    r"""
    (?P<kept>'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/)
    | (?P<mark>\?)
    | (?P<word>[A-Za-z_][A-Za-z_0-9]*)
    """,
    re.VERBOSE | re.DOTALL,
)
_TYPES = {
    # A column holds what it holds in SQLite: 64 bits, and text that is ordered by code point and
    # not by the rules of some language, which differ between servers.
    "blob": "bytea",
    "integer": "bigint",
    "real": "double precision",
    "text": 'text collate "C"',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement as PostgreSQL takes it."""

    text: str
    has_rows: bool
    """Whether it gives rows; the answer to any other need not be waited for."""


@lru_cache(maxsize=2000)
def statement_of(sql: str) -> Statement:
    """Number the placeholders, those outside of literals and comments, and translate types."""
    sql = _with_types(sql)
    parts: list[str] = []
    words: set[str] = set()
    first, at, count = "", 0, 0
    for token in _TOKEN.finditer(sql):
        if token["mark"]:
            count += 1
            parts += [sql[at : token.start()], f"${count}"]
            at = token.end()
        elif token["word"]:
            word = token["word"].lower()
            first = first or word
            words.add(word)
    parts.append(sql[at:])
    return Statement(
        text="".join(parts),
        has_rows=first in {"select", "values", "with", "show", "explain"} or "returning" in words,
    )


def _with_types(sql: str) -> str:
    """Give the columns of a `create table` or `alter table` the types that hold the same."""
    if not re.match(r"\s*(create|alter)\s+table\b", sql, re.IGNORECASE):
        return sql
    parts: list[str] = []
    at, is_after_name = 0, False
    for token in _TOKEN.finditer(sql):
        between = sql[at : token.start()]
        is_named = is_after_name and between.isspace()
        known = _TYPES.get(token.group().lower()) if token["word"] and is_named else None
        parts += [between, known or token.group()]
        at = token.end()
        # In `text text` the first is a name, as is what follows `add column`.
        is_after_name = known is None and token.group().lower() != "column"
    parts.append(sql[at:])
    return "".join(parts)
