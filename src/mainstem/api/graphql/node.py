# SPDX-License-Identifier: Apache-2.0
"""`node`: anything that has a global id, by that id; clients with caches refresh one by it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

from strawberry import ID, argument

from mainstem.api.graphql import asset as of_asset
from mainstem.api.graphql import backfill as of_backfill
from mainstem.api.graphql import commit as of_commit
from mainstem.api.graphql import condition as of_condition
from mainstem.api.graphql import control as of_control
from mainstem.api.graphql import launch as of_launch
from mainstem.api.graphql import run as of_run
from mainstem.api.graphql import trigger as of_trigger
from mainstem.api.graphql.context import Info
from mainstem.api.graphql.identity import Node
from mainstem.errors import RefNotFound, UserError

_COMMIT = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"[0-9]{1,9}")


def node(
    info: Info,
    id: Annotated[  # noqa: A002  # the word of Relay's specification
        ID,
        argument(
            description="As `id` of an asset, run, launch, backfill, branch, tag, commit, "
            "schedule, sensor, hook, condition, pool."
        ),
    ],
) -> Node | None:
    """Give what has an id; nothing if it is gone.

    Raises:
        UserError: There can be no such id.
    """
    if _COMMIT.fullmatch(id):
        return _commit(info, id)
    kind, _, name = str(id).partition(":")
    if kind in _NUMBERED and _NUMBER.fullmatch(name):
        return _NUMBERED[kind](info, int(name))
    if kind in _NAMED and name:
        return _NAMED[kind](info, name)
    raise UserError(
        "A8113",
        f"`{id[:100]}` is not an id of anything here.",
        hint="Take it from the field `id`: asset:raw.orders, run:7, or a commit's.",
        known=(*_NUMBERED, *_NAMED),
    )


def _asset(info: Info, name: str) -> Node | None:
    graph = info.context.project.graph
    declared = {str(key): each for key, each in graph.assets.items()}.get(name)
    return None if declared is None else of_asset.nodes(info.context, [declared])[0]


def _commit(info: Info, commit_id: str) -> Node | None:
    try:
        found = info.context.project.lake.commits([commit_id])
    except RefNotFound:
        return None
    return of_commit.commit(found[commit_id])


def _branch(info: Info, name: str) -> Node | None:
    served = info.context.project
    found = next((ref for ref in served.lake.refs("branch") if ref.name == name), None)
    if found is None:
        return None
    head = served.lake.commits([found.commit_id])[found.commit_id]
    return of_commit.branch_node(found, head, current=served.branch)


def _tag(info: Info, name: str) -> Node | None:
    lake = info.context.project.lake
    found = next((ref for ref in lake.refs("tag") if ref.name == name), None)
    if found is None:
        return None
    return of_commit.tag(found, lake.commits([found.commit_id])[found.commit_id])


def _listed(
    every: Callable[[Info], Sequence[Node]], kind: str
) -> Callable[[Info, str], Node | None]:
    """Find one among those that the project declares, which are few."""

    def find(info: Info, name: str) -> Node | None:
        return next((each for each in every(info) if each.id == f"{kind}:{name}"), None)

    return find


_NUMBERED: Mapping[str, Callable[[Info, int], Node | None]] = {
    "run": of_run.run,
    "launch": of_launch.launch,
    "backfill": of_backfill.backfill,
}
_NAMED: Mapping[str, Callable[[Info, str], Node | None]] = {
    "asset": _asset,
    "branch": _branch,
    "tag": _tag,
    "schedule": _listed(of_trigger.schedules, "schedule"),
    "sensor": _listed(of_trigger.sensors, "sensor"),
    "hook": _listed(of_trigger.hooks, "hook"),
    "condition": _listed(of_condition.conditions, "condition"),
    "pool": _listed(of_control.pools, "pool"),
}
