# SPDX-License-Identifier: Apache-2.0
"""How a CSV file is written: delimiter, quotes, header and types, found on its beginning.

DuckDB's sniffer finds types and formats. Delimiter and header are found here, because the sniffer
skips lines that do not fit its guess, and a skipped line is a lost row.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator
from typing import Any

from mainstem.engines import literal
from mainstem.errors import ContractBroken, StepFailed, Where
from mainstem.ingest.table import FileTable
from mainstem.ingest.unpacking import Part, opened
from mainstem.types import Session, dataclass

_HEAD_BYTES = 256 * 1024
_HEAD_ROWS = 300
SAMPLE_ROWS = 20_480
_LINE_BREAK = re.compile(r"\r\n|\n|\r")
_MAX_SAID = 300
"""Of a line of what the reader says: it repeats the line it did not like, however long."""
_DELIMITERS = (",", ";", "\t", "|")
_ISO_DATES = frozenset({None, "", "%Y-%m-%d"})
_ISO_TIMES = frozenset({None, "", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """All that must be known to read a CSV file without guessing."""

    delimiter: str
    quote: str
    escape: str
    has_header: bool
    skip: int
    comment: str
    date_format: str
    timestamp_format: str
    decimal_separator: str
    names: tuple[str, ...]
    """As in the file; without a header `column_1`, `column_2`, ..."""

    def __str__(self) -> str:
        shown = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar", " ": "space"}
        parts = [f"delimiter {shown.get(self.delimiter, self.delimiter)}"]
        parts.append(f"quote {self.quote}" if self.quote else "no quotes")
        if self.escape not in {"", self.quote}:
            parts.append(f"escape {self.escape}")
        parts.append("header" if self.has_header else "no header")
        if self.skip:
            parts.append(f"{self.skip} lines skipped")
        if self.date_format:
            parts.append(f"dates {self.date_format}")
        if self.timestamp_format:
            parts.append(f"timestamps {self.timestamp_format}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sniffed:
    """What the beginning of one file told."""

    part: Part
    dialect: Dialect
    types: tuple[str, ...]
    """DuckDB's, one per name."""
    header_line: str = ""


def sniff(session: Session, part: Part, definition: FileTable) -> Sniffed | None:
    """Find out how a file is written; `None` if it is empty.

    Raises:
        ContractBroken: It is not UTF-8, has a column twice, or cannot be understood.
    """
    head = _head(part)
    options = definition.csv
    lines = _content_lines(head, options.skip, options.comment)
    if not lines:
        return None
    quote = '"' if options.quote is None else options.quote
    delimiter = options.delimiter or _delimiter(lines, quote)
    found = _ask(session, part, definition, delimiter=delimiter, quote=quote)
    header = _fields(lines, delimiter, quote)[0]
    has_header = found.has_header if options.header is None else options.header
    names = _names(header, part) if has_header else _positions(header, definition)
    types = dict(zip(range(len(names)), found.types, strict=False))
    dialect = Dialect(
        delimiter=delimiter,
        quote=quote,
        escape=(found.escape or quote) if options.escape is None else options.escape,
        has_header=has_header,
        skip=options.skip,
        comment=options.comment,
        date_format=options.date_format or found.date_format,
        timestamp_format=options.timestamp_format or found.timestamp_format,
        decimal_separator=options.decimal_separator,
        names=names,
    )
    return Sniffed(
        part=part,
        dialect=dialect,
        types=tuple(types.get(index, "VARCHAR") for index in range(len(names))),
        header_line=lines[0] if has_header else "",
    )


def scan_options(definition: FileTable, part: Part) -> str:
    """Write the arguments that sniffing and reading share."""
    nulls = ", ".join(literal(value) for value in definition.null_values)
    arguments = [f"nullstr=[{nulls}]"]
    if part.compression in {"gzip", "zstd"}:
        arguments.append(f"compression={literal(part.compression)}")
    else:
        arguments.append("compression='none'")
    return ", ".join(arguments)


@dataclass(frozen=True, slots=True)
class _Told:
    has_header: bool
    types: tuple[str, ...]
    escape: str
    date_format: str
    timestamp_format: str


def _ask(
    session: Session, part: Part, definition: FileTable, *, delimiter: str, quote: str
) -> _Told:
    options = definition.csv
    # Told, the sniffer tries fewer dialects: half of its time.
    is_settled = options.quote is None and options.escape is None and not _quotes(part, quote)
    arguments = [
        literal(_one_file(part.path)),
        scan_options(definition, part),
        f"sample_size={SAMPLE_ROWS}",
        f"delim={literal(delimiter)}",
        f"skip={options.skip}",
        "ignore_errors=true",
    ]
    for name, value in (
        ("quote", quote if is_settled else options.quote),
        ("escape", quote if is_settled else options.escape),
        ("comment", options.comment or None),
        ("dateformat", options.date_format or None),
        ("timestampformat", options.timestamp_format or None),
        ("decimal_separator", options.decimal_separator or None),
    ):
        if value is not None:
            arguments.append(f"{name}={literal(value)}")
    if options.header is not None:
        arguments.append(f"header={str(options.header).lower()}")
    has_header, types, escape, dates, timestamps = _told(session, part, arguments)
    return _Told(
        has_header=bool(has_header),
        types=tuple(_plain_type(of) for of in types),
        escape="" if escape in {None, "(empty)"} else escape,
        date_format="" if dates in _ISO_DATES else str(dates),
        timestamp_format="" if timestamps in _ISO_TIMES else str(timestamps),
    )


def _quotes(part: Part, quote: str) -> bool:
    """Tell whether the rows that the sniffer looks at have any quote, which something may escape.

    Of a compressed file it is not known without decompressing it once more: it may have some.
    """
    if not part.is_plain:
        return True
    mark, lines = quote.encode(), 0
    with opened(part) as file:
        while lines <= SAMPLE_ROWS and (block := file.read(_HEAD_BYTES)):
            if mark in block:
                return True
            lines += block.count(b"\n")
    return False


def _told(session: Session, part: Part, arguments: list[str]) -> tuple[Any, ...]:
    sql = (
        "select HasHeader, [one.type for one in Columns], Escape, DateFormat, TimestampFormat "
        "from sniff_csv({})"
    )
    try:
        return session.rows(sql.format(", ".join(arguments)))[0]
    except StepFailed:
        # Rows that break the rules of quoting; reading rejects them later, one by one.
        lenient = ", ".join([*arguments, "strict_mode=false"])
    try:
        return session.rows(sql.format(lenient))[0]
    except StepFailed as error:
        too_long = re.search(r"Maximum line size of (\d+) .* Actual Size: ?(\d+)", error.summary)
        if too_long is not None:
            raise ContractBroken(
                "A3021",
                f"{part.name} has a line of {int(too_long[2]):,} bytes; a row may have "
                f"{int(too_long[1]):,}.",
                hint="Is a quote left open, or a line break missing, or is it no CSV? Then set "
                "`quote` or `format:`.",
            ) from error
        said = [
            line if len(line) <= _MAX_SAID else f"{line[:_MAX_SAID]}..."
            for line in error.summary.splitlines()
        ]
        raise ContractBroken(
            "A3021",
            f"{part.name} cannot be understood as CSV: {said[0]}",
            hint="Set `delimiter`, `quote`, `escape` and `header`, or `format:` if it is none.",
            details="\n".join(said),
        ) from error


def _plain_type(of: str) -> str:
    return {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ", "TIMESTAMP_NS": "TIMESTAMP"}.get(of, of)


def _one_file(path: str) -> str:
    """Escape glob characters: a name means one file."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in path)


def _head(part: Part) -> str:
    with opened(part) as file:
        head = file.read(_HEAD_BYTES)
    is_whole = len(head) < _HEAD_BYTES
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _not_utf8(part, head, 0, "utf-16")
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The block may end within a character.
        if is_whole or error.start < len(head) - 4:
            raise _not_utf8(part, head, error.start, "latin-1") from error
        text = head[: error.start].decode("utf-8-sig")
    if not is_whole and "\n" in text:
        text = text[: text.rindex("\n")]
    return text


def _not_utf8(part: Part, head: bytes, start: int, likely: str) -> ContractBroken:
    line = head.count(b"\n", 0, start) + 1
    return ContractBroken(
        "A3015",
        f"{part.name} is not UTF-8: byte {head[start]:#04x} in line {line}.",
        hint=f"Set `encoding: {likely}`, or what the file is written in.",
        where=Where(file=part.name, line=line),
    )


def _content_lines(head: str, skip: int, comment: str) -> list[str]:
    """Give the first lines that have something, as many as are looked at."""
    lines = itertools.islice(_lines(head), skip, None)
    full = (line for line in lines if line.strip() and not (comment and line.startswith(comment)))
    return list(itertools.islice(full, _HEAD_ROWS))


def _lines(text: str) -> Iterator[str]:
    start = 0
    for found in _LINE_BREAK.finditer(text):
        yield text[start : found.start()]
        start = found.end()
    yield text[start:]


def _fields(lines: list[str], delimiter: str, quote: str) -> list[list[str]]:
    # As lines were split, a quoted line break counts as a row of another length: harmless here.
    try:
        if quote:
            return list(csv.reader(lines, delimiter=delimiter, quotechar=quote))
        return list(csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE))
    except (csv.Error, TypeError):  # a field beyond the limit, or delimiters of several characters
        return [line.split(delimiter) for line in lines]


def _delimiter(lines: list[str], quote: str) -> str:
    """Choose what divides the first line most often and the others alike."""
    best, best_score = ",", 0.0
    for candidate in _DELIMITERS:
        rows = _fields(lines, candidate, quote)
        width = len(rows[0])
        if width < 2:
            continue
        share = sum(len(row) == width for row in rows) / len(rows)
        score = share * (1 + width / 1000)
        if share >= 0.3 and score > best_score:
            best, best_score = candidate, score
    return best


def _names(header: list[str], part: Part) -> tuple[str, ...]:
    """Names are kept as written but for surrounding spaces; an empty one becomes `column_<n>`."""
    names = [field.strip() or f"column_{position}" for position, field in enumerate(header, 1)]
    if len(names) > 1 and header[-1].strip() == "":
        names[-1] = f"column_{len(names)}"
    seen: dict[str, int] = {}
    for position, name in enumerate(names, 1):
        if name in seen:
            raise ContractBroken(
                "A3020",
                f"{part.name} has the column `{name}` twice, in positions {seen[name]} and "
                f"{position} of {len(names)}.",
                hint="Rename one in the file; or set `header: false`, `skip: 1` and name all "
                "columns under `columns:` in their order.",
                where=Where(file=part.name, line=1),
            )
        seen[name] = position
    return distinct(names)


def distinct(names: list[str]) -> tuple[str, ...]:
    """Rename columns that are equal but for case: the later one becomes `ID_2`, `ID_3`, ..."""
    taken = {name.casefold() for name in names}
    used: set[str] = set()
    result = []
    for name in names:
        free, number = name, 1
        while free.casefold() in used or (number > 1 and free.casefold() in taken):
            number += 1
            free = f"{name}_{number}"
        used.add(free.casefold())
        result.append(free)
    return tuple(result)


def _positions(fields: list[str], definition: FileTable) -> tuple[str, ...]:
    rules = [rule.name for rule in definition.columns]
    if definition.csv.header is False and len(rules) == len(fields):
        return tuple(rules)
    return tuple(f"column_{position}" for position in range(1, len(fields) + 1))
