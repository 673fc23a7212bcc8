# SPDX-License-Identifier: Apache-2.0
"""The log of a run as people read it: what steps wrote, from files, and what became of the run.

A reader remembers how far it is, so that following a run costs what is new.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mainstem.database import Database
from mainstem.records import RunLogs
from mainstem.state import StepRecord, events, run_of, steps
from mainstem.types import dataclass

_PAGE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One line of a run's log."""

    at: datetime
    kind: str
    asset: str
    text: str
    attempt: int = 0
    """0: of the run, not of an attempt."""


class RunLogReader:
    """Reads the log of one run, each line once.

    Args:
        database: With run state.
        logs: With what steps wrote.
        run_id: The run.
        asset: Only of this one.
    """

    def __init__(self, database: Database, logs: RunLogs, run_id: int, asset: str = "") -> None:
        self._database = database
        self._logs = logs
        self._run_id = run_id
        self._asset = asset.casefold()
        self._offsets: Mapping[str, int] = {}
        self._told: set[tuple[str, str]] = set()
        self._failed: set[str] = set()
        self.is_over = False
        """The run had ended before the last look: nothing more will come."""

    def read(self) -> list[LogEntry]:
        """Give what came since the last call, in the order of time."""
        with self._database.read() as transaction:
            run = run_of(transaction, self._run_id)
            told = events(transaction, self._run_id)
            ended = steps(transaction, self._run_id)
        self.is_over = run is None or run.finished_at is not None
        found = self._lines()
        for at, kind, asset, text in told:
            if (kind, text) not in self._told:
                self._told.add((kind, text))
                found.append(LogEntry(at=at, kind=kind, asset=asset, text=text))
        found.extend(self._failures(ended))
        found.sort(key=lambda entry: entry.at)
        return [entry for entry in found if self._asset in ("", entry.asset.casefold())]

    def _lines(self) -> list[LogEntry]:
        found: list[LogEntry] = []
        while True:
            page = self._logs.run(self._run_id, self._offsets, limit=_PAGE)
            self._offsets = page.offsets
            if not page.lines:
                return found
            for line in page.lines:
                if line.kind == "failed":
                    self._failed.add(line.step.casefold())
                found.append(
                    LogEntry(
                        at=line.at,
                        kind=line.kind,
                        asset=line.step,
                        text=line.text,
                        attempt=line.attempt,
                    )
                )

    def _failures(self, ended: list[StepRecord]) -> list[LogEntry]:
        """Give what failed and has no line in a log: it never got to run, or its log is gone."""
        found = []
        for step in ended:
            name = str(step.key)
            at = step.finished_at or step.started_at
            if step.error is None or at is None or name.casefold() in self._failed:
                continue
            self._failed.add(name.casefold())
            text = _error_text(step.error)
            found.append(LogEntry(at=at, kind="failed", asset=name, text=text))
        return found


def _error_text(error: Mapping[str, Any]) -> str:
    """Say what a step failed with: place, code, what happened, what to do, and the traceback."""
    where = error.get("where") or {}
    place = str(where.get("file") or "")
    if place and where.get("line"):
        place = f"{place}:{where['line']}"
    parts = (
        f"error[{error.get('code', '')}]: {error.get('summary', '')}",
        f"at {place}" if place else "",
        str(error.get("details") or "").rstrip(),
        str(error.get("hint") or ""),
    )
    return "\n".join(part for part in parts if part)
