# SPDX-License-Identifier: Apache-2.0
"""`validate`: everything that can be found wrong in a project without touching data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.errors import ErrorGroup, MainstemError
from mainstem.project.problems import raise_problems
from mainstem.types import dataclass

if TYPE_CHECKING:
    from mainstem.project.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What was looked at; all of it is right."""

    name: str
    environment: str
    assets: int
    checks: int
    jobs: int
    compared_with: str
    """The branch whose tables columns were compared with; empty if nothing was ever built."""


def validate(project: Project) -> Validation:
    """Look at files, names, options, times, selections, and at the columns that SQL reads.

    Columns of what was never built are unknown, and what reads them is let through: validate
    in an environment that has the tables to have them compared.

    Raises:
        ErrorGroup: Something is wrong; all of it is told.
    """
    problems: list[MainstemError] = list(project.problems)
    at = project.reading_ref
    built = project.lake.entries(at)
    if built and not problems:
        try:
            project.work.analysis(at).require(project.graph.order)
        except ErrorGroup as group:
            problems += group.errors
        except MainstemError as error:
            problems.append(error)
    raise_problems(problems)
    graph = project.graph
    return Validation(
        name=project.name,
        environment=project.environment,
        assets=len(graph.order),
        checks=sum(len(graph[key].checks) for key in graph.order) + len(project.loaded.judges),
        jobs=len(project.settings.jobs),
        compared_with=at if built else "",
    )
