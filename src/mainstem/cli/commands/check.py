# SPDX-License-Identifier: Apache-2.0
"""`check`: judges data as it is now, outside a run; or shows the rows that fail."""

from __future__ import annotations

from typing import Any

import click

from mainstem.cli.opening import project_of, where_text
from mainstem.cli.options import (
    exclude_option,
    json_option,
    select_option,
    where_options,
)
from mainstem.cli.output import Output
from mainstem.cli.render.checks import check_lines
from mainstem.cli.render.grid import grid
from mainstem.errors import UserError
from mainstem.types import plural


@click.command(name="check")
@click.argument("assets", nargs=-1)
@select_option
@exclude_option
@where_options
@click.option(
    "--rows",
    "rows_of",
    metavar="CHECK",
    help='Show the failing rows of one check: --rows "relationships(dest)".',
)
@click.option("--limit", default=100, show_default=True, help="Rows to show with --rows.")
@json_option
def check_command(
    *,
    assets: tuple[str, ...],
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    rows_of: str | None,
    limit: int,
    is_json: bool,
    **where: Any,
) -> int:
    """Check ASSETS as they are on the branch; publishes and holds nothing."""
    output = Output.of_process(is_json=is_json)
    selection = (*assets, *select)
    with project_of(**where) as project:
        if rows_of is not None:
            if len(selection) != 1:
                raise UserError(
                    "A1058",
                    "--rows shows the failing rows of one check, so it needs one asset.",
                    hint='For example: mainstem check staging.flights --rows "unique(id)"',
                )
            table = project.failing_rows(selection[0], rows_of, limit=limit)
            rows = table.to_pylist()
            if is_json:
                output.document(rows)
            else:
                names = table.column_names
                cells = [[row[name] for name in names] for row in rows]
                output.lines(grid(names, cells, look=output.look))
                more = " (--limit shows more)" if len(rows) == limit else ""
                output.note(f"{plural(len(rows), 'row')}{more}")
            return 0
        output.note(where_text(project))
        results = project.check(selection, exclude)
    if is_json:
        output.document(results)
    else:
        output.lines(check_lines(results, output.look))
    return 2 if any(result.holds_publishing for result in results) else 0
