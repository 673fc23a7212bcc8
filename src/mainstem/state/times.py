# SPDX-License-Identifier: Apache-2.0
"""Times as the database keeps them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(when: datetime) -> int:
    """Give microseconds since 1970 UTC."""
    return (when - _EPOCH) // _MICROSECOND


def from_us(value: int) -> datetime:
    """Give an aware time in UTC."""
    return _EPOCH + timedelta(microseconds=value)
