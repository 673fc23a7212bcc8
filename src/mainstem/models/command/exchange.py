# SPDX-License-Identifier: Apache-2.0
"""Data between tables and a command: inputs as files, and the file that it wrote."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from mainstem.errors import MainstemError, StepFailed
from mainstem.models.command.definition import Command, FileFormat
from mainstem.models.inputs import register_inputs
from mainstem.runs import StepContext
from mainstem.types import AssetKey, Session

_COPY = {
    "parquet": "format parquet",
    "csv": "format csv, header true",
    "jsonl": "format json",
}
_READ_ONLY = 0o444
_OUTPUT = "mainstem_output"


def give(
    session: Session, context: StepContext, key: AssetKey, path: Path, file_format: FileFormat
) -> None:
    """Write the rows of an input, those of the step's partitions only, to a file.

    Raises:
        AssetNotFound: It was never built.
    """
    register_inputs(session, context, [key])
    query = f"select * from {_quoted(key)}"
    if file_format == "arrow":
        _arrow_file().write_file(session.reader(query), path)
    else:
        session.rows(f"copy ({query}) to {_text(path)} ({_COPY[file_format]})")
    path.chmod(_READ_ONLY)


def readable(session: Session, command: Command, path: Path, *, asset: str) -> str:
    """Give a query over the file that a command wrote.

    Raises:
        StepFailed: There is none (A7151), or it is not of the format that was declared (A7152).
    """
    if not path.is_file():
        raise StepFailed(
            "A7151",
            f"{asset}: `{command.program}` ended well, but there is no file at MAINSTEM_OUTPUT.",
            hint="Write the rows there, say `output: none`, or report a `skip`.",
        )
    try:
        query = _query(session, command, path)
        session.describe(query)
    except (MainstemError, OSError) as error:
        why = error.summary if isinstance(error, MainstemError) else str(error)
        raise StepFailed(
            "A7152",
            f"{asset}: what `{command.program}` wrote cannot be read as {command.output}: "
            f"{why.splitlines()[0] if why else 'it is damaged'}",
            hint="Make `output:` and the file agree; a table needs columns, if no rows.",
        ) from error
    return query


def _query(session: Session, command: Command, path: Path) -> str:
    file = _text(path)
    match command.output:
        case "parquet":
            return f"select * from read_parquet({file})"
        case "csv":
            types = ", ".join(f"{_word(name)}: {_word(of)}" for name, of in command.types.items())
            declared = f", types = {{{types}}}" if types else ""
            # All rows are looked at, so that no late value breaks the type.
            return f"select * from read_csv({file}, header = true, sample_size = -1{declared})"
        case "jsonl":
            return (
                f"select * from read_json({file}, format = 'newline_delimited', sample_size = -1)"
            )
        case _:
            session.register_arrow(_OUTPUT, _arrow_file().read_file(path))
            return f"select * from {_OUTPUT}"


def _arrow_file() -> Any:
    """Import PyArrow for who asks for its files."""
    return import_module("mainstem.models.command.arrow_file")


def _quoted(key: AssetKey) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in (key.namespace, key.name))


def _text(path: Path) -> str:
    return _word(str(path))


def _word(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
