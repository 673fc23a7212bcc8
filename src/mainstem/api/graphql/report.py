# SPDX-License-Identifier: Apache-2.0
"""Reports of what others made: external assets get a new version, and what reads them is stale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import strawberry
from strawberry import argument, field

from mainstem.api.graphql.commit import Commit, commit
from mainstem.api.graphql.context import Info
from mainstem.api.graphql.scalars import Json, Long
from mainstem.errors import UserError
from mainstem.project import Reported, report_materialization


@strawberry.input(description="What somebody says to have made.")
class ReportInput:
    """A report."""

    asset: str = field(description="An asset of an ingest file of `type: external`.")
    data_version: str = field(
        description="In the words of whoever made it: a commit, a snapshot, a date."
    )
    address: str = field(default="", description="Where it is.")
    row_count: Long | None = field(default=None, description="Rows that it has, if known.")
    metadata: Json | None = field(
        default=None, description="An object: what else is to be kept, 16,384 characters at most."
    )


@strawberry.type(description="What came of a report.")
class MaterializationReport:
    """What came of a report."""

    asset: str = field(description="Key of the asset.")
    branch: str = field(description="The branch that has it.")
    commit: Commit | None = field(description="By which it came; null: nothing was new.")
    data_version: str = field(description="Identity of what is there, as plans compare it.")
    is_new: bool = field(description="Whether another version had been reported last.")


def report(
    info: Info, report: Annotated[ReportInput, argument(description="What was made.")]
) -> MaterializationReport:
    """Write down a report.

    Raises:
        UserError: `metadata` is no object.
    """
    context = info.context
    metadata = report.metadata
    if metadata is not None and not isinstance(metadata, Mapping):
        raise UserError("A8113", "`metadata` is an object, or nothing.")
    found = report_materialization(
        context.project,
        report.asset,
        Reported(
            data_version=report.data_version,
            address=report.address,
            row_count=report.row_count,
            metadata=metadata,
            by=context.principal.name,
        ),
    )
    return MaterializationReport(
        asset=str(found.asset),
        branch=found.branch,
        commit=None if found.commit is None else commit(found.commit),
        data_version=found.data_version,
        is_new=found.commit is not None,
    )
