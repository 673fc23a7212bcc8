# SPDX-License-Identifier: Apache-2.0
"""Who holds a lease: enough to tell, on the same host, whether that process still lives."""

from __future__ import annotations

from mainstem.types import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """One run in one process; a pid alone may have been given to another since."""

    owner: str
    """Fresh for each run, so that two runs of one process are two owners."""
    host: str
    boot_id: str
    pid: int
    process_started: str
    """As the system counts it; distinguishes processes that got the same pid."""
