# SPDX-License-Identifier: Apache-2.0
"""From character offsets to the lines and columns that errors show."""

from __future__ import annotations

import difflib
import re

from mainstem.errors import Where

Place = tuple[int, int, int, str]
"""Line, column, length, excerpt: what is kept of each name in a cached project."""


def where_at(text: str, offset: int, *, file: str = "", length: int = 1) -> Where:
    """Describe a place in a text by its offset, with the source line as excerpt."""
    return where_of(file, place_at(text, offset, length))


def where_of(file: str, place: Place) -> Where:
    """Give a place in a file as errors have it."""
    line, column, length, excerpt = place
    return Where(file=file, line=line, column=column, length=length, excerpt=excerpt)


def place_of(where: Where) -> Place:
    """Give what is kept of a place."""
    return (where.line, where.column, where.length, where.excerpt)


def place_at(text: str, offset: int, length: int = 1) -> Place:
    """Find a place in a text by its offset."""
    offset = min(max(offset, 0), len(text))
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    excerpt = text[start : end if end >= 0 else len(text)].rstrip("\r")
    line, column = text.count("\n", 0, start) + 1, offset - start + 1
    return (line, column, max(1, min(length, len(excerpt) - (offset - start))), excerpt)


def relocate(where: Where, template: str) -> Where:
    """Move a place in rendered SQL to the template's line that it came from, if one can be told.

    Args:
        where: Place in the rendered text.
        template: The text before rendering.
    """
    if not where.line:
        return where
    lines = [line.rstrip("\r") for line in template.split("\n")]
    word = where.excerpt[where.column - 1 : where.column - 1 + where.length]
    number = _origin(where, lines)
    if number is None:
        return Where(file=where.file, asset=where.asset)
    excerpt = lines[number]
    near = min(
        (match.start() for match in re.finditer(re.escape(word), excerpt) if word),
        key=lambda column: abs(column - where.column + 1),
        default=-1,
    )
    column = near if near >= 0 else len(excerpt) - len(excerpt.lstrip())
    length = len(word) if near >= 0 else max(1, len(excerpt.strip()))
    return Where(
        file=where.file,
        line=number + 1,
        column=column + 1,
        length=max(1, length),
        asset=where.asset,
        excerpt=excerpt,
    )


def _origin(where: Where, lines: list[str]) -> int | None:
    """Find the index of the template's line that gives a rendered line, nearest first."""
    order = sorted(range(len(lines)), key=lambda index: abs(index + 1 - where.line))
    rendered = where.excerpt.strip()
    for index in order:
        if lines[index].strip() == rendered:
            return index
    for index in order:
        pieces = _TAG.split(lines[index].strip())
        if len(pieces) > 1 and any(piece.strip() for piece in pieces):
            pattern = ".*?".join(re.escape(piece) for piece in pieces)
            if re.fullmatch(pattern, rendered, re.DOTALL):
                return index
    # Names were written out in full: the most similar line, if one is similar enough.
    close = difflib.get_close_matches(rendered, [line.strip() for line in lines], n=1, cutoff=0.6)
    return next((index for index in order if close and lines[index].strip() == close[0]), None)


_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}")
