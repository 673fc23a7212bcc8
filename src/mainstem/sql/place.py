# SPDX-License-Identifier: Apache-2.0
"""From character offsets to the lines and columns that errors show."""

from __future__ import annotations

from mainstem.errors import Where


def where_at(text: str, offset: int, *, file: str = "", length: int = 1) -> Where:
    """Describe a place in a text by its offset, with the source line as excerpt."""
    offset = min(max(offset, 0), len(text))
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    excerpt = text[start : end if end >= 0 else len(text)].rstrip("\r")
    return Where(
        file=file,
        line=text.count("\n", 0, start) + 1,
        column=offset - start + 1,
        length=max(1, min(length, len(excerpt) - (offset - start))),
        excerpt=excerpt,
    )


def offset_of(text: str, line: int, column: int) -> int:
    """Give the offset of a line and column, both counted from 1."""
    start = 0
    for _ in range(line - 1):
        found = text.find("\n", start)
        if found < 0:
            return len(text)
        start = found + 1
    return min(start + max(column, 1) - 1, len(text))
