# SPDX-License-Identifier: Apache-2.0
"""What a run would do, and why."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import strawberry
from strawberry import argument, field

from mainstem.api.graphql.arguments import Exclude, Select
from mainstem.api.graphql.context import Info
from mainstem.api.graphql.scalars import Json, Long, long
from mainstem.errors import UserError
from mainstem.graph import Plan as Made


@strawberry.enum(description="What a run would do with an asset.")
class PlanAction(Enum):
    """Of planned assets."""

    READ = "read"
    BUILD = "build"
    LINK = "link"
    FRESH = "fresh"
    KEEP = "keep"
    SKIP = "skip"


@strawberry.type(description="What a run would do with one asset.")
class PlannedAsset:
    """A line of a plan."""

    asset: str = field(description="Its key.")
    action: PlanAction = field(description="What would be done.")
    reason: str = field(description="Why, in half a sentence.")
    link_from: str = field(description="For `link`: the branch or run that built it.")
    is_full_rebuild: bool = field(description="All rows, not only new ones.")
    estimated_rows: Long | None = field(description="By what was built before.")
    estimated_seconds: float | None = field(description="By what was built before.")
    details: list[str] = field(description="Further lines, such as files to read.")
    partitions: str = field(
        description="Those that would be built, as ranges; empty: all of it, or it has none."
    )


@strawberry.type(description="A column that a run would add, drop or change.")
class ColumnChange:
    """A change of a column."""

    asset: str = field(description="Key of the asset.")
    column: str = field(description="Name of the column.")
    change: str = field(description="added, dropped, type changed, logic changed.")
    breaks: list[str] = field(description="Columns downstream that read it.")
    may_break: list[str] = field(description="Python assets downstream.")


@strawberry.type(description="What a run would do, asset by asset.")
class Plan:
    """A plan."""

    branch: str = field(description="The branch that it would publish to.")
    base_commit: str = field(description="The commit that it was made for.")
    git: str = field(description="State of the code.")
    assets: list[PlannedAsset] = field(description="In an order that respects inputs.")
    columns: list[ColumnChange] = field(description="Columns that would change.")


@strawberry.input(description="Options of plan and run; unset: as the environment does it.")
class PlanOptions:
    """What a run is asked for beyond its selection."""

    full_refresh: bool | None = field(
        default=None, description="Incremental models are built from nothing."
    )
    rebuild: bool | None = field(default=None, description="All that is selected is built anew.")
    ingest: bool | None = field(default=None, description="Sources are looked at.")
    fresh: bool | None = field(
        default=None, description="Sources are read though they were lately."
    )
    force: bool | None = field(default=None, description="Reverted versions may come back.")

    def given(self) -> dict[str, Any]:
        """Give those that are set."""
        names = ("full_refresh", "rebuild", "ingest", "fresh", "force")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@strawberry.input(description="Options of a run; unset: as the environment does it.")
class RunOptions(PlanOptions):
    """What only a run is asked for."""

    vars: Json | None = field(
        default=None, description="An object: variables for models, beside the project's."
    )
    retries: int | None = field(
        default=None, description="Of assets that say nothing of it, from 0 to 100."
    )
    yes: bool = field(
        default=False, description="A protected environment is meant; its git tree must be clean."
    )

    def given(self) -> dict[str, Any]:
        """Give those that are set.

        Raises:
            UserError: One is nothing that a run could take.
        """
        found: dict[str, Any] = PlanOptions.given(self)
        if self.vars is not None:
            if not isinstance(self.vars, dict):
                raise UserError(
                    "A8113", "`vars` is not an object.", hint='Write it as {"year": 2014}.'
                )
            found["vars"] = self.vars
        if self.retries is not None:
            if not 0 <= self.retries <= _MOST_RETRIES:
                raise UserError("A8113", f"`retries` is not from 0 to {_MOST_RETRIES}.")
            found["retries"] = self.retries
        return found | ({"yes": True} if self.yes else {})


_MOST_RETRIES = 100


def plan(
    info: Info,
    select: Select = None,
    exclude: Exclude = None,
    options: Annotated[
        PlanOptions | None, argument(description="As a run would have them.")
    ] = None,
) -> Plan:
    """Plan a run, and change nothing."""
    given = options.given() if options is not None else {}
    made = info.context.project.plan(tuple(select or ()), tuple(exclude or ()), **given)
    return plan_node(made)


def plan_node(made: Made) -> Plan:
    """Make a plan of the graph's."""
    return Plan(
        branch=made.branch,
        base_commit=made.base_commit,
        git=made.git,
        assets=[
            PlannedAsset(
                asset=str(each.key),
                action=PlanAction(each.action),
                reason=each.reason,
                link_from=each.link_from,
                is_full_rebuild=each.is_full_rebuild,
                estimated_rows=long(each.estimated_rows),
                estimated_seconds=each.estimated_seconds,
                details=list(each.details),
                partitions=each.partitions,
            )
            for each in made.assets
        ],
        columns=[
            ColumnChange(
                asset=str(each.key),
                column=each.column,
                change=each.change,
                breaks=list(each.breaks),
                may_break=list(each.may_break),
            )
            for each in made.columns
        ],
    )
