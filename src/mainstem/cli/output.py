# SPDX-License-Identifier: Apache-2.0
"""Where output goes: stdout for what was asked, stderr for notes, progress and errors."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TextIO

import orjson

from mainstem.cli.render.errors import error_lines
from mainstem.cli.render.look import Look
from mainstem.cli.render.plain import plain
from mainstem.errors import ErrorGroup, MainstemError


def look_of(stream: TextIO, environment: Mapping[str, str]) -> Look:
    """Decide what a stream can show (https://no-color.org)."""
    is_terminal = stream.isatty()
    encoding = (getattr(stream, "encoding", "") or "").lower()
    return Look(
        has_glyphs=is_terminal and encoding.startswith("utf"),
        has_color=is_terminal
        and not environment.get("NO_COLOR")
        and environment.get("TERM") != "dumb",
        width=shutil.get_terminal_size((100, 24)).columns if is_terminal else 100,
    )


class Output:
    """The two streams of one command.

    Args:
        stdout: What was asked for.
        stderr: Notes, progress, errors.
        is_json: One document (or, for a run, one object a line) instead of text.
        environment: Variables of the process.
    """

    def __init__(
        self,
        stdout: TextIO,
        stderr: TextIO,
        *,
        is_json: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.is_json = is_json
        self._is_terminal = stdout.isatty()
        variables = os.environ if environment is None else environment
        self.look = look_of(stdout, variables)
        self.error_look = look_of(stderr, variables)

    @classmethod
    def of_process(cls, *, is_json: bool) -> Output:
        """Take the streams of this process; one that is closed (`>&-`) swallows what it gets."""
        if sys.stdout is None or sys.stderr is None:
            nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # lives as long as the process
            sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
        return cls(sys.stdout, sys.stderr, is_json=is_json)

    @property
    def is_terminal(self) -> bool:
        """Whether a person is watching stdout."""
        return self._is_terminal

    def lines(self, lines: Iterable[str]) -> None:
        """Write lines of what was asked for."""
        self.stdout.writelines(f"{line}\n" for line in lines)
        self.stdout.flush()

    def timed(self, lines: Iterable[str], now: datetime) -> None:
        """Write lines of a run: with the time in front unless a person watches."""
        if self.is_terminal:
            self.lines(lines)
        else:
            self.lines(f"{now:%Y-%m-%dT%H:%M:%SZ} {line}".rstrip() for line in lines)

    def note(self, text: str) -> None:
        """Write a line beside the result; silent with `--json`."""
        if not self.is_json:
            self.stderr.write(f"{text}\n")
            self.stderr.flush()

    def document(self, value: Any) -> None:
        """Write the one JSON document of this command."""
        text = orjson.dumps(plain(value), option=orjson.OPT_INDENT_2)
        self.stdout.write(text.decode() + "\n")
        self.stdout.flush()

    def event(self, value: Mapping[str, Any]) -> None:
        """Write one object on a line."""
        self.stdout.write(orjson.dumps(value).decode() + "\n")
        self.stdout.flush()

    def error(self, error: MainstemError, *, ending: str = "") -> None:
        """Write what went wrong: to stderr, and with `--json` as the document."""
        if self.is_json:
            errors = error.errors if isinstance(error, ErrorGroup) else (error,)
            found = {"errors": [one.to_json() for one in errors], "exit_code": error.exit_code}
            self.stdout.write(orjson.dumps(found).decode() + "\n")
            self.stdout.flush()
            return
        lines = error_lines(error, self.error_look, ending=ending)
        self.stderr.writelines(f"{line}\n" for line in lines)
        self.stderr.flush()
