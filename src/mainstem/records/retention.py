# SPDX-License-Identifier: Apache-2.0
"""How long logs and history are kept: what is older is removed, days that are over are packed."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from mainstem.records.history import day_of
from mainstem.types import dataclass

_DAY = timedelta(days=1)
_STAMP = "pruned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What `retention:` of mainstem.yml says."""

    logs: timedelta = timedelta(days=30)
    history: timedelta = timedelta(days=400)
    steps: timedelta = timedelta(days=180)
    """Rows of steps and results of checks in the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was removed, or would be."""

    logs: int = 0
    """Runs whose logs are gone."""
    log_bytes: int = 0
    days: int = 0
    """Days of history that are gone."""
    day_bytes: int = 0


class RecordFiles:
    """The folders of logs and history of one project.

    Args:
        logs: `.mainstem/logs`.
        history: `.mainstem/history`.
    """

    def __init__(self, logs: Path, history: Path) -> None:
        self.logs = logs
        self.history = history

    def is_due(self, now: datetime) -> bool:
        """Tell whether a day has passed since the last pruning, and note that one begins."""
        stamp = self.history / _STAMP
        try:
            last = datetime.fromisoformat(stamp.read_text())
        except (OSError, ValueError):
            last = None
        if last is not None and now - _DAY < last <= now:
            return False
        try:
            self.history.mkdir(parents=True, exist_ok=True)
            stamp.write_text(now.isoformat())
        except OSError:
            return False
        return last is not None

    def prune(
        self,
        retention: Retention,
        *,
        now: datetime,
        running: Collection[int] = (),
        dry_run: bool = False,
    ) -> Pruned:
        """Remove what is older than it is to be kept; logs of runs that go on stay."""
        logs = [
            (path, size)
            for path, run_id, size, changed in self._runs()
            if run_id not in running and changed < now - retention.logs
        ]
        first_day = (now.astimezone(UTC) - retention.history).date()
        days = [
            (path, path.stat().st_size)
            for path in self.history.glob("*.*")
            if (day := day_of(path)) is not None and day < first_day
        ]
        if not dry_run:
            for path, _size in logs:
                shutil.rmtree(path, ignore_errors=True)
            for path, _size in days:
                path.unlink(missing_ok=True)
            self._pack((now.astimezone(UTC) - 2 * _DAY).date())
        return Pruned(
            logs=len(logs),
            log_bytes=sum(size for _path, size in logs),
            days=len(days),
            day_bytes=sum(size for _path, size in days),
        )

    def _pack(self, until: date) -> None:
        """Compress days of history that nobody adds to any more: a tenth of their size.

        The packed file comes whole or not at all; a day that has both after a kill is packed anew.
        """
        for path in self.history.glob("*.jsonl"):
            day = day_of(path)
            if day is None or day > until:
                continue
            packed = path.with_name(f"{path.name}.gz")
            draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
            with contextlib.suppress(OSError):
                with path.open("rb") as plain, gzip.open(draft, "wb", compresslevel=6) as out:
                    shutil.copyfileobj(plain, out)
                draft.replace(packed)
                path.unlink()

    def _runs(self) -> Iterator[tuple[Path, int, int, datetime]]:
        """Give for each run with logs its folder, id, bytes and the time of its last line."""
        for folder in self.logs.glob("run-*"):
            run_id = folder.name.removeprefix("run-")
            if not run_id.isdecimal():
                continue
            found = [file.stat() for file in folder.iterdir() if file.is_file()]
            last = max((status.st_mtime for status in found), default=0.0)
            size = sum(status.st_size for status in found)
            yield folder, int(run_id), size, datetime.fromtimestamp(last, UTC)
