# SPDX-License-Identifier: Apache-2.0
"""Rows that the CSV reader loses in silence, found beside it: each is a reason to refuse the file.

DuckDB notes what it cannot read, but not always what goes past the end of one of its buffers (32
MB): of a quote that is not closed it then notes the row before, and begins anew somewhere below; of
a line longer than its limit it notes nothing.
"""

from __future__ import annotations

import csv
import io
import os
from typing import IO, NamedTuple

from mainstem.ingest.dialect import Dialect
from mainstem.ingest.unpacking import Part, lines_at, opened

OPEN_QUOTE, LONG_LINE = "open quote", "long line"
"""Kinds of faults: rows were lost."""
LONGEST_RAW = 10_000
"""Characters that DuckDB keeps of a row that it rejects."""
LONGEST_LINE = 2_000_000
"""Bytes that DuckDB reads of a line."""
_BUFFER = 32_000_000
"""In a plain file that is smaller nothing goes past the end of a buffer."""
_BLOCK = 1 << 20


class OpenQuote(NamedTuple):
    """Where a quote is opened."""

    line: int
    raw: str
    """How the row begins, as far as it is known."""


class LongLine(NamedTuple):
    """A line that is longer than a row may be."""

    position: int
    size: int


def swallowed(raw: str, part: Part, position: int, dialect: Dialect) -> OpenQuote | None:
    """Find the open quote that swallowed more than the reader noted; nothing if it did not.

    Args:
        raw: What was noted.
        part: The file.
        position: Where the noted row begins in it, in bytes.
        dialect: How it is written.
    """
    fault = _fault(raw, dialect)
    if fault and len(raw) < LONGEST_RAW and not _ends_early(raw, part, position, fault):
        return None
    (line,) = lines_at(part, [position])
    # Without a fault it is the row before the one that is meant.
    return OpenQuote(line, raw) if fault else OpenQuote(line + 1, "")


def long_lines(part: Part) -> list[LongLine]:
    """Find the lines that are longer than a row may be, in files with several buffers."""
    if part.is_plain and os.stat(part.path).st_size <= _BUFFER:  # noqa: PTH116  # as elsewhere
        return []
    found = []
    begins = read = 0
    with opened(part) as file:
        while block := file.read(_BLOCK):
            breaks = [at for at in (block.find(b"\n"), block.find(b"\r")) if at >= 0]
            if breaks:
                if read + min(breaks) - begins > LONGEST_LINE:
                    found.append(LongLine(begins, read + min(breaks) - begins))
                begins = read + max(block.rfind(b"\n"), block.rfind(b"\r")) + 1
            read += len(block)
    if read - begins > LONGEST_LINE:
        found.append(LongLine(begins, read - begins))
    return found


def _ends_early(raw: str, part: Part, position: int, fault: str) -> bool:
    """Tell whether an open quote would have taken in more than there is of it."""
    if "unexpected end" not in fault:
        return False
    with opened(part) as file:
        _skip(file, position + len(raw.encode()))
        return bool(file.read(_BLOCK).strip())


def _fault(raw: str, dialect: Dialect) -> str:
    """Say how a row breaks the rules of quoting; nothing if it does not."""
    is_doubled = dialect.escape in {"", dialect.quote}
    try:
        rows = csv.reader(
            io.StringIO(raw, newline=""),
            delimiter=dialect.delimiter,
            quotechar=dialect.quote or None,
            doublequote=is_doubled,
            escapechar=None if is_doubled else dialect.escape,
            strict=True,
        )
        for _ in rows:
            pass
    except csv.Error as error:
        return str(error)
    except TypeError:  # a delimiter of several characters
        return "unknown" if dialect.quote in raw else ""
    return ""


def _skip(file: IO[bytes], count: int) -> None:
    while count > 0 and (block := file.read(min(_BLOCK, count))):
        count -= len(block)
