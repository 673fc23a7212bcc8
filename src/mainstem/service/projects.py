# SPDX-License-Identifier: Apache-2.0
"""The open project of a server, through changes of its files: the last good one stays up.

A generation is the project as its files were at one time, opened for each environment, branch and
set of variables that a launch asked for. Runs keep the generation they began with; what is dear
(databases, engine, workers) is shared by all.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from mainstem.errors import ErrorGroup, MainstemError
from mainstem.project import Project, Shared, open_project
from mainstem.state import LaunchRequest
from mainstem.types import Clock, dataclass

_MOST = 32
"""Open projects of one generation; a launch with other variables opens one, and they are small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """What came of looking at the project's files again."""

    project: Project
    """The one in force."""
    problems: tuple[MainstemError, ...]
    """Of the files as they are; empty if `project` is made of them."""


class Projects:
    """All open projects of one folder.

    Args:
        folder: The project.
        environment: The server's own; the project's default without.
        clock: Source of time.
    """

    def __init__(self, folder: Path, *, environment: str | None, clock: Clock) -> None:
        self.folder = folder
        self.clock = clock
        self.shared = Shared(folder, process=dict(os.environ), clock=clock)
        self._environment = environment
        self._lock = threading.Lock()
        self._reloading = threading.Lock()
        self._opened: dict[str, Project] = {}
        self.current = self._open(environment, None, {})
        """Of the server's own environment and branch."""
        self.problems: tuple[MainstemError, ...] = self.current.problems
        self.generation = 1
        self.loaded_at: datetime = clock.now()

    def of(self, request: LaunchRequest) -> Project:
        """Give the project that a launch acts on, as it is now.

        Raises:
            ConfigInvalid: There is no such environment.
        """
        variables = request.options.get("vars") or {}
        environment = request.environment or self._environment
        own = (self.current.environment, self.current.branch)
        asked = (request.environment or own[0], request.branch or own[1])
        # Without a branch another environment has one of its own.
        if not variables and asked == own:
            return self.current
        name = orjson.dumps(
            [environment, request.branch, dict(variables)], option=orjson.OPT_SORT_KEYS
        ).decode()
        with self._lock:
            generation, found = self.generation, self._opened.get(name)
        if found is not None:
            return found
        opened = self._open(environment, request.branch or None, variables)
        with self._lock:
            if generation == self.generation:
                while len(self._opened) >= _MOST:
                    self._opened.pop(next(iter(self._opened)))
                self._opened[name] = opened
        return opened

    def reload(self) -> Reloaded:
        """Read the project's files again; one that is broken does not replace one that works."""
        with self._reloading:
            try:
                opened = self._open(self._environment, None, {})
                problems = opened.problems
            except ErrorGroup as group:
                opened, problems = self.current, tuple(group.errors)
            except MainstemError as error:
                opened, problems = self.current, (error,)
            with self._lock:
                self.problems = problems
                if opened is not self.current and (not problems or self.current.problems):
                    self.current, self._opened = opened, {}
                    self.generation += 1
                    self.loaded_at = self.clock.now()
                return Reloaded(project=self.current, problems=problems)

    def close(self) -> None:
        """Close what all of them share."""
        self.shared.close()

    def _open(
        self, environment: str | None, branch: str | None, variables: Mapping[str, Any]
    ) -> Project:
        return open_project(
            self.folder,
            environment=environment,
            branch=branch,
            vars=variables,
            clock=self.clock,
            shared=self.shared,
        )
