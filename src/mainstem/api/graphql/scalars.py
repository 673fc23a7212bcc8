# SPDX-License-Identifier: Apache-2.0
"""Scalars beside GraphQL's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NewType

import strawberry
from strawberry.schema.config import StrawberryConfig

from mainstem.errors import UserError

Long = NewType("Long", int)
Json = NewType("Json", object)

_LARGEST = 2**53


def config() -> StrawberryConfig:
    """Give what the schema is made with."""
    return StrawberryConfig(
        scalar_map={
            Long: strawberry.scalar(
                name="Long",
                description="A whole number of up to 2^53, as a JSON number: counts and sizes.",
                serialize=int,
                parse_value=_long,
            ),
            Json: strawberry.scalar(
                name="JSON",
                description="Any JSON value: what has no fixed shape.",
                serialize=lambda value: value,
                parse_value=lambda value: value,
            ),
            datetime: strawberry.scalar(
                name="DateTime",
                description="A moment as ISO 8601 in UTC: `2026-11-28T09:30:00.123456Z`.",
                serialize=_written,
                parse_value=_moment,
            ),
        }
    )


def long(value: int | None) -> Long | None:
    """Mark a number as one that may be large."""
    return None if value is None else Long(value)


def _long(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST:
        raise UserError("A8113", f"`{str(value)[:50]}` is not a whole number of up to 2^53.")
    return value


def _written(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _moment(value: Any) -> datetime:
    try:
        when = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise UserError(
            "A8113",
            f"`{str(value)[:50]}` is not a time.",
            hint="Write it as 2026-11-28T09:30:00Z.",
        ) from None
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)
