# SPDX-License-Identifier: Apache-2.0
"""A request that a worker of the pool carries out: heard of without waiting, or seen through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

from mainstem.models.worker.message import Answer
from mainstem.models.worker.output import Log, Output
from mainstem.models.worker.process import WorkerProcess
from mainstem.types import dataclass


class Cancel(Protocol):
    """What a pool needs of a cancel token."""

    @property
    def is_cancelled(self) -> bool:
        """Whether to stop now."""
        ...

    def on_cancel(self, stop: Callable[[], None]) -> Callable[[], None]:
        """Register what stops the work; returns the deregistration."""
        ...


@dataclass(frozen=True, slots=True)
class Conversation:
    """How a request is spoken about until its last answer; see `WorkerPool.run`."""

    asset: str
    answer: Callable[[Any], object | None]
    log: Log
    cancel: Cancel | None = None
    timeout_s: float | None = None
    is_per_message: bool = False


class Exchange:
    """One request in one worker, which is given back when that is finished.

    Args:
        worker: Idle, and taken.
        conversation: How to go on.
        output: Gives what takes printed lines; called if the worker has to be talked to.
        give_back: Called once, with whether the worker may be used again.
        grace_s: Time between asking a worker to end and killing its process group.
    """

    def __init__(
        self,
        worker: WorkerProcess,
        conversation: Conversation,
        *,
        output: Callable[[], Output],
        give_back: Callable[..., None],
        grace_s: float,
    ) -> None:
        self._worker = worker
        self._conversation = conversation
        self._output = output
        self._give_back = give_back
        self._grace_s = grace_s
        self._last: Answer | None = None
        cancel = conversation.cancel
        self._forget = cancel.on_cancel(worker.cancel) if cancel is not None else None
        if cancel is not None and cancel.is_cancelled:
            worker.cancel()

    def send(self, request: object) -> None:
        """Let the worker begin; a request that cannot be pickled gives it back."""
        is_sent = False
        try:
            self._worker.send(request)
            is_sent = True
        finally:
            if not is_sent:
                self._end(is_reusable=False)

    def fileno(self) -> int:
        """Give the descriptor that is readable once there is something to hear."""
        return self._worker.fileno()

    def hear(self) -> Literal["waits", "answered", "talks"]:
        """Take in what has come, without waiting."""
        heard = self._worker.hear()
        if isinstance(heard, Answer):
            self._last = heard
            return "answered"
        return "talks" if heard else "waits"

    def finish(self) -> Answer:
        """Give the last answer; waits for it unless it was heard."""
        conversation, worker = self._conversation, self._worker
        is_reusable = False
        try:
            last = self._last
            if last is None:
                last = worker.converse(
                    asset=conversation.asset,
                    answer=conversation.answer,
                    output=self._output(),
                    timeout_s=conversation.timeout_s,
                    is_per_message=conversation.is_per_message,
                    grace_s=self._grace_s,
                )
            is_reusable = True
            return last
        finally:
            self._end(is_reusable=is_reusable)

    def _end(self, *, is_reusable: bool) -> None:
        if self._forget is not None:
            self._forget()
        cancel = self._conversation.cancel
        was_cancelled = cancel is not None and cancel.is_cancelled
        self._give_back(self._worker, is_reusable=is_reusable and not was_cancelled)
