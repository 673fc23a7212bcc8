# SPDX-License-Identifier: Apache-2.0
"""Turns a run's events into output: redrawn on a terminal, timed lines in a log, or JSON."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Self

from mainstem.cli.live import Live
from mainstem.cli.output import Output
from mainstem.cli.render.plain import event_object
from mainstem.cli.render.run import finished_lines, retry_line, started_line, step_line
from mainstem.runs import (
    RunAsked,
    RunEvent,
    RunFinished,
    RunStarted,
    StepFinished,
    StepLogged,
    StepProgressed,
    StepRetried,
    StepStarted,
)
from mainstem.types import Clock


class Reporter(AbstractContextManager["Reporter"]):
    """Hears every event of one run; `finish` writes the summary.

    Args:
        output: Where to write.
        clock: For the times in front of lines, and how long steps take.
        key_width: Places for the names of assets.
        redraws: Show running steps at the foot of a terminal.
    """

    def __init__(
        self, output: Output, clock: Clock, *, key_width: int, redraws: bool = True
    ) -> None:
        self._output = output
        self._clock = clock
        self._key_width = key_width
        self._live: Live | None = None
        self._has_begun = False
        if redraws and output.look.has_glyphs and not output.is_json:
            self._live = Live(output.stdout, output.look, clock, key_width=key_width)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.__enter__()
        return self

    def __exit__(self, *exit_info: object) -> None:
        if self._live is not None:
            self._live.__exit__(*exit_info)

    def hear(self, event: RunEvent) -> None:
        """Show one event; called from any thread."""
        if self._output.is_json:
            if not isinstance(event, RunFinished):
                self._output.event(event_object(event))
            return
        if self._live is not None:
            self._follow(event, self._live)
        lines = self._lines(event)
        if not lines:
            return
        if self._live is not None:
            self._live.above(lines)
        else:
            self._output.timed(lines, self._clock.now())

    def finish(self, event: RunFinished) -> None:
        """Write what came of the run; the last object with `--json`."""
        if self._output.is_json:
            self._output.event(event_object(event))
            return
        self._output.timed(finished_lines(event, self._output.look), self._clock.now())

    def _follow(self, event: RunEvent, live: Live) -> None:
        match event:
            case StepStarted():
                live.started(f"{event.key} {event.partition}".rstrip())
            case StepProgressed():
                name = f"{event.key} {event.partition}".rstrip()
                live.progressed(name, event.rows, event.note)
            case StepFinished():
                live.ended(event.name)
            case _:
                pass

    def _lines(self, event: RunEvent) -> list[str]:
        look = self._output.look
        match event:
            case StepLogged() if not self._has_begun:
                # What holds the whole run up; what steps log is in `runs log`.
                return [f"{event.key} {event.text}"]
            case RunStarted():
                self._has_begun = True
                return [started_line(event, look)]
            case RunAsked(request=request, by=by):
                return [f"{by or 'somebody'}: {request}"]
            case StepRetried():
                return [retry_line(event, look, key_width=self._key_width)]
            case StepFinished(status="unchanged") if event.partition:
                return []
            case StepFinished():
                return [step_line(event, look, key_width=self._key_width)]
            case _:
                return []
