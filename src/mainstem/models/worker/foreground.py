# SPDX-License-Identifier: Apache-2.0
"""Python steps in this process, under the debugger: what raises stops there, with its frames.

Only for `runs replay --pdb`, where somebody sits before it: a crash takes the program along.
"""

from __future__ import annotations

import importlib
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from mainstem.models.worker.exchange import Cancel
from mainstem.models.worker.execute import Executor
from mainstem.models.worker.message import Answer
from mainstem.models.worker.output import Log


class Foreground:
    """Meets `StepExecutor`.

    Args:
        folder: The project: where its modules are imported from.
        stop_in: What is called with the traceback of an exception; by default the debugger.
    """

    def __init__(
        self, folder: Path, *, stop_in: Callable[[TracebackType | None], object] | None = None
    ) -> None:
        self._folder = folder
        self._stop_in = stop_in or importlib.import_module("pdb").post_mortem

    def run(
        self,
        request: object,
        *,
        asset: str,
        answer: Callable[[Any], object | None],
        log: Log,
        cancel: Cancel | None = None,
        timeout_s: float | None = None,
    ) -> Answer:
        """Carry a request out here; what it prints goes to the terminal, and nothing stops it."""
        del asset, log, cancel, timeout_s
        if str(self._folder) not in sys.path:
            sys.path.insert(0, str(self._folder))
        executor = Executor(self._folder, _Loop(answer), on_raise=self._stop)
        return executor.answer(request)

    def _stop(self, error: BaseException) -> None:
        self._stop_in(_of_the_user(error.__traceback__, self._folder))


class _Loop:
    """A channel whose other end is the same thread."""

    def __init__(self, answer: Callable[[Any], object | None]) -> None:
        self._answer = answer
        self._replies: deque[object] = deque()

    def send(self, message: object) -> None:
        reply = self._answer(message)
        if reply is not None:
            self._replies.append(reply)

    def receive(self) -> Any:
        return self._replies.popleft()


def _of_the_user(trace: TracebackType | None, folder: Path) -> TracebackType | None:
    """Leave out frames of ours, so that the debugger begins in the user's code."""
    step = trace
    while step is not None:
        if step.tb_frame.f_code.co_filename.startswith(f"{folder}/"):
            return step
        step = step.tb_next
    return trace
