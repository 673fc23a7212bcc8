# SPDX-License-Identifier: Apache-2.0
"""The shape of a seed's file, checked before it is read: a seed is code, so nothing is guessed.

The engine's reader makes the best of a file: it shifts columns, renames them, skips lines. Here a
row of another length than the header, a header twice or no header at all is an error with its line.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from mainstem.errors import ContractBroken, SourceUnavailable, Where

_DELIMITERS = (",", ";", "\t", "|")


def require_shape(path: Path, shown: str, *, delimiter: str) -> str:
    """Check a file; give its delimiter.

    Args:
        path: The file.
        shown: Its name in errors.
        delimiter: As set; the one that the header has most of without.

    Raises:
        ContractBroken: With the line that does not fit.
        SourceUnavailable: The file is gone since the project was loaded.
    """
    text = _text(path, shown)
    first = text.partition("\n")[0]
    if not first.strip():
        raise _broken(shown, 1, "has no header in its first line", "Write the columns' names.")
    chosen = delimiter or max(_DELIMITERS, key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=chosen)
    try:
        header = next(rows)
        _require_distinct(header, shown)
        for row in rows:
            if row and len(row) != len(header):
                raise _broken(
                    shown,
                    rows.line_num,
                    f"has {len(row)} field{'' if len(row) == 1 else 's'} in line {rows.line_num}, "
                    f"where its header has {len(header)}",
                    "Correct the line; a value that holds the delimiter stands in double quotes.",
                )
    except csv.Error as error:
        raise _broken(
            shown, rows.line_num, f"cannot be read as CSV: {error}", "Is a quote left open?"
        ) from error
    return chosen


def _text(path: Path, shown: str) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceUnavailable(
            "A7534",
            f"{shown} cannot be read: {error.strerror or error}.",
            hint="Is the path right?",
            where=Where(file=shown),
        ) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _broken(
            shown,
            line,
            f"is not UTF-8: byte 0x{content[error.start]:02x} in line {line}",
            "Save it in the encoding UTF-8.",
        ) from error


def _require_distinct(header: list[str], shown: str) -> None:
    seen: dict[str, int] = {}
    for position, name in enumerate(header, start=1):
        before = seen.setdefault(name.strip().casefold(), position)
        if before != position:
            raise _broken(
                shown,
                1,
                f"has the column `{name}` twice, in positions {before} and {position}",
                "Rename one of them; names are compared without case.",
            )


def _broken(shown: str, line: int, what: str, hint: str) -> ContractBroken:
    return ContractBroken(
        "A2051", f"{shown} {what}.", hint=hint, where=Where(file=shown, line=line)
    )
