# SPDX-License-Identifier: Apache-2.0
"""DuckDB's exceptions as errors of the interface: who must act, where, and what to do next."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import duckdb
import orjson

from mainstem.errors import (
    Cancelled,
    EngineUnavailable,
    MainstemError,
    SourceUnavailable,
    SqlInvalid,
    StepFailed,
    StorageFailed,
    Where,
)
from mainstem.types import nearest

_MEMORY = {"Out of Memory", "OutOfMemory"}
"""By the fields of an error, and by its class."""
UNBOUND = (
    duckdb.ParserException,
    duckdb.SyntaxException,
    duckdb.BinderException,
    duckdb.CatalogException,
)
"""What DuckDB raises before it runs anything: the query does not fit what there is."""
QUERY = "<sql>"
"""File of a place in a query; whoever knows the query's file puts it there."""
_BROKEN_FILE = re.compile(
    r"No files found that match the pattern \"(?P<a>[^\"]+)\""
    r"|No magic bytes found at end of file '(?P<b>[^']+)'"
    r"|Failed to read file \"(?P<c>[^\"]+)\""
    r"|[Ff]ile '(?P<d>[^']+)' (?:too small|is too small)"
    r"|Cannot open file \"(?P<e>[^\"]+)\": No such file"
    r"|footer .*in file '(?P<f>[^']+)'"
)
_NO_SPACE = re.compile(
    r"no space left|disk quota exceeded|file too large|max_temp_directory_size"
    r"|read-only file system|could not write|failed to create directory|permission denied",
    re.IGNORECASE,
)
_OUT_OF_RANGE = re.compile(
    r"value (?P<value>\S+) can't be cast because the value is out of range for the destination type"
    r" (?P<type>\w+)(?: when casting from source column (?P<column>.+))?"
)
_TYPES = {"INT8": "TINYINT", "INT16": "SMALLINT", "INT32": "INTEGER", "INT64": "BIGINT"}


def translate(
    error: duckdb.Error | OSError,
    *,
    sql: str,
    prefix: str = "",
    files: Mapping[str, str] | None = None,
) -> MainstemError:
    """Make an error of the interface from what DuckDB raised.

    Args:
        error: As raised; its text is JSON, because `errors_as_json` is on in our instances. While
            Arrow streams a result it is an OSError with the same text.
        sql: The query as its author wrote it.
        prefix: What was put before it to run it; positions are counted from behind it.
        files: Names of tables by path of their data files, to say whose file is broken.
    """
    details = _details(error)
    kind = str(details.get("exception_type", "")) or type(error).__name__.removesuffix("Exception")
    message = _clean(str(details.get("exception_message", error)))
    if kind in {"INTERRUPT", "Interrupt"} or isinstance(error, duckdb.InterruptException):
        return cancelled()
    if broken := _BROKEN_FILE.search(message):
        path = next(group for group in broken.groups() if group)
        if path in (files or {}):
            return broken_file(path, (files or {})[path], message)
        return SourceUnavailable(
            "A7534", f"{path} cannot be read: {message.splitlines()[0]}.", hint="Is the path right?"
        )
    if isinstance(error, UNBOUND):
        return _unbound(kind, message, details, sql, prefix)
    if kind in _MEMORY and "max_temp_directory_size" not in message:
        return out_of_memory(message)
    if kind in {"IO", *_MEMORY} and _NO_SPACE.search(message):
        return cannot_write(message)
    if kind in {"FATAL", "INTERNAL", "IO", "Connection", "HTTP"}:
        return EngineUnavailable("A7530", f"DuckDB could not go on: {message}", details=sql)
    return _at_run_time(message, details, sql, prefix)


def has_fields(error: duckdb.Error) -> bool:
    """Whether the error says more than a sentence: position, name, candidates."""
    return '{"exception_type"' in str(error)


def is_fatal(error: duckdb.Error) -> bool:
    """Whether the instance is of no use after this."""
    return isinstance(error, duckdb.FatalException | duckdb.InternalException)


def cancelled() -> Cancelled:
    """Make the error of a statement that was interrupted."""
    return Cancelled("A7520", "The query was interrupted.", hint="Nothing of it was kept.")


def broken_file(path: str, table: str, message: str = "") -> StorageFailed:
    """Make the error of a data file that is missing or damaged."""
    is_missing = not message or "No files found" in message or "Cannot open" in message
    owner = f" of {table}" if table else ""
    return StorageFailed(
        "A5510" if is_missing else "A5511",
        f"data file {path}{owner} is {'missing' if is_missing else 'damaged'}.",
        hint="Restore the file from a backup, or `mainstem revert` to a commit without it.",
        where=Where(asset=table) if table else None,
        details="" if is_missing else message,
    )


def truncated_file(path: str, table: str, *, size: int, expected: int) -> StorageFailed:
    """Make the error of a data file that has another size than when it was committed."""
    return StorageFailed(
        "A5511",
        f"data file {path} of {table} has {size:,} bytes; it was committed with {expected:,}.",
        hint="Restore the file from a backup, or `mainstem revert` to a commit without it.",
        where=Where(asset=table),
    )


def cannot_write(message: str, path: str = "") -> StorageFailed:
    """Make the error of a disk that takes no more."""
    place = f" {path}" if path else ""
    return StorageFailed(
        "A5512",
        f"could not write{place}: {message}",
        hint="Free disk space (`df -h` tells which disk is full), then run again; "
        "nothing was committed.",
    )


def from_os(error: OSError, path: str) -> StorageFailed:
    """Make the error of a failed write, rename or fsync."""
    reason = error.strerror or str(error)
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        reason = f"{reason} (the disk is full)"
    return cannot_write(reason, path)


def out_of_memory(message: str) -> StorageFailed:
    """Make the error of a query that needs more than the memory limit."""
    return StorageFailed(
        "A7512",
        f"the query needs more memory than it may use: {message.splitlines()[0]}",
        hint="Raise the engine's memory limit, run fewer threads, or make the query smaller.",
    )


def _details(error: Exception) -> dict[str, Any]:
    text = str(error)
    start = text.find("{")
    if start < 0:
        return {}
    try:
        details = orjson.loads(text[start:])
    except orjson.JSONDecodeError:
        return {}
    # An error of an asynchronous write holds the one that caused it as text.
    inner = str(details.get("exception_message", ""))
    nested = inner.find('{"exception_type"')
    if nested >= 0:
        try:
            return dict(orjson.loads(inner[nested:]))
        except orjson.JSONDecodeError:
            return dict(details)
    return dict(details)


def _clean(message: str) -> str:
    """Drop the echo of the query, and DuckDB's own advice about its settings."""
    message = re.split(r"\n\n(?:LINE |Possible solutions)", message, maxsplit=1)[0].strip()
    return re.sub(r"^[A-Z][A-Za-z ]+ Error: ", "", message)


def _unbound(
    kind: str, message: str, details: Mapping[str, Any], sql: str, prefix: str
) -> SqlInvalid:
    lines = message.splitlines()
    known = _candidates(details)
    name = str(details.get("name", ""))
    close = nearest(name, known, limit=1) if name else []
    hint = f"Did you mean `{close[0]}`?" if close else ""
    if "add explicit type casts" in lines[0]:
        lines[0] = lines[0].partition(" You might need")[0]
        hint = "Cast an argument to a type that it takes, for example x::DOUBLE."
    return SqlInvalid(
        "A7501" if kind in {"Parser", "Syntax"} else "A7502",
        _sentence(lines[0]),
        hint=hint,
        where=_place(details, sql, prefix),
        known=known,
        # Suggestions are in `known`; DuckDB's own also name catalogs of sessions.
        details="\n".join(_further(lines[1:])),
    )


def _further(lines: Iterable[str]) -> Iterator[str]:
    """Leave out suggestions, and the dozens of overloads that did not match."""
    overloads = False
    for line in lines:
        if line.strip().startswith("Candidate functions"):
            overloads = True
        elif not (overloads and line.startswith("\t")) and not line.startswith(("Did ", "Cand")):
            overloads = False
            yield line


def _candidates(details: Mapping[str, Any]) -> list[str]:
    text = str(details.get("candidates", "") or details.get("candidate_names", ""))
    # Catalogs of sessions and DuckDB's own tables are no names that the author can mean.
    names = [name.strip().strip('"') for name in text.split(",") if name.strip()]
    return [name for name in names if not name.startswith(("pg_", "mainstem_", "information_"))]


def _at_run_time(message: str, details: Mapping[str, Any], sql: str, prefix: str) -> StepFailed:
    if found := _OUT_OF_RANGE.search(message):
        target = _TYPES.get(found["type"], found["type"])
        column = f"column `{found['column']}`" if found["column"] else "a value"
        return StepFailed(
            "A7511",
            f"{column} does not fit: {found['value']} is beyond {target}.",
            hint="Sums of integers are stored as BIGINT: cast to a wider type first, for example "
            "sum(x)::DECIMAL(38,0), or sum(x::DOUBLE).",
            where=_place(details, sql, prefix),
        )
    hint = ""
    if message.startswith("Overflow in"):
        hint = "Compute with a wider type: cast one side, as in x::DECIMAL(38,0) or x::DOUBLE."
    elif message.startswith("Could not convert string"):
        hint = "`try_cast(x as TYPE)` gives null for values that are not of the type."
    return StepFailed("A7510", _sentence(message), hint=hint, where=_place(details, sql, prefix))


def _sentence(message: str) -> str:
    message = message.strip().rstrip("!")
    return message if message.endswith((".", "?")) else f"{message}."


def _place(details: Mapping[str, Any], sql: str, prefix: str) -> Where | None:
    """Turn DuckDB's byte position into line and column of the author's query."""
    match = re.match(r"\[(\d+),(\d+)\]", str(details.get("location", "")))
    if match is None:
        return None
    encoded = sql.encode()
    start = int(match[1]) - len(prefix.encode())
    if not 0 <= start < len(encoded):
        return None
    before = encoded[:start].decode(errors="replace")
    line = before.count("\n") + 1
    excerpt = sql.splitlines()[line - 1] if sql.splitlines() else ""
    column = len(before) - (before.rfind("\n") + 1) + 1
    return Where(
        file=QUERY, line=line, column=column, length=max(1, int(match[2])), excerpt=excerpt
    )
