# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share; importing them opens and loads nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

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
