# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, and the project that they speak of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
import orjson

from mainstem.errors import UserError
from mainstem.project import Project, open_project

Command = TypeVar("Command", bound=Callable[..., Any])


def stack(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Make one decorator of several; the first stands on top in `--help`."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


json_option = click.option(
    "--json", "is_json", is_flag=True, help="Write JSON instead of text, for programs."
)
environment_option = click.option(
    "-e", "--env", "environment", metavar="NAME", help="Environment; the default one if missing."
)
branch_option = click.option(
    "--branch", metavar="NAME", help="Branch of the lake; the environment's if missing."
)
vars_option = click.option(
    "--vars",
    "variables",
    metavar="NAME=VALUE",
    multiple=True,
    help="Variable for models; repeat it, or give one JSON object.",
)
select_option = click.option(
    "-s",
    "--select",
    metavar="ASSETS",
    multiple=True,
    help="Assets: name, +name, name+, tag:x, path:x, staging.*; several are added up.",
)
exclude_option = click.option(
    "--exclude", metavar="ASSETS", multiple=True, help="Assets to leave out, written alike."
)
where_options = stack(environment_option, branch_option)


@contextmanager
def project_of(
    *,
    environment: str | None = None,
    branch: str | None = None,
    variables: tuple[str, ...] = (),
) -> Iterator[Project]:
    """Open the project that the command acts on, and close it again."""
    folder = click.get_current_context().find_root().obj or "."
    project = open_project(
        folder, environment=environment, branch=branch, vars=parse_variables(variables)
    )
    try:
        yield project
    finally:
        project.close()


def parse_variables(texts: tuple[str, ...]) -> dict[str, Any]:
    """Read `--vars`: `year=2014` (JSON values, else text), or an object.

    Raises:
        UserError: It is neither.
    """
    found: dict[str, Any] = {}
    for text in texts:
        if text.lstrip().startswith("{"):
            found.update(_object(text))
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UserError(
                "A1053",
                f"`--vars {text}` is not a variable.",
                hint="Write it as --vars year=2014, or as an object: --vars '{\"year\": 2014}'.",
            )
        found[name.strip()] = _value(value)
    return found


def _object(text: str) -> dict[str, Any]:
    try:
        return dict(orjson.loads(text))
    except orjson.JSONDecodeError as error:
        raise UserError(
            "A1053",
            f"`--vars` is not a JSON object: {error}.",
            hint="Names and texts stand in double quotes: --vars '{\"year\": 2014}'.",
        ) from error


def _value(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
