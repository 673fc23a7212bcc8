# SPDX-License-Identifier: Apache-2.0
"""Pages of lists in Relay's shape: `first` and `after`, edges with cursors that stay valid.

A cursor names the last item, not a place: what is added or removed meanwhile moves nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import strawberry
from strawberry import field

from mainstem.errors import UserError

MOST = 1_000
"""Items of one page."""

T = TypeVar("T")
V = TypeVar("V")


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    """Where a page stands."""

    has_next_page: bool = field(description="Whether more follows.")
    has_previous_page: bool = field(description="Whether something comes before.")
    start_cursor: str | None = field(description="Cursor of the first item.")
    end_cursor: str | None = field(description="Cursor of the last item: the next page's `after`.")


@strawberry.type(description="An item in its list.")
class Edge(Generic[T]):
    """An item with its cursor."""

    node: T = field(description="The item.")
    cursor: str = field(description="Names the item in this list; opaque.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    """A page."""

    edges: list[Edge[T]] = field(description="The items with their cursors.")
    nodes: list[T] = field(description="The items alone.")
    page_info: PageInfo = field(description="Where the page stands.")
    total_count: int | None = field(
        description="Items of all pages; null where counting them would take reading them."
    )


def size_of(first: int) -> int:
    """Check a page's size.

    Raises:
        UserError: It is none.
    """
    if not 0 < first <= MOST:
        raise UserError("A8113", f"`first` is a number from 1 to {MOST:,}, not {first}.")
    return first


def cursor_of(name: object) -> str:
    """Make a cursor of what identifies an item."""
    return base64.urlsafe_b64encode(str(name).encode()).decode().rstrip("=")


def name_in(cursor: str | None) -> str | None:
    """Give what a cursor names.

    Raises:
        UserError: It is no cursor.
    """
    if cursor is None:
        return None
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        raise bad_cursor() from None


def number_in(cursor: str | None) -> int | None:
    """Give the number that a cursor names."""
    name = name_in(cursor)
    if name is None:
        return None
    if not (name.isascii() and name.isdigit() and len(name) < 19):
        raise bad_cursor()
    return int(name)


def bad_cursor() -> UserError:
    """Say that a cursor is none of this list."""
    return UserError(
        "A8118",
        "`after` is not a cursor of this list.",
        hint="Take `pageInfo.endCursor` of the page before.",
    )


def page(
    found: Sequence[V],
    *,
    first: int,
    after: str | None,
    name: Callable[[V], object],
    node: Callable[[V], T],
) -> Connection[T]:
    """Make a page of items behind `after`, of which one more than fit may have been loaded."""
    shown = found[:first]
    edges = [Edge(node=node(item), cursor=cursor_of(name(item))) for item in shown]
    return Connection(
        edges=edges,
        nodes=[edge.node for edge in edges],
        page_info=_info(edges, has_next=len(found) > first, has_previous=after is not None),
        total_count=None,
    )


def counted(
    items: Sequence[V],
    *,
    first: int,
    after: str | None,
    name: Callable[[V], object],
    node: Callable[[Sequence[V]], Sequence[T]],
) -> Connection[T]:
    """Make a page of a list that is all there.

    Args:
        items: All of them.
        first: Size of the page.
        after: Cursor of the page before.
        name: What identifies an item.
        node: Makes the nodes of the page's items.
    """
    size, start = size_of(first), 0
    wanted = name_in(after)
    if wanted is not None:
        start = next((at for at, item in enumerate(items, 1) if str(name(item)) == wanted), -1)
        if start < 0:
            raise bad_cursor()
    shown = items[start : start + size]
    edges = [
        Edge(node=made, cursor=cursor_of(name(item)))
        for item, made in zip(shown, node(shown), strict=True)
    ]
    return Connection(
        edges=edges,
        nodes=[edge.node for edge in edges],
        page_info=_info(edges, has_next=start + size < len(items), has_previous=start > 0),
        total_count=len(items),
    )


def _info(edges: Sequence[Edge[T]], *, has_next: bool, has_previous: bool) -> PageInfo:
    return PageInfo(
        has_next_page=has_next,
        has_previous_page=has_previous,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
