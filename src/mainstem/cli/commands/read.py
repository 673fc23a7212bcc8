# SPDX-License-Identifier: Apache-2.0
"""`show`, `query` and `compile`: reading data and the code that made it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TextIO

import click

from mainstem.cli.opening import project_of, where_text
from mainstem.cli.options import json_option, vars_option, where_options
from mainstem.cli.output import Output
from mainstem.cli.render.asset import asset_lines
from mainstem.cli.render.grid import grid
from mainstem.errors import UserError
from mainstem.types import plural

if TYPE_CHECKING:
    import pyarrow as pa

TABLE_LIMIT = 1000
_BINARY = ("parquet", "arrow")
Format = Literal["csv", "json", "parquet", "arrow"]
_FORMATS: dict[str, Format] = {
    "csv": "csv",
    "json": "json",
    "parquet": "parquet",
    "arrow": "arrow",
}


@click.command(name="query")
@click.argument("sql", required=False)
@click.option("--file", "file", type=click.File("r"), help="Read the SQL from a file; - is stdin.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["table", "csv", "json", "parquet", "arrow"]),
    default="table",
    show_default=True,
)
@click.option("--limit", type=click.IntRange(0), help="At most so many rows.")
@click.option("--output", "target", metavar="FILE", help="Write to a file instead of stdout.")
@click.option("--at", metavar="REF", help="A tag, commit or time: main~1, 7f3c2a1e, 2026-01-31.")
@where_options
@json_option
def query_command(
    *,
    sql: str | None,
    file: TextIO | None,
    file_format: str,
    limit: int | None,
    target: str | None,
    at: str | None,
    is_json: bool,
    **where: Any,
) -> None:
    """Run SQL over the lake: tables are namespace.name."""
    output = Output.of_process(is_json=is_json)
    text = sql if sql is not None else file.read() if file is not None else None
    if text is None:
        raise UserError(
            "A1059", "There is no query.", hint='mainstem query "select ..." or --file FILE'
        )
    with project_of(**where) as project, ExitStack() as stack:
        if file_format == "table" and not is_json:
            shown = TABLE_LIMIT if limit is None else limit
            table = project.sql(text, at=at, limit=shown + 1)
            _print_table(table, shown, output, target, where=where_text(project, at))
            return
        wanted = _FORMATS["json" if is_json else file_format]
        stream = _stream(target, wanted, stack)
        rows = project.export(text, stream, wanted, at=at, limit=limit)
        if target is not None:
            output.note(f"{plural(rows, 'row')} of {where_text(project, at)} to {target}")


@click.command(name="show")
@click.argument("asset")
@click.option("--limit", default=10, show_default=True, help="Rows to show.")
@click.option("--preview", is_flag=True, help="Run the code as edited; write nothing.")
@click.option("--at", metavar="REF", help="A tag, commit or time.")
@where_options
@vars_option
@json_option
def show_command(
    *,
    asset: str,
    limit: int,
    preview: bool,
    at: str | None,
    variables: tuple[str, ...],
    is_json: bool,
    **where: Any,
) -> None:
    """Show what ASSET is, its columns and first rows."""
    output = Output.of_process(is_json=is_json)
    with project_of(**where, variables=variables) as project:
        output.note(where_text(project, at))
        shown = project.describe(asset, at=at)
        rows = (
            project.preview(asset, limit=limit)
            if preview
            else project.show(asset, limit=limit, at=at)
        )
    records = rows.to_pylist()
    if is_json:
        output.document({"asset": shown, "rows": records})
        return
    output.lines(asset_lines(shown, output.look))
    names = rows.column_names
    cells = [[row[name] for name in names] for row in records]
    output.lines(["", *grid(names, cells, look=output.look)])


@click.command(name="compile")
@click.argument("asset")
@where_options
@vars_option
@json_option
def compile_command(
    *,
    asset: str,
    variables: tuple[str, ...],
    is_json: bool,
    **where: Any,
) -> None:
    """Print the SQL of ASSET with Jinja rendered and names resolved."""
    output = Output.of_process(is_json=is_json)
    with project_of(**where, variables=variables) as project:
        sql = project.compiled(asset)
    if is_json:
        output.document({"asset": asset, "sql": sql})
    else:
        output.lines(sql.rstrip().splitlines())


def _print_table(
    table: pa.Table, limit: int, output: Output, target: str | None, *, where: str
) -> None:
    total = table.num_rows
    columns = [column.to_pylist() for column in table.slice(0, limit).columns]
    rows = list(zip(*columns, strict=True))
    lines = grid(table.column_names, rows, look=output.look)
    if target is None:
        output.lines(lines)
    else:
        with _written(target) as stream:
            stream.writelines(f"{line}\n".encode() for line in lines)
    cut = ", more exist: --limit or --format csv" if total > limit else ""
    output.note(f"{plural(min(total, limit), 'row')}{cut} · {where}")


@contextmanager
def _written(target: str) -> Iterator[BinaryIO]:
    """Open a file for writing; a full disk or a missing folder is the user's to mend."""
    try:
        with Path(target).open("wb") as stream:
            yield stream
    except OSError as error:
        raise UserError(
            "A1062",
            f"{target} cannot be written: {error.strerror or error}.",
            hint="Choose another place: --output FILE",
        ) from error


def _stream(target: str | None, file_format: str, stack: ExitStack) -> BinaryIO:
    if target is not None:
        return stack.enter_context(_written(target))
    if file_format in _BINARY and sys.stdout.isatty():
        raise UserError(
            "A1060",
            f"{file_format} is binary and would garble the terminal.",
            hint=f"Write it to a file: --format {file_format} --output result.{file_format}",
        )
    return sys.stdout.buffer
