# SPDX-License-Identifier: Apache-2.0
"""The project that a command acts on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import orjson

from mainstem.errors import UserError
from mainstem.project import Project, open_project


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


def where_text(project: Project, at: str | None = None) -> str:
    """Say where a command reads: there is no checkout, so each tells (GRAMMAR 1)."""
    if at is not None:
        return f"{project.environment} · at {at}"
    reading = project.reading_ref
    if reading == project.branch:
        return f"{project.environment} · branch {reading}"
    return f"{project.environment} · branch {reading}, for {project.branch} is not there yet"


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
