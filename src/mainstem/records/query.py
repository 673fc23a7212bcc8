# SPDX-License-Identifier: Apache-2.0
"""SQL over files of records, for an engine that reads them itself: nothing is loaded here."""

from __future__ import annotations

from pathlib import Path

_LOG_NAME = r"/run-([0-9]+)/([^/]+)-([0-9]+)[.]log[.0-9]*$"

_EVENT = {
    "at": "bigint",
    "event": "varchar",
    "run_id": "bigint",
    "environment": "varchar",
    "branch": "varchar",
    "asset": "varchar",
    "status": "varchar",
    "attempt": "integer",
    "row_count": "bigint",
    "size_bytes": "bigint",
    "elapsed_s": "double",
    "cpu_s": "double",
    "peak_memory": "bigint",
    "measured": "varchar",
    "commit_id": "varchar",
    "code": "varchar",
    "text": "varchar",
}


def logs_query(folder: Path) -> str:
    """Give `system.logs`: every line that steps wrote, as far as it is kept."""
    if next(folder.glob("run-*/*.log"), None) is None:
        return (
            "select null::bigint as run_id, null::varchar as step, null::integer as attempt, "
            "null::timestamptz as logged_at, null::varchar as kind, null::varchar as text "
            "where false"
        )
    name = f"filename, '{_LOG_NAME}'"
    return (
        f"select cast(regexp_extract({name}, 1) as bigint) as run_id, "
        f"url_decode(regexp_extract({name}, 2)) as step, "
        f"cast(regexp_extract({name}, 3) as integer) as attempt, "
        f"{_time('at')} as logged_at, kind, text from "
        + _lines(folder / "run-*" / "*.log*", at="bigint", kind="varchar", text="varchar")
        + " where kind is not null"
    )


def events_query(folder: Path) -> str:
    """Give `system.events`: what happened in runs, as long as history is kept."""
    names = ", ".join(name for name in _EVENT if name != "at")
    if next(folder.glob("*.jsonl*"), None) is None:
        nulls = ", ".join(f"null::{of} as {name}" for name, of in _EVENT.items() if name != "at")
        return f"select null::timestamptz as happened_at, {nulls} where false"
    lines = _lines(folder / "*.jsonl*", **_EVENT)
    return f"select {_time('at')} as happened_at, {names} from {lines} where event is not null"


def _lines(files: Path, **columns: str) -> str:
    # A line that is still being written, or was torn by a crash, comes out as nulls.
    types = ", ".join(f"'{name}': '{of}'" for name, of in columns.items())
    return (
        f"read_json({_text(str(files))}, format = 'newline_delimited', columns = {{{types}}}, "
        "ignore_errors = true, filename = true)"
    )


def _time(column: str) -> str:
    return f'make_timestamptz("{column}")'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
