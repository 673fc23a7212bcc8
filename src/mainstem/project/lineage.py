# SPDX-License-Identifier: Apache-2.0
"""Lineage as a tree: of an asset over its inputs, of a column over the columns it is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mainstem.errors import AssetNotFound
from mainstem.graph import Graph
from mainstem.types import AssetKey, dataclass, nearest

ColumnLineage = Mapping[str, tuple[tuple[AssetKey, str], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageNode:
    """One asset, or one column of it, and what is next to it in the direction asked for."""

    key: AssetKey
    column: str = ""
    note: str = ""
    """Where it ends: the file of a source, or why its columns are not known."""
    next: tuple[LineageNode, ...] = ()
    is_repeated: bool = False
    """Its own `next` are shown where it stands first."""

    @property
    def name(self) -> str:
        """`namespace.name`, or `namespace.name.column`."""
        return f"{self.key}.{self.column}" if self.column else str(self.key)


def asset_lineage(graph: Graph, key: AssetKey, *, downstream: bool = False) -> LineageNode:
    """Give the tree of assets above (or below) one."""
    edges = graph.children if downstream else graph.parents
    seen: set[AssetKey] = set()

    def node(of: AssetKey) -> LineageNode:
        beyond = edges.get(of, ())
        if of in seen and beyond:
            return LineageNode(key=of, is_repeated=True)
        seen.add(of)
        return LineageNode(
            key=of,
            note="" if beyond or downstream else _end(graph, of),
            next=tuple(node(other) for other in sorted(beyond)),
        )

    return node(key)


def column_lineage(
    graph: Graph,
    key: AssetKey,
    column: str,
    columns_of: Callable[[AssetKey], ColumnLineage],
    *,
    downstream: bool = False,
) -> LineageNode:
    """Give the tree of columns above (or below) one.

    Args:
        graph: The project.
        key: Asset.
        column: One of its columns, in any case.
        columns_of: For each column of an asset the columns it is computed from.
        downstream: What is made of it, instead of what it is made of.

    Raises:
        AssetNotFound: The asset is known to have no such column.
    """
    folded = column.casefold()
    own = columns_of(key)
    if own and folded not in {name.casefold() for name in own}:
        close = nearest(column, own)
        raise AssetNotFound(
            "A1076",
            f"{key} has no column `{column}`.",
            hint=f"Did you mean `{close[0]}`?" if close else f"It has {', '.join(own)}.",
            known=close or tuple(own),
        )
    written = next((name for name in own if name.casefold() == folded), column)
    seen: set[tuple[AssetKey, str]] = set()

    def node(of: AssetKey, name: str) -> LineageNode:
        beyond = _below(graph, of, name, columns_of) if downstream else _above(columns_of(of), name)
        place = (of, name.casefold())
        if place in seen and beyond:
            return LineageNode(key=of, column=name, is_repeated=True)
        seen.add(place)
        note = "" if beyond or downstream else _end(graph, of, name)
        children = tuple(node(other, other_name) for other, other_name in beyond)
        return LineageNode(key=of, column=name, note=note, next=children)

    return node(key, written)


def _above(lineage: ColumnLineage, column: str) -> tuple[tuple[AssetKey, str], ...]:
    folded = column.casefold()
    return next((above for name, above in lineage.items() if name.casefold() == folded), ())


def _below(
    graph: Graph, key: AssetKey, column: str, columns_of: Callable[[AssetKey], ColumnLineage]
) -> tuple[tuple[AssetKey, str], ...]:
    wanted = (key, column.casefold())
    return tuple(
        (reader, name)
        for reader in graph.children.get(key, ())
        for name, above in columns_of(reader).items()
        if any((other, other_name.casefold()) == wanted for other, other_name in above)
    )


def _end(graph: Graph, key: AssetKey, column: str = "") -> str:
    asset = graph.assets.get(key)
    if asset is None:
        return ""
    if asset.kind in {"file", "seed"}:
        return asset.file
    if column and asset.kind == "python":
        inputs = ", ".join(map(str, asset.inputs))
        return f"computed in {asset.file} from {inputs}" if inputs else f"made in {asset.file}"
    return "" if asset.inputs else asset.file
