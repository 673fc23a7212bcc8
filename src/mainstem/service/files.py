# SPDX-License-Identifier: Apache-2.0
"""Keeps the project in step with its files, in a thread of its own: reading them may take long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from mainstem.errors import MainstemError
from mainstem.project import Project, Watch
from mainstem.service.bus import EventBus
from mainstem.service.projects import Projects, Reloaded
from mainstem.types import Clock

_COST = 400
"""A look at the files takes at most one in so many parts of the time: 0.25 % of a processor."""


class Files:
    """Looks at the files every so often, and reloads the project when they changed.

    Args:
        projects: What to reload.
        clock: Source of time.
        bus: Told of reloads and problems.
        every_s: Time between two looks; nothing: only when asked.
        on_reload: Called, in the thread that reloaded, with what came of it.
    """

    def __init__(
        self,
        projects: Projects,
        *,
        clock: Clock,
        bus: EventBus,
        every_s: float | None,
        on_reload: Callable[[Reloaded], None],
    ) -> None:
        self._projects = projects
        self._clock = clock
        self._bus = bus
        self._every_s = every_s
        self._on_reload = on_reload
        self._watch: Watch | None = None
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="files")
        self._looking: Future[None] | None = None
        self._next_s = 0.0
        self._is_asked = False

    def turn(self) -> float | None:
        """Look if it is time to; gives the seconds until the next look."""
        if self._looking is not None and self._looking.done():
            self._looking.result()
            self._looking = None
        if self._looking is None and self._is_asked:
            self._is_asked = False
            self._looking = self._thread.submit(self._reload_now)
        if self._every_s is None:
            return None
        now_s = self._clock.monotonic_s()
        if self._looking is None and now_s >= self._next_s:
            self._next_s = now_s + self._every_s
            self._looking = self._thread.submit(self._look)
        return max(0.0, self._next_s - now_s)

    def request_reload(self) -> None:
        """Read the files soon, in the thread for it; for signal handlers."""
        self._is_asked = True

    def reload(self) -> Reloaded:
        """Read the files now, in the caller's thread."""
        with self._lock:
            return self._reload(())

    def close(self) -> None:
        """Look no more."""
        self._thread.shutdown(wait=False)

    def _also(self, project: Project) -> None:
        assert self._watch is not None, "asked of a watch that is there"
        self._watch.also(project.loaded.python, project.loaded.scripts)

    def _reload_now(self) -> None:
        self.reload()

    def _look(self) -> None:
        began_s = self._clock.monotonic_s()
        with self._lock:
            if self._watch is None:
                self._watch = Watch(self._projects.folder, clock=self._clock)
                self._also(self._projects.current)
                # What was edited between loading and now is seen by its time.
                if self._watch.has_newer(self._projects.loaded_at):
                    self._reload(())
                return
            changed = self._watch.changed()
            if changed:
                self._reload(changed)
        took_s = self._clock.monotonic_s() - began_s
        if not changed:
            self._next_s = max(self._next_s, began_s + took_s * _COST)

    def _reload(self, changed: tuple[str, ...]) -> Reloaded:
        reloaded = self._projects.reload()
        if self._watch is not None:
            self._also(reloaded.project)
        self._on_reload(reloaded)
        self._bus.publish(
            "project",
            "broken" if reloaded.problems else "reloaded",
            facts={
                "files": list(changed),
                "problems": [_plain(problem) for problem in reloaded.problems],
            },
        )
        return reloaded


def _plain(problem: MainstemError) -> dict[str, object]:
    return dict(problem.to_json())
