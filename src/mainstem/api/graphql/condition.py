# SPDX-License-Identifier: Apache-2.0
"""Conditions: which assets launch themselves, and whether they may."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import ID, argument, field

from mainstem.api.graphql.arguments import Key
from mainstem.api.graphql.context import Info
from mainstem.api.graphql.identity import Node
from mainstem.api.graphql.trigger import TriggerTick, tick_node
from mainstem.automation import ConditionStatus
from mainstem.project import conditions_of, switch_condition


@strawberry.type(description="When an asset launches itself.")
class AssetCondition(Node):
    """A condition."""

    asset: str = field(description="Key of the asset.")
    run_when: str = field(description="As the owner wrote it.")
    is_on: bool = field(description="Whether it launches.")
    since: datetime | None = field(description="On or off since; null: nobody switched it.")
    last: TriggerTick | None = field(description="When it became true last, and what came of it.")


def conditions(info: Info) -> list[AssetCondition]:
    """Give the conditions of all assets, in building order."""
    context = info.context
    return [_node(each) for each in conditions_of(context.project, context.transaction)]


def switch(
    info: Info, asset: Key, *, on: Annotated[bool, argument(description="On, or off.")]
) -> AssetCondition:
    """Turn the condition of an asset on or off."""
    return _node(switch_condition(info.context.project, asset, on=on))


def _node(status: ConditionStatus) -> AssetCondition:
    return AssetCondition(
        id=ID(f"condition:{status.asset}"),
        asset=str(status.asset),
        run_when=status.text,
        is_on=status.is_on,
        since=status.since,
        last=None if status.last is None else tick_node(status.last),
    )
