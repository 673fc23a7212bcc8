# SPDX-License-Identifier: Apache-2.0
"""Conditions of one open project: which are on, what they did last, and turning one on or off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.automation import ConditionStatus, condition_statuses
from mainstem.automation import switch_condition as switch
from mainstem.database import Transaction
from mainstem.errors import UserError
from mainstem.types import AssetKey

if TYPE_CHECKING:
    from mainstem.project.project import Project


def conditions_of(project: Project, transaction: Transaction) -> list[ConditionStatus]:
    """Tell of the conditions of all assets, in building order."""
    return condition_statuses(transaction, _written(project))


def switch_condition(project: Project, asset: str, *, on: bool) -> ConditionStatus:
    """Turn the condition of an asset on or off, whatever its file says.

    Raises:
        AssetNotFound: There is no such asset.
        UserError: It has no condition.
    """
    graph = project.graph
    key = graph.names.find(asset) or graph.resolve(asset)
    written = _written(project)
    if key not in written:
        raise UserError(
            "A2222",
            f"{key} has no `run_when`.",
            hint="See which have one: mainstem condition list",
            known=[str(each) for each in written][:20],
        )
    with project.services.database.write() as transaction:
        switch(transaction, key, written[key], on=on, now=project.clock.now())
        return condition_statuses(transaction, {key: written[key]})[0]


def _written(project: Project) -> dict[AssetKey, str]:
    graph, triggers = project.graph, project.automation.triggers
    return {key: graph[key].run_when for key in graph.order if key in triggers.conditions}
