# SPDX-License-Identifier: Apache-2.0
"""What a user's function may know and say while it runs: the `context` parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

from mainstem.types import dataclass


def _unheard(*_: object) -> None:
    """Take what is said outside a run, in tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """What a function is to build: one partition, or neighbours if it takes several (`batch`)."""

    key: str
    """As text: `2013-05`, or `2013-05..2013-07` of several."""
    start: datetime | None = None
    """Aware, in the partitions' zone; nothing without a dimension of time."""
    end: datetime | None = None
    """The first moment that is not part of it."""
    keys: tuple[str, ...] = ()
    """Of each partition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The run that a function is part of; built by tests as they like."""

    run_id: int = 0
    attempt: int = 1
    logical_time: datetime | None = None
    """`now()` of the run, equal for all its steps and for re-runs; in UTC."""
    environment: str = "local"
    branch: str = "main"
    full_refresh: bool = False
    partition: Partition | None = None
    """Of a partitioned asset: what to build; inputs partitioned alike have its rows only."""
    vars: Mapping[str, Any] = field(default_factory=dict)
    """Variables of the project; those read by name become part of the code's identity."""
    log: Callable[[str], object] = _unheard
    """Keep a line in the run's log."""
    progress: Callable[[int | None, str], object] = _unheard
    """Show rows done so far, and a note."""
