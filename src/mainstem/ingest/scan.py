# SPDX-License-Identifier: Apache-2.0
"""A scan: files of one table as one query, whatever their format.

A scan knows the columns as the files have them, gives SQL that reads them in chosen types, and
keeps apart what does not fit: `Rejects` tells how to ask for it once the query has been run.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mainstem.engines import literal, quote
from mainstem.ingest.dialect import Dialect, Sniffed, scan_options
from mainstem.ingest.table import FileTable
from mainstem.ingest.unpacking import Part
from mainstem.types import Session

FILE_COLUMN = "__mainstem_file"
"""Position of the file in the scan, if asked for."""

PATH_COLUMN = "__mainstem_path"

_SERIAL = itertools.count()
_REASON = (
    "case error_type::varchar when 'CAST' then regexp_replace(error_message, "
    "'(?s)^.*Could not convert string \"(.*)\" to ''(.*)''.*$', '`\\1` is not \\2') "
    "else regexp_replace(error_message, 'Expected Number of Columns: (\\d+) Found: (\\d+)', "
    "'\\2 fields where \\1 are expected') end"
)
"""DuckDB's message of one fault, shorter."""


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

    def query(self, types: Mapping[str, str], *, with_file: bool = False) -> str:
        """Give SQL for the rows that fit, with the columns of `types` in these types."""
        ...

    def faults(self, session: Session) -> list[Fault]:
        """Tell what did not fit when the last query ran."""
        ...

    def rejects(self) -> str:
        """Give SQL for the rows that did not fit: file, line, column, reason, raw; or nothing."""
        ...


class CsvScan:
    """CSV files; those that are written alike are read by one `read_csv`."""

    def __init__(
        self, sniffed: Sequence[Sniffed], definition: FileTable, columns: Mapping[str, str]
    ) -> None:
        self.columns = columns
        self._definition = definition
        self._groups: dict[tuple[Dialect, str], list[Sniffed]] = {}
        for one in sniffed:
            self._groups.setdefault((one.dialect, one.part.compression), []).append(one)
        self._order = {one.part.path: index for index, one in enumerate(sniffed)}
        self._names = {one.part.path: one.part.name for one in sniffed}
        self._headers = {one.header_line for one in sniffed if one.header_line}
        self._rejects: list[str] = []

    def query(self, types: Mapping[str, str], *, with_file: bool = False) -> str:
        """Give SQL for the rows that fit; what does not goes to tables of the session."""
        self._rejects = []
        selects = []
        for (dialect, _), members in self._groups.items():
            name = f"mainstem_rejects_{next(_SERIAL)}"
            self._rejects.append(name)
            scan = self._read_csv(dialect, [one.part for one in members], types, name, with_file)
            present = {column.casefold() for column in dialect.names}
            wanted = [
                quote(column) if column.casefold() in present else f"null::{of} as {quote(column)}"
                for column, of in types.items()
            ]
            if with_file:
                wanted.append(f"{self._position(PATH_COLUMN)} as {FILE_COLUMN}")
            selects.append(f"select {', '.join(wanted)} from {scan}")
        return "\nunion all\n".join(selects)

    def faults(self, session: Session) -> list[Fault]:
        """Tell what did not fit when the last query ran."""
        rows = session.rows(
            "select kind, column_name, count(distinct (file, line)), min_by(file, (file, line)), "
            "min_by(line, (file, line)), min_by(reason, (file, line)), min_by(raw, (file, line)), "
            "list(distinct value)[:1000] "
            f"from ({self._all_faults()}) group by kind, column_name order by kind, column_name"
        )
        return [
            Fault(
                kind=kind,
                column=column or "",
                rows=count,
                file=file,
                line=line,
                reason=reason,
                raw=raw,
                values=tuple(value for value in values if value is not None),
            )
            for kind, column, count, file, line, reason, raw, values in rows
        ]

    def rejects(self) -> str:
        """Give SQL for the rows that did not fit: one row each, however many faults it has."""
        return (
            "select file, line, first(column_name order by position) as column_name, "
            "case when bool_or(kind = 'too many columns') then max_by(reason, position) "
            "when bool_or(kind = 'missing columns') then min_by(reason, position) "
            "else string_agg(distinct reason, '; ') end as reason, first(raw) as raw "
            f"from ({self._all_faults()}) group by file, line order by file, line"
        )

    def _all_faults(self) -> str:
        # DuckDB calls both "CAST" and structure by their own names; a header in the middle of a
        # file (files put together by `cat`) is no value that a column must be widened for.
        headers = ", ".join(literal(header) for header in sorted(self._headers))
        is_header = f"trim(csv_line, chr(13) || chr(10)) in ({headers})" if headers else "false"
        selects = [
            f"select {self._display('scans.file_path')} as file, errors.line as line, "
            f"case when {is_header} then 'header' else lower(error_type::varchar) end as kind, "
            f"case when {is_header} or error_type = 'TOO MANY COLUMNS' then '' "
            "else column_name end as column_name, column_idx as position, "
            f"case when {is_header} then 'the header again' else {_REASON} end as reason, "
            "csv_line as raw, "
            "case when error_type = 'CAST' then regexp_extract(error_message, "
            "'(?s)Could not convert string \"(.*)\" to ''', 1) end as value "
            f"from {name} as errors join {name}_scan as scans using (scan_id, file_id)"
            for name in self._rejects
        ]
        return " union all ".join(selects)

    def _read_csv(
        self,
        dialect: Dialect,
        parts: Sequence[Part],
        types: Mapping[str, str],
        rejects: str,
        with_file: bool,  # noqa: FBT001
    ) -> str:
        by_folded = {name.casefold(): of for name, of in types.items()}
        columns = ", ".join(
            f"{literal(name)}: {literal(by_folded.get(name.casefold(), 'VARCHAR'))}"
            for name in dialect.names
        )
        arguments = [
            _files(parts),
            scan_options(self._definition, parts[0]),
            "auto_detect=false",
            f"columns={{{columns}}}",
            f"header={str(dialect.has_header).lower()}",
            f"skip={dialect.skip}",
            f"delim={literal(dialect.delimiter)}",
            f"quote={literal(dialect.quote)}",
            f"escape={literal(dialect.escape)}",
            "store_rejects=true",
            "rejects_limit=0",
            f"rejects_table={literal(rejects)}",
            f"rejects_scan={literal(rejects + '_scan')}",
        ]
        for name, value in (
            ("comment", dialect.comment),
            ("dateformat", dialect.date_format),
            ("timestampformat", dialect.timestamp_format),
            ("decimal_separator", dialect.decimal_separator),
        ):
            if value:
                arguments.append(f"{name}={literal(value)}")
        if with_file:
            arguments.append(f"filename={literal(PATH_COLUMN)}")
        return f"read_csv({', '.join(arguments)})"

    def _display(self, column: str) -> str:
        cases = " ".join(
            f"when {literal(path)} then {literal(name)}" for path, name in self._names.items()
        )
        return f"case {column} {cases} else {column} end"

    def _position(self, column: str) -> str:
        cases = " ".join(
            f"when {literal(path)} then {index}" for path, index in self._order.items()
        )
        return f"case {column} {cases} else -1 end"


@dataclass(slots=True, kw_only=True)
class TypedScan:
    """Files whose values have types of their own: Parquet, Arrow, JSON."""

    base: str
    """SQL that gives all columns as found, and `FILE_COLUMN`."""
    columns: Mapping[str, str]
    names: Mapping[int, str] = field(default_factory=dict)
    """Names of the files by position."""
    line_rejects: str = ""
    """SQL for lines that could not be read at all."""
    _bad: str = ""
    _casts: Mapping[str, str] = field(default_factory=dict)

    def query(self, types: Mapping[str, str], *, with_file: bool = False) -> str:
        """Give SQL for the rows whose values can be cast."""
        self._casts = {
            name: of
            for name, of in types.items()
            if name in self.columns and of != self.columns[name]
        }
        wanted = [
            f"try_cast({quote(name)} as {of}) as {quote(name)}"
            if name in self._casts
            else quote(name)
            if name in self.columns
            else f"null::{of} as {quote(name)}"
            for name, of in types.items()
        ]
        if with_file:
            wanted.append(FILE_COLUMN)
        self._bad = " or ".join(_is_bad(name, of) for name, of in self._casts.items())
        where = f" where not ({self._bad})" if self._bad else ""
        return f"select {', '.join(wanted)} from ({self.base}){where}"

    def faults(self, session: Session) -> list[Fault]:
        """Tell which values could not be cast."""
        found = []
        for name, of in self._casts.items():
            rows = session.rows(
                f"select count(*), min({FILE_COLUMN}), "
                f"list(distinct {quote(name)}::varchar)[:1000] "
                f"from ({self.base}) where {_is_bad(name, of)}"
            )
            count, file, values = rows[0]
            if count:
                found.append(
                    Fault(
                        kind="cast",
                        column=name,
                        rows=count,
                        file=self.names.get(file, ""),
                        line=0,
                        reason=f"`{values[0]}` is not {of}",
                        raw="",
                        values=tuple(values),
                    )
                )
        if self.line_rejects:
            count, file, line, reason, raw = session.rows(
                "select count(*), first(file), first(line), first(reason), first(raw) "
                f"from ({self.line_rejects})"
            )[0]
            if count:
                found.append(
                    Fault(
                        kind="invalid json",
                        column="",
                        rows=count,
                        file=file,
                        line=line,
                        reason=reason,
                        raw=raw,
                    )
                )
        return found

    def rejects(self) -> str:
        """Give SQL for the rows that could not be cast; they have no line."""
        selects = [self.line_rejects] if self.line_rejects else []
        if self._bad:
            reasons = ", ".join(
                f"case when {_is_bad(name, of)} then {literal(f'{name}: not {of}')} end"
                for name, of in self._casts.items()
            )
            columns = ", ".join(
                f"case when {_is_bad(name, of)} then {literal(name)} end"
                for name, of in self._casts.items()
            )
            cases = " ".join(
                f"when {index} then {literal(name)}" for index, name in self.names.items()
            )
            whole = ", ".join(f"{quote(name)} := {quote(name)}" for name in self.columns)
            selects.append(
                f"select case {FILE_COLUMN} {cases} else '' end as file, null::bigint as line, "
                f"coalesce({columns}) as column_name, concat_ws('; ', {reasons}) as reason, "
                f"to_json(struct_pack({whole}))::varchar as raw "
                f"from ({self.base}) where {self._bad}"
            )
        return " union all ".join(selects)


def _is_bad(name: str, of: str) -> str:
    column = quote(name)
    return f"({column} is not null and try_cast({column} as {of}) is null)"


def _files(parts: Sequence[Part]) -> str:
    paths = (literal(file_pattern(part.path)) for part in parts)
    return f"[{', '.join(paths)}]"


def file_pattern(path: str) -> str:
    """Write a path so that glob characters in it mean themselves."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in path)
