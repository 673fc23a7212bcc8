# SPDX-License-Identifier: Apache-2.0
"""The one place where whatever foreign code raises is caught: steps and gates run inside it."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

from mainstem.errors import MainstemError


class Boundary:
    """A block that ends quietly whatever is raised in it; in threads of the run only.

    Also `SystemExit` and `KeyboardInterrupt` of user code: a step must not end the supervisor.
    """

    __slots__ = ("error",)

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> Literal[True]:
        self.error = error
        return True

    def as_known(self, translate: Callable[[BaseException], MainstemError]) -> MainstemError | None:
        """Give what was raised as an error of ours, if anything was."""
        if self.error is None or isinstance(self.error, MainstemError):
            return self.error
        return translate(self.error)
