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
from mainstem.ingest.unpacking import Part, opened

LONGEST_RAW = 10_000
"""Characters that DuckDB keeps of a row that it rejects."""
LONGEST_LINE = 2_000_000
"""Bytes that DuckDB reads of a line."""
_BUFFER = 32_000_000
"""In a plain file that is smaller nothing goes past the end of a buffer."""
_BLOCK = 1 << 20


class LongLine(NamedTuple):
    """A line that is longer than a row may be."""

    position: int
    size: int


def is_kept(raw: str, part: Part, position: int, dialect: Dialect) -> bool:
    """Tell whether all that a quote swallowed is in the text that the reader noted.

    Args:
        raw: That text.
        part: The file.
        position: Where the noted row begins in it, in bytes.
        dialect: How it is written.
    """
    if len(raw) >= LONGEST_RAW:
        return False
    fault = _fault(raw, dialect)
    if "unexpected end" not in fault:
        # Without a fault it is the row before the one that is meant.
        return bool(fault)
    end = position + len(raw.encode())
    with opened(part) as file:
        _skip(file, end)
        return not file.read(_BLOCK).strip()


def is_faulty(raw: str, dialect: Dialect) -> bool:
    """Tell whether a row breaks the rules of quoting."""
    return bool(_fault(raw, dialect))


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


def _fault(raw: str, dialect: Dialect) -> str:
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
