# SPDX-License-Identifier: Apache-2.0
"""`validate`: is everything in the project's files right? For CI, and before a commit."""

from __future__ import annotations

import click

from mainstem.cli.opening import project_of
from mainstem.cli.options import json_option, stack, vars_option, where_options
from mainstem.cli.output import Output
from mainstem.project import validate
from mainstem.types import plural


@click.command(name="validate")
@stack(where_options, vars_option)
@json_option
def validate_command(
    *, environment: str | None, branch: str | None, variables: tuple[str, ...], is_json: bool
) -> None:
    """Check all files of the project without touching data; exit 1 names all that is wrong."""
    output = Output.of_process(is_json=is_json)
    with project_of(environment=environment, branch=branch, variables=variables) as project:
        found = validate(project)
    if is_json:
        output.document(found)
        return
    compared = (
        f"columns compared with branch {found.compared_with}"
        if found.compared_with
        else "no tables yet, so columns of sources are unknown"
    )
    parts = ((found.assets, "asset"), (found.checks, "check"), (found.jobs, "job"))
    counted = ", ".join(plural(number, noun) for number, noun in parts)
    where = f"{found.name} · {found.environment}"
    output.lines([f"{where}: {counted}. Nothing is wrong; {compared}."])
