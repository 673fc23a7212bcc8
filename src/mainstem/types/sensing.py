# SPDX-License-Identifier: Apache-2.0
"""What sensors answer with: runs to launch, a reason for none, where to look on from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from mainstem.types.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """A run that a sensor asks for; what it leaves empty is that of the sensor's job."""

    run_key: str = ""
    """What was noticed; at most one run is ever launched for one key. Empty: no such promise."""
    select: tuple[str, ...] = ()
    partitions: Mapping[str, str] = field(default_factory=dict)
    """Asset key to a partition, or a set of them: `{"raw.orders": "2026-11-22"}`."""
    vars: Mapping[str, Any] = field(default_factory=dict)
    cause: Mapping[str, Any] = field(default_factory=dict)
    """Facts for `mainstem why`."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Why there is nothing to launch, for those who ask."""

    reason: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next look begins: any JSON value, given to it as `cursor`."""

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorAnswer:
    """All that one look gave."""

    requests: tuple[RunRequest, ...] = ()
    skip: str = ""
    cursor: str | None = None
    """JSON; nothing: as it was."""
