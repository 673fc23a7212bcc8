# SPDX-License-Identifier: Apache-2.0
"""Scans of CSV files: DuckDB's reader, its table of rejects, and a guard for integers.

The reader notes line and raw text of a row that does not fit, at no cost. What it would change in
silence, the fraction of an integer, is guarded (`strict`) and found by a second reading.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Literal

from mainstem.engines import literal, quote
from mainstem.ingest.dialect import Dialect, Sniffed, scan_options
from mainstem.ingest.lost_rows import (
    LONG_LINE,
    LONGEST_LINE,
    OPEN_QUOTE,
    LongLine,
    long_lines,
    swallowed,
)
from mainstem.ingest.scan import FILE_COLUMN, PATH_COLUMN, Fault, file_pattern
from mainstem.ingest.strict import (
    INTEGERS,
    guarded,
    is_guarded,
    strict_cast,
    unguarded_column,
)
from mainstem.ingest.table import FileTable
from mainstem.ingest.unpacking import Part, lines_at
from mainstem.types import Session

_Reading = Literal["guarded", "plain", "text"]
"""Of an integer column: as doubles with a guard; as it is, because all values were looked at; as
text, because some value is none."""

_SERIAL = itertools.count()
_MAX_LOCATED = 20_000
"""Rejects whose exact lines are looked up; with more, the reader's count will do."""
_VALUE = "regexp_extract(error_message, '(?s)Could not convert string \"(.*)\" to ''', 1)"
_BREAKS_BEFORE = "length(replace(regexp_extract(csv_line, '^[\\r\\n]*'), chr(13), ''))"
"""After `\\r\\n` and empty lines the reader begins a record at a line break before it."""
_STRUCTURE = (
    "regexp_replace(regexp_replace(error_message, "
    "'Expected Number of Columns: (\\d+) Found: (\\d+)', "
    "'\\2 fields where \\1 are expected'), '^1 fields', '1 field')"
)
"""DuckDB's messages, shorter."""


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
        self._parts = {one.part.path: one.part for one in sniffed}
        self._names = {one.part.path: one.part.name for one in sniffed}
        self._headers = {one.header_line for one in sniffed if one.header_line}
        self._rejects: list[str] = []
        self._readings: dict[str, _Reading] = {}
        self._asked: Mapping[str, str] = {}
        self._lines = ""

    @property
    def file_count(self) -> int:
        """How many files there are."""
        return len(self._names)

    @property
    def description(self) -> str:
        """How the files were understood."""
        return "; ".join(
            f"{dialect}; columns {', '.join(dialect.names[:20])}" for dialect, _ in self._groups
        )

    def query(self, types: Mapping[str, str], *, with_file: bool = False) -> str:
        """Give SQL for the rows that fit; what does not goes to tables of the session."""
        self._rejects = []
        self._asked = types
        selects = []
        for (dialect, _), members in self._groups.items():
            name = f"mainstem_rejects_{next(_SERIAL)}"
            self._rejects.append(name)
            stored = {column: self._stored(column, of) for column, of in types.items()}
            scan = self._read_csv(dialect, [one.part for one in members], stored, name)
            wanted = self._wanted(dialect, types)
            if with_file:
                wanted.append(f"{self._position(PATH_COLUMN)} as {FILE_COLUMN}")
            bad = self._bad(dialect)
            where = f" where not ({bad})" if bad else ""
            selects.append(f"select {', '.join(wanted)} from {scan}{where}")
        return "\nunion all\n".join(selects)

    def recover(self, session: Session, message: str) -> bool:
        """Look at the values of a column whose guard failed, and read it otherwise from now on."""
        column = unguarded_column(message)
        if column is None or self._reading(column, self._asked[column]) != "guarded":
            return False
        self._readings[column] = "text"
        if not self._odd_values(session, column)[0]:
            self._readings[column] = "plain"
        return True

    def faults(self, session: Session) -> list[Fault]:
        """Tell what did not fit when the last query ran."""
        odd = [
            fault for column in self._text_columns() for fault in self._odd_faults(session, column)
        ]
        noted = " union all ".join(f"select 1 from {name}" for name in self._rejects)
        if not session.rows(f"select 1 from ({noted}) limit 1"):
            return [*odd, *self._long_lines(session)]
        odd += (*self._open_quotes(session), *self._long_lines(session))
        self._lines = self._locate(session)
        rows = session.rows(
            "select kind, column_name, count(distinct (file, line)), min_by(file, (file, line)), "
            "min_by(line, (file, line)), "
            # A row with two fields too many is noted twice: the last note counts them all.
            "min_by(reason, (file, line, case when kind = 'too many columns' "
            "then -(position::bigint) else position end)), "
            "min_by(raw, (file, line)), "
            "list(distinct value)[:1000] "
            f"from ({self._all_faults()}) group by kind, column_name order by kind, column_name"
        )
        return odd + [
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
        """Give SQL for the rows that did not fit: one row each, however many faults it has.

        Integers that are none have no line: the reader took them for text.
        """
        noted = (
            "select file, line, first(column_name order by position) as column_name, "
            "case when bool_or(kind = 'too many columns') then max_by(reason, position) "
            "when bool_or(kind = 'missing columns') then min_by(reason, position) "
            "else string_agg(distinct reason, '; ') end as reason, first(raw) as raw "
            f"from ({self._all_faults()}) group by file, line"
        )
        return f"select * from ({' union all '.join([noted, *self._odd_rows()])}) order by all"

    def _noted(self, name: str, error: str) -> str:
        return (
            f"select file_path, line_byte_position - 1, csv_line from {name} "
            f"join {name}_scan using (scan_id, file_id) where error_type = {literal(error)} "
            f"order by all limit {_MAX_LOCATED}"
        )

    def _open_quotes(self, session: Session) -> Iterator[Fault]:
        """Tell of quotes that swallowed rows which were not noted; one in each group of files."""
        for (dialect, _), name in zip(self._groups, self._rejects, strict=True):
            for path, position, raw in session.rows(self._noted(name, "UNQUOTED VALUE")):
                part = self._parts[path]
                found = swallowed(raw, part, position, dialect)
                if found is not None:
                    reason = (
                        "opens a quote that is never closed, or very far below; rows behind it "
                        "would be lost"
                    )
                    yield _lost(OPEN_QUOTE, part, found.line, reason, found.raw)
                    break

    def _long_lines(self, session: Session) -> Iterator[Fault]:
        """Tell of lines that are too long and were not noted; one in each file."""
        if not self._long:
            return
        noted = {
            (path, position)
            for name in self._rejects
            for path, position, _ in session.rows(self._noted(name, "LINE SIZE OVER MAXIMUM"))
        }
        for path, lines in self._long.items():
            for one in lines:
                # The reader may begin a line at the break before it.
                if noted.isdisjoint((path, one.position - before) for before in range(-2, 3)):
                    (line,) = lines_at(self._parts[path], [one.position])
                    reason = f"has {one.size:,} bytes; a row may have {LONGEST_LINE:,}"
                    yield _lost(LONG_LINE, self._parts[path], line, reason)
                    break

    @cached_property
    def _long(self) -> dict[str, list[LongLine]]:
        """Lines that are too long, by path; looked for once, however often the files are read."""
        found = {path: long_lines(part) for path, part in self._parts.items()}
        return {path: lines for path, lines in found.items() if lines}

    def _locate(self, session: Session) -> str:
        """Find the lines of rejects; give the name of a table of them, or nothing.

        The reader counts records, so a line break inside a value before puts it out: the lines are
        counted here, up to where the record begins.
        """
        places = " union all ".join(
            f"select file_path, line_byte_position - 1 as position from {name} "
            f"join {name}_scan using (scan_id, file_id)"
            for name in self._rejects
        )
        found = session.rows(
            f"select distinct file_path, position from ({places}) order by all "
            f"limit {_MAX_LOCATED + 1}"
        )
        if not found or len(found) > _MAX_LOCATED:
            return ""
        rows = []
        for path, group in itertools.groupby(found, key=lambda row: row[0]):
            positions = [position for _, position in group]
            lines = lines_at(self._parts[path], positions)
            rows += [
                {"path": path, "position": position, "line": line}
                for position, line in zip(positions, lines, strict=True)
            ]
        name = f"mainstem_lines_{next(_SERIAL)}"
        arrow_file = importlib.import_module("mainstem.ingest.arrow_file")
        session.register_arrow(name, arrow_file.table_of(rows))
        return name

    def _all_faults(self) -> str:
        # DuckDB calls both "CAST" and structure by their own names; a header in the middle of a
        # file (files put together by `cat`) is no value that a column must be widened for.
        headers = ", ".join(literal(header) for header in sorted(self._headers))
        is_header = f"trim(csv_line, chr(13) || chr(10)) in ({headers})" if headers else "false"
        is_cast = "error_type = 'CAST'"
        types = " ".join(
            f"when {literal(name.casefold())} then {literal(of)}"
            for name, of in self._asked.items()
        )
        reason = (
            f"case when {is_header} then 'the header again' when {is_cast} then '`' || {_VALUE} "
            f"|| '` is not ' || case lower(column_name) {types} else 'of its type' end "
            f"else {_STRUCTURE} end"
        )
        line, located = "errors.line", ""
        if self._lines:
            line = f"lines.line + {_BREAKS_BEFORE}"
            located = (
                f" join {self._lines} as lines on lines.path = scans.file_path "
                "and lines.position = errors.line_byte_position - 1"
            )
        selects = [
            f"select {self._display('scans.file_path')} as file, {line} as line, "
            f"case when {is_header} then 'header' else lower(error_type::varchar) end as kind, "
            f"case when {is_cast} and not {is_header} then column_name else '' end as column_name, "
            f" column_idx as position, {reason} as reason, "
            "trim(csv_line, chr(13) || chr(10)) as raw, "
            f"case when {is_cast} then {_VALUE} end as value "
            f"from {name} as errors join {name}_scan as scans using (scan_id, file_id){located}"
            for name in self._rejects
        ]
        return " union all ".join(selects)

    def _read_csv(
        self,
        dialect: Dialect,
        parts: Sequence[Part],
        types: Mapping[str, str],
        rejects: str = "",
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
            f"filename={literal(PATH_COLUMN)}",
        ]
        if rejects:
            arguments += [
                "store_rejects=true",
                "rejects_limit=0",
                f"rejects_table={literal(rejects)}",
                f"rejects_scan={literal(rejects + '_scan')}",
            ]
        else:
            arguments.append("ignore_errors=true")
        for name, value in (
            ("comment", dialect.comment),
            # Told, the reader refuses a time of day where it would cut it off in silence.
            ("dateformat", dialect.date_format or "%Y-%m-%d"),
            ("timestampformat", dialect.timestamp_format),
            ("decimal_separator", dialect.decimal_separator),
        ):
            if value:
                arguments.append(f"{name}={literal(value)}")
        return f"read_csv({', '.join(arguments)})"

    def _reading(self, column: str, of: str) -> _Reading:
        if not is_guarded(of):
            return "text"
        return self._readings.get(column, "guarded")

    def _stored(self, column: str, of: str) -> str:
        """Give the type that the reader is told."""
        if of not in INTEGERS:
            return of
        return {"guarded": "DOUBLE", "plain": of, "text": "VARCHAR"}[self._reading(column, of)]

    def _wanted(self, dialect: Dialect, types: Mapping[str, str]) -> list[str]:
        present = {column.casefold() for column in dialect.names}
        wanted = []
        for column, of in types.items():
            if column.casefold() not in present:
                sql = f"null::{of}"
            elif of in INTEGERS and self._reading(column, of) == "guarded":
                sql = guarded(column, of)
            elif of in INTEGERS and self._reading(column, of) == "text":
                sql = strict_cast(quote(column), of)
            else:
                sql = quote(column)
            wanted.append(f"{sql} as {quote(column)}")
        return wanted

    def _text_columns(self) -> list[str]:
        return [
            column
            for column, of in self._asked.items()
            if of in INTEGERS and self._reading(column, of) == "text"
        ]

    def _bad(self, dialect: Dialect) -> str:
        present = {column.casefold() for column in dialect.names}
        return " or ".join(
            _is_odd(column, self._asked[column])
            for column in self._text_columns()
            if column.casefold() in present
        )

    def _as_text(self) -> list[tuple[Dialect, str]]:
        """Give for each group of files a scan in which every column is text."""
        return [
            (dialect, self._read_csv(dialect, [one.part for one in members], {}))
            for (dialect, _), members in self._groups.items()
        ]

    def _odd_values(self, session: Session, column: str) -> tuple[int, list[str], str]:
        """Count the values of an integer column that are none; with examples and a file."""
        of = self._asked[column]
        count, values, file = 0, list[str](), ""
        for dialect, scan in self._as_text():
            if column.casefold() not in {name.casefold() for name in dialect.names}:
                continue
            found, examples, place = session.rows(
                f"select count(*), list(distinct {quote(column)})[:1000], "
                f"min({self._display(PATH_COLUMN)}) from {scan} where {_is_odd(column, of)}"
            )[0]
            if found:
                count, file = count + found, file or place
                values += examples
        return count, values, file

    def _odd_faults(self, session: Session, column: str) -> list[Fault]:
        count, values, file = self._odd_values(session, column)
        if not count:
            return []
        of = self._asked[column]
        return [
            Fault(
                kind="cast",
                column=column,
                rows=count,
                file=file,
                line=0,
                reason=f"`{values[0]}` is not {of}",
                raw="",
                values=tuple(values),
            )
        ]

    def _odd_rows(self) -> list[str]:
        selects = []
        for dialect, scan in self._as_text():
            bad = self._bad(dialect)
            if not bad:
                continue
            conditions = [
                (column, _is_odd(column, self._asked[column])) for column in self._text_columns()
            ]
            columns = " ".join(
                f"when {condition} then {literal(column)}" for column, condition in conditions
            )
            reasons = ", ".join(
                f"case when {condition} then '`' || {quote(column)} || '` is not "
                f"{self._asked[column]}' end"
                for column, condition in conditions
            )
            whole = ", ".join(f"{quote(name)} := {quote(name)}" for name in dialect.names)
            selects.append(
                f"select {self._display(PATH_COLUMN)}, null::bigint, case {columns} end, "
                f"concat_ws('; ', {reasons}), to_json(struct_pack({whole}))::varchar "
                f"from {scan} where {bad}"
            )
        return selects

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


def _lost(kind: str, part: Part, line: int, reason: str, raw: str = "") -> Fault:
    return Fault(kind=kind, column="", rows=1, file=part.name, line=line, reason=reason, raw=raw)


def _is_odd(column: str, of: str) -> str:
    return f"({quote(column)} is not null and {strict_cast(quote(column), of)} is null)"


def _files(parts: Sequence[Part]) -> str:
    paths = (literal(file_pattern(part.path)) for part in parts)
    return f"[{', '.join(paths)}]"
