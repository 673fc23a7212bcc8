# SPDX-License-Identifier: Apache-2.0
"""What a trigger launches: a job of mainstem.yml, or a selection of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

from mainstem.state import LaunchRequest, Origin
from mainstem.types import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The part of a launch request that a file says; the rest is said when it fires."""

    job: str = ""
    environment: str = ""
    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    partitions: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0

    def request(
        self,
        origin: Origin,
        source: str,
        run_key: str,
        *,
        at: datetime | None = None,
        cause: Mapping[str, Any] | None = None,
    ) -> LaunchRequest:
        """Ask for it once.

        Args:
            origin: Kind of trigger.
            source: Name of the trigger.
            run_key: What makes this launch the same as another.
            at: Logical time of the run.
            cause: Facts for `why`.
        """
        return LaunchRequest(
            origin=origin,
            source=source,
            run_key=run_key,
            job=self.job,
            environment=self.environment,
            select=self.select,
            exclude=self.exclude,
            partitions=self.partitions,
            options=self.options,
            priority=self.priority,
            logical_time=at,
            cause=cause or {},
        )
