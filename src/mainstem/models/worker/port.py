# SPDX-License-Identifier: Apache-2.0
"""The port between a Python step and what carries its request out: worker processes, or Dask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from mainstem.models.worker.exchange import Cancel
from mainstem.models.worker.message import Answer
from mainstem.models.worker.output import Log


class StepExecutor(Protocol):
    """Somewhere that `Build` and `Judge` are carried out; `WorkerPool` is the one next door.

    Only the supervisor that called it commits: an executor that runs a request twice, or finishes
    one that nobody waits for any more, leaves files behind and changes no table.
    """

    def run(
        self,
        request: object,
        *,
        asset: str,
        answer: Callable[[Any], object | None],
        log: Log,
        cancel: Cancel | None = None,
        timeout_s: float | None = None,
    ) -> Answer:
        """Carry out a request; see `WorkerPool.run`."""
        ...
