# SPDX-License-Identifier: Apache-2.0
"""What a run writes beside the database: a log for each attempt, with secrets masked.

The one place where secrets leave what steps tell: lines, errors, notes, results of checks.
"""

from __future__ import annotations

import threading

from mainstem.errors import MainstemError
from mainstem.records import AttemptLog, Redactor, RunLogs
from mainstem.runs.event import StepLogged, StepProgressed
from mainstem.runs.step import StepOutcome
from mainstem.types import AssetKey, CheckResult


class Journal:
    """The logs of one run; from any thread.

    Args:
        run_id: The run.
        logs: Where they go; nothing is kept without.
        redactor: Masks secrets.
    """

    def __init__(self, run_id: int, *, logs: RunLogs | None, redactor: Redactor) -> None:
        self._run_id = run_id
        self._logs = logs
        self._redactor = redactor
        self._open: dict[tuple[AssetKey, int], AttemptLog] = {}
        self._lock = threading.Lock()

    def line(self, key: AssetKey, attempt: int, kind: str, text: str) -> None:
        """Append a line, masked already, to the log of an attempt."""
        if self._logs is None:
            return
        with self._lock:
            log = self._open.get((key, attempt))
            if log is None:
                log = self._logs.writer(self._run_id, str(key), attempt)
                self._open[key, attempt] = log
        log.append(kind, text)

    def failed(self, key: AssetKey, attempt: int, error: MainstemError) -> None:
        """Append what an attempt failed with, and close its log."""
        self.line(key, attempt, "failed", error_text(error))

    def end(self, key: AssetKey, attempt: int) -> None:
        """Close the log of an attempt; one that was abandoned may still write to it."""
        with self._lock:
            log = self._open.pop((key, attempt), None)
        if log is not None:
            log.close()

    def logged(self, event: StepLogged) -> StepLogged:
        """Mask a line."""
        return self._redactor.fields(event, "text")

    def progressed(self, event: StepProgressed) -> StepProgressed:
        """Mask a note on progress."""
        return self._redactor.fields(event, "note")

    def error(self, error: MainstemError | None) -> MainstemError | None:
        """Mask an error in place."""
        return None if error is None else self._redactor.error(error)

    def outcome(self, outcome: StepOutcome | None) -> StepOutcome | None:
        """Mask what a step says of itself; its data is left alone."""
        if outcome is None or not (outcome.notes or outcome.warnings):
            return outcome
        return self._redactor.fields(outcome, "notes", "warnings")

    def results(self, results: tuple[CheckResult, ...]) -> tuple[CheckResult, ...]:
        """Mask messages and sample rows of checks."""
        return tuple(self._redactor.fields(result, "message", "sample") for result in results)


def error_text(error: MainstemError) -> str:
    """Say what failed: code, place, what happened, traceback, what to do."""
    place = str(error.where) if error.where is not None and error.where.file else ""
    parts = (
        f"error[{error.code}]: {error.summary}",
        f"at {place}" if place else "",
        error.details.rstrip(),
        error.hint,
    )
    return "\n".join(part for part in parts if part)
