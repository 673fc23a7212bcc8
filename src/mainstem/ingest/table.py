# SPDX-License-Identifier: Apache-2.0
"""What an ingest file says, as frozen values: the `definition` of assets of kind `file`."""

from __future__ import annotations

from dataclasses import field
from typing import Any, Literal

from mainstem.types import dataclass

Format = Literal["auto", "csv", "json", "jsonl", "parquet", "arrow"]
Compression = Literal["auto", "none", "gzip", "zstd", "zip"]
Write = Literal["append", "replace", "upsert"]
Contract = Literal["evolve", "freeze", "quarantine", "discard_row", "discard_value"]
Nested = Literal["json", "struct"]

ENDINGS: dict[str, Format] = {
    "csv": "csv",
    "tsv": "csv",
    "psv": "csv",
    "txt": "csv",
    "tab": "csv",
    "json": "json",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "parquet": "parquet",
    "pq": "parquet",
    "arrow": "arrow",
    "feather": "arrow",
    "ipc": "arrow",
}
COMPRESSED: dict[str, Compression] = {"gz": "gzip", "zst": "zstd", "zip": "zip"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvOptions:
    """What the owner says of the dialect; `None` is sniffed."""

    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    header: bool | None = None
    skip: int = 0
    comment: str = ""
    encoding: str = "utf-8"
    date_format: str = ""
    timestamp_format: str = ""
    decimal_separator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRule:
    """What the owner says of one column, by its name in the file."""

    name: str
    type: str = ""
    """In DuckDB's words; empty: found."""
    rename: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RawCheck:
    """A check as written; `mainstem.checks` reads it, which this package may not import."""

    value: Any
    column: str | None
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTable:
    """One table that is loaded from files."""

    path: str
    """Folder of the files, relative to the project; may hold `${NAME}`."""
    patterns: tuple[str, ...]
    """Names or globs below `path`."""
    source: str
    """Name of the ingest file, as `ingest NAME` takes it."""
    format: Format = "auto"
    compression: Compression = "auto"
    member: str = "*"
    csv: CsvOptions = field(default_factory=CsvOptions)
    null_values: tuple[str, ...] = ("",)
    records: str = ""
    nested: Nested = "json"
    write: Write = "replace"
    key: tuple[str, ...] = ()
    """By the names in the table, after renaming."""
    columns: tuple[ColumnRule, ...] = ()
    select: tuple[str, ...] = ()
    where: str = ""
    new_columns: Contract = "evolve"
    other_types: Contract = "evolve"
    raw_checks: tuple[RawCheck, ...] = ()

    def rule(self, name: str) -> ColumnRule | None:
        """Find what is said of a column, without case."""
        folded = name.casefold()
        return next((rule for rule in self.columns if rule.name.casefold() == folded), None)


def format_of(name: str) -> tuple[Format, Compression]:
    """Tell format and compression by a file's ending; `auto` if it does not say."""
    parts = name.casefold().rsplit("/", 1)[-1].split(".")
    compression: Compression = "none"
    if len(parts) > 1 and parts[-1] in COMPRESSED:
        compression = COMPRESSED[parts.pop()]
    found = ENDINGS.get(parts[-1], "auto") if len(parts) > 1 else "auto"
    return found, compression
