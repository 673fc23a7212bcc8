# SPDX-License-Identifier: Apache-2.0
"""Reading logs while they grow: by step and offset, or the whole run in the order of time.

An offset is a number: the attempt in the upper bits, the place in its log in the lower. It stays
valid while the log grows, over attempts, and over parts of a flood that are gone by now.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import orjson

from mainstem.records.log import AttemptLog, log_path, segments, step_of
from mainstem.types import Clock, dataclass

_ATTEMPT_BITS = 40
_PLACE = (1 << _ATTEMPT_BITS) - 1
_CHUNK = 1 << 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a log."""

    at: datetime
    kind: str
    """`stdout`, `stderr`, `log`; `retried`, `failed` (with traceback); `note` of ours."""
    step: str
    attempt: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Lines, and where to go on."""

    lines: tuple[LogLine, ...] = ()
    next_offset: int = 0
    """Of one step; equal to the offset asked for if nothing came since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """Lines of all steps of a run, in the order of time, and where to go on in each."""

    lines: tuple[LogLine, ...] = ()
    offsets: Mapping[str, int] = field(default_factory=dict)


class RunLogs:
    """The logs of a project's runs, in one folder.

    Args:
        folder: `.mainstem/logs`.
        clock: For the times of lines.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self._clock = clock

    def writer(self, run_id: int, step: str, attempt: int) -> AttemptLog:
        """Give what appends to the log of an attempt; makes no file before the first line."""
        return AttemptLog(log_path(self.folder, run_id, step, attempt), self._clock)

    def steps(self, run_id: int) -> tuple[str, ...]:
        """Name the steps of a run that have a log, as they are called in its files."""
        found = {step_of(path)[0] for path in self._heads(run_id)}
        return tuple(sorted(found))

    def tail(self, run_id: int, step: str, offset: int = 0, *, limit: int = 1000) -> LogPage:
        """Give the lines of a step's log behind an offset; costs what is read, not what there is.

        Args:
            run_id: The run.
            step: The asset's key; its case does not matter.
            offset: 0, or `next_offset` of the page before.
            limit: Lines at most.
        """
        name = step.casefold()
        attempts = {
            attempt: path
            for path in self._heads(run_id)
            for found, attempt in [step_of(path)]
            if found.casefold() == name
        }
        lines: list[LogLine] = []
        current, place = offset >> _ATTEMPT_BITS, offset & _PLACE
        for attempt in sorted(attempts):
            if attempt < current:
                continue
            if attempt > current:
                current, place = attempt, 0
            found, place = _read(attempts[attempt], place, limit - len(lines), step, attempt)
            lines.extend(found)
            if len(lines) >= limit:
                break
        return LogPage(lines=tuple(lines), next_offset=current << _ATTEMPT_BITS | place)

    def run(
        self, run_id: int, offsets: Mapping[str, int] | None = None, *, limit: int = 10_000
    ) -> RunPage:
        """Give what all steps of a run logged since, in the order of time."""
        after = dict(offsets or {})
        pages: list[tuple[LogLine, ...]] = []
        for step in self.steps(run_id):
            page = self.tail(run_id, step, after.get(step, 0), limit=limit)
            after[step] = page.next_offset
            pages.append(page.lines)
        merged = heapq.merge(*pages, key=lambda line: line.at)
        return RunPage(lines=tuple(merged), offsets=after)

    def _heads(self, run_id: int) -> Iterator[Path]:
        yield from (self.folder / f"run-{run_id}").glob("*.log")


def _read(path: Path, place: int, limit: int, step: str, attempt: int) -> tuple[list[LogLine], int]:
    """Read lines from a place on; gives the place behind the last of them."""
    lines: list[LogLine] = []
    for start, file in segments(path):
        try:
            size = file.stat().st_size
        except FileNotFoundError:
            continue  # the writer has dropped it since
        if place >= start + size:
            continue
        if place < start:
            at = lines[-1].at if lines else _EPOCH
            text = f"... {start - place:,} bytes of the log left out ..."
            lines.append(_line(at, "note", text, step, attempt))
            place = start
        with file.open("rb") as stream:
            stream.seek(place - start)
            for raw in _whole_lines(iter(partial(stream.read, _CHUNK), b"")):
                if len(lines) >= limit:
                    return lines, place
                place += len(raw)
                lines.append(_parsed(raw, lines, step, attempt))
    return lines, place


def _whole_lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Split chunks into lines; the last one is left alone while it is being written."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"


def _parsed(raw: bytes, before: list[LogLine], step: str, attempt: int) -> LogLine:
    try:
        record = orjson.loads(raw)
        at = _EPOCH + timedelta(microseconds=record["at"])
        return _line(at, record["kind"], record["text"], step, attempt)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        # Torn by a power failure, or written by hand: shown as it is.
        at = before[-1].at if before else _EPOCH
        return _line(at, "note", raw.decode("utf-8", "backslashreplace").rstrip(), step, attempt)


def _line(at: datetime, kind: str, text: str, step: str, attempt: int) -> LogLine:
    return LogLine(at=at, kind=kind, step=step, attempt=attempt, text=text)
