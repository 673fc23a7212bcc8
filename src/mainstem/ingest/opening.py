# SPDX-License-Identifier: Apache-2.0
"""From files to a `Scan`: which columns they have, and of which types, by a look at each."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from mainstem.engines import literal, quote
from mainstem.errors import ConfigInvalid, ContractBroken, MainstemError
from mainstem.ingest.column_type import sql_type
from mainstem.ingest.csv_scan import CsvScan
from mainstem.ingest.dialect import SAMPLE_ROWS, Sniffed, sniff
from mainstem.ingest.scan import FILE_COLUMN, PATH_COLUMN, Scan, file_pattern
from mainstem.ingest.strict import NANOSECONDS
from mainstem.ingest.table import FileTable
from mainstem.ingest.typed_scan import TypedScan
from mainstem.ingest.unpacking import Part, opened
from mainstem.types import Session, dataclass

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DOUBLE")
_ALIASES = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ"}
_TIMES = ("DATE", "TIMESTAMP", "TIMESTAMPTZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Files as one query."""

    scan: Scan | None
    """Nothing if all files are empty."""
    empty: tuple[str, ...] = ()
    """Files without a line."""
    sniffed: tuple[Sniffed, ...] = ()
    """Of CSV files."""
    fixed: frozenset[str] = frozenset()
    """Columns (casefolded) whose type the owner set: they are never widened."""


def open_scan(
    session: Session,
    parts: Sequence[Part],
    definition: FileTable,
    *,
    scratch: Path,
    is_careful: bool = False,
) -> Opened:
    """Look at files and make them readable by one query.

    Args:
        session: Engine to look with.
        parts: Files, in the order of their rows.
        definition: What the owner says.
        scratch: Folder for copies.
        is_careful: Look at all of the files, not at a sample; slow, after a sample misled.

    Raises:
        ConfigInvalid: The files are of different formats.
        ContractBroken: A file cannot be understood.
    """
    formats = sorted({part.format for part in parts})
    if len(formats) > 1:
        raise ConfigInvalid(
            "A3017",
            f"The files of one table are {' and '.join(formats)}; they must be of one format.",
            hint="Make two tables, or set `format:`.",
        )
    match formats[0]:
        case "csv":
            return _open_csv(session, parts, definition)
        case "parquet":
            return _fixed(_open_parquet(session, parts), definition)
        case "arrow":
            return _fixed(_open_arrow(session, parts), definition)
        case _:
            return _fixed(
                _open_json(session, parts, definition, scratch=scratch, is_careful=is_careful),
                definition,
            )


def wider(left: str, right: str) -> str:
    """Give the narrowest type that holds the values of both; text holds everything."""
    if left == right:
        return left
    for ladder in (_NUMBERS, _TIMES):
        if left in ladder and right in ladder:
            return max(left, right, key=ladder.index)
    return "VARCHAR"


def _open_csv(session: Session, parts: Sequence[Part], definition: FileTable) -> Opened:
    looked = [(part, sniff(session, part, definition)) for part in parts]
    sniffed = tuple(found for _, found in looked if found is not None)
    empty = tuple(part.name for part, found in looked if found is None)
    if not sniffed:
        return Opened(scan=None, empty=empty)
    columns: dict[str, str] = {}
    written: dict[str, str] = {}
    for one in sniffed:
        for name, found in zip(one.dialect.names, one.types, strict=True):
            known = written.setdefault(name.casefold(), name)
            rule = definition.rule(name)
            if rule is not None and rule.type:
                columns[known] = sql_type(rule.type)
            elif known not in columns:
                columns[known] = found
            elif columns[known] != found:
                columns[known] = _voted(session, definition, sniffed, known)
    return Opened(
        scan=CsvScan(sniffed, definition, columns),
        empty=empty,
        sniffed=sniffed,
        fixed=_declared(definition),
    )


def _voted(session: Session, definition: FileTable, sniffed: Sequence[Sniffed], column: str) -> str:
    """Widen over the files that have a value in the column: one of only nulls has no say."""
    found = ""
    for one in sniffed:
        by_folded = {name.casefold(): name for name in one.dialect.names}
        name = by_folded.get(column.casefold())
        if name is None:
            continue
        of = one.types[one.dialect.names.index(name)]
        if of == "VARCHAR" and not _has_value(session, definition, one, name):
            continue
        found = wider(found, of) if found else of
    return found or "VARCHAR"


def _has_value(session: Session, definition: FileTable, one: Sniffed, name: str) -> bool:
    scan = CsvScan([one], definition, {})
    sample = f"from ({scan.query({name: 'VARCHAR'})}) limit {SAMPLE_ROWS}"
    rows = session.rows(f"select count({quote(name)}) from ({sample})")
    return bool(rows[0][0])


def _declared(definition: FileTable) -> frozenset[str]:
    return frozenset(rule.name.casefold() for rule in definition.columns if rule.type)


def _fixed(found: Opened, definition: FileTable) -> Opened:
    declared = _declared(definition)
    scan = found.scan
    if not isinstance(scan, TypedScan):
        return found
    fine = {name.casefold() for name, of in scan.columns.items() if of == NANOSECONDS}
    return replace(found, scan=replace(scan, declared=declared), fixed=declared | fine)


def _open_parquet(session: Session, parts: Sequence[Part]) -> Opened:
    scan = f"read_parquet({_list(parts)}, union_by_name=true, filename={literal(PATH_COLUMN)})"
    return _typed(
        session, f"select * exclude ({PATH_COLUMN}), {_position(parts)} from {scan}", parts
    )


def _open_arrow(session: Session, parts: Sequence[Part]) -> Opened:
    selects = []
    for index, part in enumerate(parts):
        name = f"mainstem_arrow_file_{index}"
        session.register_arrow(name, _arrow().arrow_table(part))
        selects.append(f"select *, {index} as {FILE_COLUMN} from {quote(name)}")
    return _typed(session, " union all by name ".join(selects), parts)


def _arrow() -> Any:
    return importlib.import_module("mainstem.ingest.arrow_file")


def _open_json(
    session: Session,
    parts: Sequence[Part],
    definition: FileTable,
    *,
    scratch: Path,
    is_careful: bool,
) -> Opened:
    filled = [part for part in parts if _has_content(part)]
    empty = tuple(part.name for part in parts if part not in filled)
    if not filled:
        return Opened(scan=None, empty=empty)
    readable, broken = filled, list[dict[str, object]]()
    if is_careful and filled[0].format == "jsonl":
        readable, broken = _valid_lines(filled, scratch)
    form = "newline_delimited" if readable[0].format == "jsonl" else "auto"
    sample = -1 if is_careful else SAMPLE_ROWS
    options = f"{_list(readable)}, format='{form}', union_by_name=true"
    try:
        described = session.rows(
            f"describe select * from read_json({options}, sample_size={sample})"
        )
    except MainstemError as error:
        if not is_careful and filled[0].format == "jsonl":
            return _open_json(session, parts, definition, scratch=scratch, is_careful=True)
        raise _not_json(filled, error) from error
    columns = {str(name): _json_type(str(of), definition, str(name)) for name, of, *_ in described}
    typed = ", ".join(f"{literal(name)}: {literal(of)}" for name, of in columns.items())
    base = (
        f"select * exclude ({PATH_COLUMN}), {_position(readable)} from "
        f"read_json({options}, columns={{{typed}}}, filename={literal(PATH_COLUMN)})"
    )
    line_rejects = ""
    if broken:
        session.register_arrow("mainstem_broken_lines", _arrow().table_of(broken))
        line_rejects = (
            "select file, line, '' as column_name, reason, raw from mainstem_broken_lines"
        )
    return Opened(
        scan=TypedScan(
            base=base,
            columns=columns,
            names={index: part.name for index, part in enumerate(readable)},
            line_rejects=line_rejects,
        ),
        empty=empty,
    )


def _json_type(found: str, definition: FileTable, name: str) -> str:
    is_nested = found.startswith(("STRUCT", "MAP")) or found.endswith("[]")
    rule = definition.rule(name)
    if is_nested and definition.nested == "json" and not (rule is not None and rule.type):
        return "JSON"
    return found


def _not_json(parts: Sequence[Part], error: MainstemError) -> ContractBroken:
    return ContractBroken(
        "A3021",
        f"{', '.join(part.name for part in parts[:3])} cannot be read as JSON: {error.summary}",
        hint="If each line is a document of its own, set `format: jsonl`.",
    )


def _has_content(part: Part) -> bool:
    with opened(part) as file:
        return bool(file.read(4096).strip())


def _valid_lines(
    parts: Sequence[Part], scratch: Path
) -> tuple[list[Part], list[dict[str, object]]]:
    """Copy the lines that are JSON; keep the others with their number and what is wrong."""
    copies, broken = [], []
    for part in parts:
        target = scratch / f"lines-{sum(1 for _ in scratch.iterdir())}"
        with opened(part) as source, target.open("wb") as copy:
            for number, line in enumerate(source, 1):
                if not line.strip():
                    continue
                try:
                    value = orjson.loads(line)
                    reason = "" if isinstance(value, dict) else "the line is not an object"
                except orjson.JSONDecodeError as error:
                    reason = f"invalid JSON: {error.msg} at column {error.colno}"
                if not reason:
                    copy.write(line.rstrip(b"\r\n") + b"\n")
                    continue
                broken.append(
                    {
                        "file": part.name,
                        "line": number,
                        "reason": reason,
                        "raw": line.decode("utf-8", "backslashreplace").rstrip("\r\n"),
                    }
                )
        copies.append(Part(name=part.name, path=str(target), format=part.format, is_copy=True))
    return copies, broken


def _typed(session: Session, base: str, parts: Sequence[Part]) -> Opened:
    try:
        described = session.rows(f"describe {base}")
    except MainstemError as error:
        raise _not_readable(parts, error) from error
    columns: Mapping[str, str] = {
        str(name): _ALIASES.get(str(of), str(of))
        for name, of, *_ in described
        if name != FILE_COLUMN
    }
    names = {index: part.name for index, part in enumerate(parts)}
    return Opened(scan=TypedScan(base=base, columns=columns, names=names))


def _not_readable(parts: Sequence[Part], error: MainstemError) -> ContractBroken:
    for part in parts:
        # All are opened by one statement; the engine's error may name the path.
        if part.path in str(error.summary) or len(parts) == 1:
            return ContractBroken(
                "A3021",
                f"{part.name} is not a readable {part.format} file.",
                hint="Check that it was copied whole, or set `format:`.",
                details=error.summary,
            )
    names = ", ".join(part.name for part in parts[:3])
    return ContractBroken(
        "A3021",
        f"The files {names} cannot be read together: {error.summary}",
        details=error.details,
    )


def _list(parts: Iterable[Part]) -> str:
    return "[" + ", ".join(literal(file_pattern(part.path)) for part in parts) + "]"


def _position(parts: Sequence[Part]) -> str:
    cases = " ".join(f"when {literal(part.path)} then {index}" for index, part in enumerate(parts))
    return f"case {PATH_COLUMN} {cases} else -1 end as {FILE_COLUMN}"
