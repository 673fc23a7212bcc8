# SPDX-License-Identifier: Apache-2.0
"""From events of a run to lines of history: what happened, without what was printed."""

from __future__ import annotations

from typing import Any

from mainstem.records import History
from mainstem.runs import (
    RunEvent,
    RunFinished,
    RunStarted,
    StepFinished,
    StepRetried,
)
from mainstem.types import CheckResult, Clock


class HistoryObserver:
    """Writes the history of one run; hears its events one at a time."""

    def __init__(self, history: History, clock: Clock) -> None:
        self._history = history
        self._clock = clock
        self._run: dict[str, Any] = {}

    def __call__(self, event: RunEvent) -> None:
        """Take one event in."""
        match event:
            case RunStarted():
                self._run = {
                    "run_id": event.run_id,
                    "environment": event.environment,
                    "branch": event.branch,
                }
                self._add({"event": "run_started"})
            case StepRetried():
                self._add(
                    {
                        "event": "step_retried",
                        "asset": str(event.key),
                        "attempt": event.attempt,
                        "code": event.error.code,
                        "text": event.error.summary,
                    }
                )
            case StepFinished() if event.status != "skipped":
                self._add(step_event(event), *map(check_event, event.checks))
            case RunFinished() if event.run_id:
                self._add(
                    {
                        "event": "run_finished",
                        "status": event.status,
                        "commit_id": event.commit_id,
                        "elapsed_s": round(event.elapsed_s, 6),
                        "text": ", ".join(map(str, event.published)),
                    }
                )
            case _:
                pass

    def _add(self, *events: dict[str, Any]) -> None:
        self._history.add(self._clock.now(), [{**event, **self._run} for event in events])


def step_event(event: StepFinished) -> dict[str, Any]:
    """Tell how a step ended: what was built, and what it took."""
    usage = event.usage
    return {
        "event": "step_finished",
        "asset": str(event.key),
        "status": event.status,
        "row_count": event.rows,
        "size_bytes": event.size_bytes,
        "elapsed_s": round(event.elapsed_s, 6),
        "cpu_s": None if usage is None else round(usage.cpu_s, 6),
        "peak_memory": None if usage is None else usage.peak_memory,
        "measured": None if usage is None else usage.measured,
        "code": None if event.error is None else event.error.code,
        "text": event.reason if event.error is None else event.error.summary,
    }


def check_event(result: CheckResult) -> dict[str, Any]:
    """Tell what a check found; its sample of rows stays with the run."""
    return {
        "event": "check",
        "asset": str(result.asset),
        "status": result.verdict,
        "code": result.check_id,
        "row_count": result.failed_count,
        "elapsed_s": round(result.elapsed_s, 6),
        "text": result.message,
    }
