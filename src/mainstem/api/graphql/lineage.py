# SPDX-License-Identifier: Apache-2.0
"""Lineage of assets and of columns, already laid out for drawing."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import strawberry
from strawberry import ID, argument, field

from mainstem.api.graphql import asset as assets
from mainstem.api.graphql.arguments import Exclude, Key, Select
from mainstem.api.graphql.asset import Asset
from mainstem.api.graphql.context import Info
from mainstem.api.layout import Layout, layout
from mainstem.project import LineageNode as Tree


@strawberry.type(description="A node of a lineage, with its place.")
class LineageNode:
    """A node."""

    id: ID = field(description="Names it in `edges`: an asset's key, or `asset.column`.")
    key: str = field(description="Key of the asset.")
    column: str = field(description="The column; empty in a lineage of assets.")
    note: str = field(description="Where it ends: the file of a source, or why no more is known.")
    layer: int = field(description="From 0 at the left.")
    x: float = field(description="Place to the right, in layers.")
    y: float = field(description="Place downwards, in heights of nodes.")
    asset: Asset | None = field(description="The asset; null if only the lake knows it.")


@strawberry.type(description="A point.")
class Point:
    """A point."""

    x: float = field(description="To the right, in layers.")
    y: float = field(description="Downwards, in heights of nodes.")


@strawberry.type(description="An edge of a lineage, with its way.")
class LineageEdge:
    """An edge."""

    source: ID = field(description="Id of the node that is read.")
    target: ID = field(description="Id of the node that reads it.")
    points: list[Point] = field(description="From the source to the target, one in each layer.")


@strawberry.type(description="A lineage, laid out.")
class Lineage:
    """A lineage."""

    nodes: list[LineageNode] = field(description="In the order of their names.")
    edges: list[LineageEdge] = field(description="From what is read to what reads it.")
    width: float = field(description="Greatest `x`.")
    height: float = field(description="Greatest `y`.")


@strawberry.enum(description="Which way a lineage goes.")
class Direction(Enum):
    """Of lineages."""

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"


def lineage(info: Info, select: Select = None, exclude: Exclude = None) -> Lineage:
    """Give the graph of a selection: `+marts.delays`, `2+orders+1`, `tag:daily`."""
    context = info.context
    found = context.project.select(tuple(select or ()), tuple(exclude or ()))
    by_key = {str(each.key): each for each in found}
    # `graph.parents` has what orders, too: `deps:` without reading.
    parents = context.project.graph.parents
    edges = [
        (str(above), key) for key, each in by_key.items() for above in parents.get(each.key, ())
    ]
    drawn = layout(by_key, edges)
    shown = dict(zip(by_key, assets.nodes(context, found), strict=True))
    return _lineage(drawn, {name: (name, "", "", shown[name]) for name in by_key})


def column_lineage(
    info: Info,
    asset: Key,
    column: Annotated[str, argument(description="Name of the column.")],
    direction: Annotated[Direction, argument(description="Which way.")] = Direction.UPSTREAM,
) -> Lineage:
    """Give what a column is made of, or what is made of it."""
    context = info.context
    key = context.project.key(asset)
    is_down = direction is Direction.DOWNSTREAM
    tree = context.project.lineage(f"{key}.{column}", downstream=is_down)
    nodes: dict[str, Tree] = {}
    edges: list[tuple[str, str]] = []
    stack = [tree]
    while stack:
        node = stack.pop()
        if not node.is_repeated or node.name not in nodes:
            nodes[node.name] = node
        for other in node.next:
            edges.append((node.name, other.name) if is_down else (other.name, node.name))
            stack.append(other)
    graph = context.project.graph.assets
    known = list(dict.fromkeys(node.key for node in nodes.values() if node.key in graph))
    shown = dict(zip(known, assets.nodes(context, [graph[key] for key in known]), strict=True))
    drawn = layout(nodes, edges)
    return _lineage(
        drawn,
        {
            name: (str(node.key), node.column, node.note, shown.get(node.key))
            for name, node in nodes.items()
        },
    )


def _lineage(drawn: Layout, told: dict[str, tuple[str, str, str, Asset | None]]) -> Lineage:
    return Lineage(
        nodes=[
            LineageNode(
                id=ID(placed.name),
                key=told[placed.name][0],
                column=told[placed.name][1],
                note=told[placed.name][2],
                layer=placed.layer,
                x=placed.x,
                y=placed.y,
                asset=told[placed.name][3],
            )
            for placed in drawn.nodes
        ],
        edges=[
            LineageEdge(
                source=ID(edge.source),
                target=ID(edge.target),
                points=[Point(x=x, y=y) for x, y in edge.points],
            )
            for edge in drawn.edges
        ],
        width=drawn.width,
        height=drawn.height,
    )
