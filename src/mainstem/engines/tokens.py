# SPDX-License-Identifier: Apache-2.0
"""What the words of a query tell, by DuckDB's own tokenizer: no comment or string is mistaken."""

from __future__ import annotations

import re
from collections.abc import Iterator

import duckdb

_SAYS_HUGEINT = re.compile(r"u?hugeint|u?int128|factorial", re.IGNORECASE)
_BEYOND_BIGINT = 2**63


def without_semicolon(sql: str) -> str:
    """Drop the semicolon at the end of a statement, and the comments behind it."""
    if ";" not in sql:
        return sql
    words = [word for word in _words(sql) if word[2] != duckdb.token_type.comment]
    while words and words[-1][1] == ";":
        start = words.pop()[0]
        sql = sql.encode()[:start].decode()
    return sql


def speaks_of_hugeint(sql: str) -> bool:
    """Whether a query asks for integers beyond BIGINT: a type, a literal, `factorial`."""
    if not _SAYS_HUGEINT.search(sql) and not re.search(r"\d{19}", sql):
        return False
    for _, text, kind in _words(sql):
        is_name = kind in {duckdb.token_type.identifier, duckdb.token_type.keyword}
        if is_name and _SAYS_HUGEINT.fullmatch(text.strip('"')):
            return True
        is_number = kind == duckdb.token_type.numeric_const
        if is_number and text.isdigit() and int(text) >= _BEYOND_BIGINT:
            return True
    return False


def _words(sql: str) -> Iterator[tuple[int, str, duckdb.token_type]]:
    """Give each token with its offset in bytes."""
    tokens = duckdb.tokenize(sql)
    encoded = sql.encode()
    ends = [start for start, _ in tokens[1:]] + [len(encoded)]
    for (start, kind), end in zip(tokens, ends, strict=True):
        yield start, encoded[start:end].decode(errors="replace").strip(), kind
