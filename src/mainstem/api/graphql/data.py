# SPDX-License-Identifier: Apache-2.0
"""Rows, profiles and positions in sources."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import argument, field

from mainstem.api.graphql.arguments import At, Key
from mainstem.api.graphql.context import Info
from mainstem.api.graphql.project import at as commit_at
from mainstem.api.graphql.scalars import Json, Long
from mainstem.errors import UserError
from mainstem.project import RowsRequest, find_rows, open_rows


@strawberry.type(description="A column of rows that were given.")
class DataColumn:
    """A column."""

    name: str = field(description="Its name.")
    type: str = field(description="In Arrow's words.")


@strawberry.type(description="Rows of one table or view.")
class Data:
    """Rows."""

    asset: str = field(description="Key of the asset.")
    commit: str = field(description="The commit whose rows they are.")
    data_version: str = field(description="Identity of what was read.")
    columns: list[DataColumn] = field(description="The columns, in order.")
    rows: Json = field(description="A list of values for each row, in the order of the columns.")


@strawberry.type(description="What the values of a column are like.")
class ColumnProfile:
    """A column's profile."""

    column: str = field(description="Its name.")
    type: str = field(description="In DuckDB's words.")
    null_percentage: float | None = field(description="Share of nulls.")
    approximate_unique: Long | None = field(description="About how many values there are.")
    min: str | None = field(description="The least value, as text.")
    max: str | None = field(description="The greatest value, as text.")


@strawberry.type(description="How far a source was read.")
class Cursor:
    """A position in a source."""

    asset: str = field(description="Key of the asset that is read.")
    position: Json = field(description="In the source's own terms.")


@strawberry.input(description="In which order rows come, and which of them.")
class RowOrder:
    """An order."""

    by: list[str] = field(description="Columns; `-` before one: the greatest first.")
    offset: int = field(default=0, description="Rows to pass over.")


def data(
    info: Info,
    asset: Key,
    branch: Annotated[str, argument(description="The environment's without.")] = "",
    at: Annotated[str, argument(description="A tag or commit, or a time of the branch.")] = "",
    columns: Annotated[list[str] | None, argument(description="All without.")] = None,
    filter: Annotated[  # noqa: A002  # the word of the schema
        str, argument(description="`amount >= 10 and status in ('paid', 'sent')`.")
    ] = "",
    limit: Annotated[int, argument(description="Rows, 10,000 at most.")] = 100,
    order: Annotated[
        RowOrder | None, argument(description="Any order without; then there is no offset.")
    ] = None,
) -> Data:
    """Read rows; large amounts are better read from `/api/data`."""
    context = info.context
    most = context.settings.max_rows
    if not 0 <= limit <= most:
        raise UserError(
            "A8113",
            f"`limit` is a number from 0 to {most:,}.",
            hint=f"More rows come from /api/data/{asset}.",
        )
    if order is not None and order.offset < 0:
        raise UserError("A8113", "`offset` is a number from 0 on.")
    request = RowsRequest(
        asset=asset,
        branch=branch,
        at=at,
        columns=tuple(columns or ()),
        condition=filter,
        limit=limit,
        offset=0 if order is None else order.offset,
        order_by=() if order is None else tuple(order.by),
    )
    found = find_rows(context.project, request)
    with open_rows(context.project, found, stopping=context.deadline.stopping) as rows:
        table = rows.read_all()
    columns = [column.to_pylist() for column in table.columns]
    return Data(
        asset=str(found.key),
        commit=found.commit_id,
        data_version=found.data_version,
        columns=[DataColumn(name=each.name, type=str(each.type)) for each in table.schema],
        rows=Json([list(map(_plain, row)) for row in zip(*columns, strict=True)]),
    )


def profile(info: Info, asset: Key, at: At = None) -> list[ColumnProfile]:
    """Summarise the columns of a table."""
    found = info.context.project.profile(asset, at=commit_at(info.context, at))
    return [
        ColumnProfile(
            column=row["column_name"],
            type=row["column_type"],
            null_percentage=_number(row["null_percentage"]),
            approximate_unique=row["approx_unique"],
            min=_text(row["min"]),
            max=_text(row["max"]),
        )
        for row in found.to_pylist()
    ]


def cursors(info: Info, at: At = None) -> list[Cursor]:
    """Give all positions in sources."""
    found = info.context.project.lake.cursors(commit_at(info.context, at))
    return [
        Cursor(asset=str(key), position=Json(_plain(dict(value))))
        for key, value in sorted(found.items())
    ]


def _plain(value: Any) -> Any:
    """Give a value as JSON has it; what JSON has not, as text."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if abs(value) <= 2**53 else str(value)
        case float():
            return value if value - value == 0 else str(value)
        case dict():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case bytes():
            return value.hex()
        case datetime() | date() | time():
            return value.isoformat()
        case Decimal() | UUID() | timedelta():
            return str(value)
        case _:
            return str(value)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
