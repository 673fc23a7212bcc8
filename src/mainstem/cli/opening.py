# SPDX-License-Identifier: Apache-2.0
"""The project that a command acts on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
import orjson

from mainstem.errors import UserError
from mainstem.project import Project, open_project, options_of_run


@contextmanager
def project_of(
    *,
    environment: str | None = None,
    branch: str | None = None,
    variables: tuple[str, ...] = (),
    job: str | None = None,
    known: Mapping[str, Any] | None = None,
) -> Iterator[Project]:
    """Open the project that the command acts on, and close it again.

    For a job it is opened as the job says, where the command says nothing; `known` variables are
    those of a run that is done again.
    """
    folder = click.get_current_context().find_root().obj or "."
    given = {**(known or {}), **parse_variables(variables)}
    project = open_project(folder, environment=environment, branch=branch, vars=given)
    try:
        if job is not None:
            target = project.automation.job(job)
            own = target.options.get("vars") or {}
            if own or (target.environment and not environment):
                project.close()
                where = environment or target.environment or None
                project = open_project(
                    folder, environment=where, branch=branch, vars={**own, **given}
                )
        yield project
    finally:
        project.close()


def job_options(project: Project, job: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a job says of a run, as the arguments of `Project.run`.

    Raises:
        UserError: The command selects assets too.
    """
    if asked.get("select") or asked.get("exclude"):
        raise UserError(
            "A2207",
            f"`--job {job}` and a selection of assets were both given.",
            hint="A job has its own selection: leave one of them out.",
        )
    target = project.automation.job(job)
    return {
        "select": target.select,
        "exclude": target.exclude,
        "fresh": True,
        "partitions": asked.get("partitions") or dict(target.partitions),
        "full_refresh": bool(asked.get("full_refresh") or target.options.get("full_refresh")),
        **options_of_run(target.options),
    }


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
