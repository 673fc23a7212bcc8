# SPDX-License-Identifier: Apache-2.0
"""`init`: a project from a template, or around somebody's own file."""

from __future__ import annotations

from pathlib import Path

import click

from mainstem.cli.options import json_option
from mainstem.cli.output import Output
from mainstem.cli.render.grid import grid
from mainstem.cli.render.words import size
from mainstem.errors import ConfigInvalid, UserError
from mainstem.project import (
    TEMPLATES,
    Created,
    create_from_file,
    create_project,
    find_project,
    open_project,
)
from mainstem.types import plural


@click.command(name="init")
@click.argument("name", required=False)
@click.option(
    "--template",
    type=click.Choice(TEMPLATES),
    help="flights: real data, models and checks. empty: the smallest project that runs.",
)
@click.option(
    "--from",
    "source",
    metavar="FILE",
    help="Bring a file in: write its ingest file, load it, print what is in it.",
)
@json_option
def init_command(
    *, name: str | None, template: str | None, source: str | None, is_json: bool
) -> int:
    """Make a project in the folder NAME: from a template, or around your own file."""
    output = Output.of_process(is_json=is_json)
    if source is not None:
        if template is not None:
            raise UserError("A1055", "--template and --from do not go together.", hint="Use one.")
        return _from_file(name, source, output)
    if name is None:
        raise UserError(
            "A1055",
            "`mainstem init` needs a name for the project's folder.",
            hint="For example: mainstem init demo --template flights",
        )
    created = create_project(Path(name), template=template or "empty")
    if is_json:
        output.document(created)
        return 0
    data = f" and {size(created.size_bytes)} of data" if created.size_bytes else ""
    output.lines(
        [
            f"Created {created.name}: {plural(len(created.files), 'file')}{data}.",
            f"Next: cd {name} && mainstem run",
        ]
    )
    return 0


def _from_file(name: str | None, source: str, output: Output) -> int:
    if "://" in source:
        raise UserError(
            "A1056",
            f"`--from {source}`: only files can be brought in yet.",
            hint="Download it first, then: mainstem init --from FILE",
        )
    created = _place(Path(source), name)
    with open_project(created.folder) as project:
        ingest = next(path for path in created.files if path.startswith("ingest/"))
        assets = project.select([f"path:{ingest}"])
        finished = project.run([str(asset.key) for asset in assets])
        profiles = {str(key): project.profile(str(key)).to_pylist() for key in finished.published}
    if output.is_json:
        output.document({"created": created, "run": finished, "profile": profiles})
        return finished.exit_code
    output.lines([f"Created {path}" for path in created.files])
    for key, rows in profiles.items():
        total = next((step.rows for step in finished.steps if str(step.key) == key), None)
        output.lines(["", f"{key}: {plural(total or 0, 'row')}, {plural(len(rows), 'column')}"])
        names = list(rows[0]) if rows else []
        cells = [[row[column] for column in names] for row in rows]
        output.lines(grid(names, cells, look=output.look, indent=2))
    where = f"cd {created.folder.name} && " if created.folder != Path.cwd() else ""
    first = next(iter(profiles), "")
    if first:
        output.lines(["", f'Next: {where}mainstem query "select * from {first} limit 10"'])
    return finished.exit_code


def _place(source: Path, name: str | None) -> Created:
    if name is not None:
        return create_from_file(source, Path(name), is_new=True)
    try:
        folder = find_project(Path.cwd())
    except ConfigInvalid:
        return create_from_file(source, Path(source.name.partition(".")[0]), is_new=True)
    return create_from_file(source, folder, is_new=False)
