# SPDX-License-Identifier: Apache-2.0
"""What a server tells those who watch: of launches, runs, the project, and itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Literal

from mainstem.runs import RunEvent
from mainstem.types import dataclass

Topic = Literal["launch", "run", "project", "server", "backfill", "trigger"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEvent:
    """One thing that happened; `number` grows by one, so that a reader can say where it was."""

    number: int
    at: datetime
    topic: Topic
    name: str
    """launch: queued, claimed, finished, requeued, lost. run: event of `runs`, by class name.
    project: reloaded, broken. server: leading, standby, stopping, troubled. backfill: changed.
    trigger: failed."""
    launch_id: int | None = None
    run_id: int | None = None
    run_event: RunEvent | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
