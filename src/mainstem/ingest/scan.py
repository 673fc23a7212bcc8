# SPDX-License-Identifier: Apache-2.0
"""A scan: files of one table as one query, whatever their format.

A scan knows the columns as the files have them, gives SQL that reads them in chosen types, and
keeps apart what does not fit: `faults` and `rejects` tell of it once the query has been run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from mainstem.types import Session, dataclass

FILE_COLUMN = "__mainstem_file"
"""Position of the file in the scan, if asked for."""
PATH_COLUMN = "__mainstem_path"
"""Path of the file, within scans."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind of fault, counted, with an example."""

    kind: str
    """`cast` for a value that does not fit its type; else a name for the fault of the row."""
    column: str
    """As in the file; empty if the row as a whole is wrong."""
    rows: int
    file: str
    line: int
    reason: str
    raw: str
    values: tuple[str, ...] = ()
    """Of a cast: up to 1,000 different values that did not fit."""


class Scan(Protocol):
    """Files that are read by one query."""

    columns: Mapping[str, str]
    """Name as in the files to DuckDB's type as found; in order."""

    @property
    def file_count(self) -> int:
        """How many files there are."""
        ...

    @property
    def description(self) -> str:
        """How the files were understood, for people."""
        ...

    def query(self, types: Mapping[str, str], *, with_file: bool = False) -> str:
        """Give SQL for the rows that fit, with the columns of `types` in these types."""
        ...

    def recover(self, session: Session, message: str) -> bool:
        """Learn from the text of an error; whether the query is worth another try."""
        ...

    def faults(self, session: Session) -> list[Fault]:
        """Tell what did not fit when the last query ran."""
        ...

    def rejects(self) -> str:
        """Give SQL for the rows that did not fit: file, line, column, reason, raw; or nothing."""
        ...


def file_pattern(path: str) -> str:
    """Write a path so that glob characters in it mean themselves."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in path)
