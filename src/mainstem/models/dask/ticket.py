# SPDX-License-Identifier: Apache-2.0
"""What travels to a Dask worker with a request, and the names under which both sides talk.

A ticket is carried out in a worker process of the Dask worker's own, so user code that crashes or
hangs takes nothing of Dask's with it. Messages go up as events of one topic, which the scheduler
pushes to the supervisor in order, before it says that the task is done. Replies, and the word to
stop, go down through a queue that belongs to one attempt: Dask starts a task anew when it loses a
worker, and what was meant for the lost attempt must not reach the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from mainstem.types import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One request on its way to a Dask worker."""

    id: str
    """Unique; also what queues are named after."""
    folder: str
    """Of the project; the same path on all machines."""
    request: object
    """`Build` or `Judge`."""
    asset: str
    timeout_s: float | None
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of the supervisor: a worker that has others refuses."""
    address: str = ""
    """Of the scheduler, for user code that computes Dask frames of its own."""
    uses_frames: bool = False
    """Its inputs are Dask frames: their tasks need the thread that this one would hold."""
    topic: str = ""
    """Of the events by which the worker talks to the supervisor."""

    def down(self, attempt: str) -> str:
        """Queue of replies to one attempt."""
        return f"mainstem-down-{self.id}-{attempt}"
