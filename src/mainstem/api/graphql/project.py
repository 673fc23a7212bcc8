# SPDX-License-Identifier: Apache-2.0
"""The project, its faults and settings, and what runs it."""

from __future__ import annotations

import platform
from importlib.metadata import version as distribution_version

import strawberry
from strawberry import ID, field

from mainstem.api.graphql.context import Context, Info
from mainstem.errors import MainstemError


@strawberry.type(description="A place in the project's files.")
class Place:
    """A place in the files."""

    file: str = field(description="Path relative to the project's folder.")
    line: int = field(description="From 1; 0: unknown.")
    column: int = field(description="From 1; 0: unknown.")
    asset: str = field(description="The asset that the place belongs to, if any.")


@strawberry.type(description="Something wrong: in the project's files, or in a step of a run.")
class Fault:
    """An error as fields."""

    code: str = field(description="Stable; `mainstem explain CODE` tells more.")
    summary: str = field(description="What is wrong, and where.")
    hint: str = field(description="What to do.")
    details: str = field(description="Further lines, such as a traceback of the user's code.")
    where: Place | None = field(description="The place in the files.")


@strawberry.type(description="Connections, variables and one branch of the lake.")
class Environment:
    """An environment."""

    name: str = field(description="As in mainstem.yml.")
    branch: str = field(description="The branch that it writes to, as written.")
    branch_from: str = field(description="The branch that it is made from.")
    protected: bool = field(description="Whether runs need a clean git tree.")
    is_default: bool = field(description="Whether it is meant when none is named.")


@strawberry.type(description="The project that is served.")
class Project:
    """The project."""

    id: ID = field(description="Stable.")
    name: str = field(description="From mainstem.yml.")
    environment: str = field(description="The environment that is served.")
    branch: str = field(description="The branch that runs publish to.")
    reading_ref: str = field(description="What is read: the branch, or what it will be made from.")
    commit: str = field(description="The head of what is read.")
    asset_count: int = field(description="Assets of the project.")
    environments: list[Environment] = field(description="All of mainstem.yml.")
    problems: list[Fault] = field(
        description="What is wrong in the files that are in force; nothing runs while there is any."
    )


@strawberry.type(description="One setting in force.")
class Setting:
    """A setting."""

    name: str = field(description="Dotted: `environments.prod.branch`.")
    value: str = field(description="Resolved; `****` if it is or may be secret.")
    origin: str = field(description="The file and line that set it, or `default`.")


@strawberry.type(description="What runs here.")
class Version:
    """Versions."""

    mainstem: str = field(description="Of Mainstem.")
    python: str = field(description="Of Python.")
    duckdb: str = field(description="Of the engine.")


@strawberry.type(description="What came of reading the project's files again.")
class Reload:
    """A reload."""

    is_in_force: bool = field(description="Whether the files as they are now are served.")
    problems: list[Fault] = field(
        description="What is wrong in them; then the last good state stays."
    )


def reload(info: Info) -> Reload:
    """Read the project's files again."""
    found = info.context.host.reload()
    return Reload(is_in_force=not found.problems, problems=[fault(each) for each in found.problems])


def fault(error: MainstemError) -> Fault:
    """Tell of an error that belongs to the project, details included."""
    return stored_fault(error.to_json())


def stored_fault(fields: object) -> Fault:
    """Tell of an error that was kept as fields."""
    assert isinstance(fields, dict), "made by `MainstemError.to_json`"
    where = fields.get("where")
    return Fault(
        code=str(fields.get("code") or ""),
        summary=str(fields.get("summary") or ""),
        hint=str(fields.get("hint") or ""),
        details=str(fields.get("details") or ""),
        where=None
        if not where
        else Place(
            file=str(where.get("file") or ""),
            line=int(where.get("line") or 0),
            column=int(where.get("column") or 0),
            asset=str(where.get("asset") or ""),
        ),
    )


def project(info: Info) -> Project:
    """Give the project."""
    served = info.context.project
    settings = served.settings
    ref = served.reading_ref
    return Project(
        id=ID(f"project:{served.name}"),
        name=served.name,
        environment=served.environment,
        branch=served.branch,
        reading_ref=ref,
        commit=head(info.context),
        asset_count=len(served.graph.order),
        environments=[
            Environment(
                name=each.name,
                branch=each.branch,
                branch_from=each.branch_from,
                protected=each.protected,
                is_default=each.name == settings.default_environment,
            )
            for each in settings.environments.values()
        ],
        problems=[fault(problem) for problem in served.problems],
    )


def head(context: Context) -> str:
    """Give the commit that an operation reads when it names none: one for the whole of it."""
    served = context.project
    return context.once("head", lambda: served.lake.resolve(served.reading_ref).id)


def at(context: Context, ref: str | None) -> str:
    """Give the commit that a ref means, or the head."""
    if not ref:
        return head(context)
    return context.once(f"commit {ref}", lambda: context.project.lake.resolve(ref).id)


def settings(info: Info) -> list[Setting]:
    """Give the settings in force."""
    return [
        Setting(name=each.name, value=each.value, origin=each.origin)
        for each in info.context.project.config_report()
    ]


def version() -> Version:
    """Give what runs here."""
    return Version(
        mainstem=distribution_version("mainstem"),
        python=platform.python_version(),
        duckdb=distribution_version("duckdb"),
    )
