# SPDX-License-Identifier: Apache-2.0
"""What a user's function may know and say while it runs: the `context` parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Literal, Protocol

from mainstem.errors import MainstemError
from mainstem.types import dataclass


def _unheard(*_: object) -> None:
    """Take what is said outside a run, in tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """What a function is to build: one partition, or neighbours if it takes several (`batch`)."""

    key: str
    """As text: `2013-05`, or `2013-05..2013-07` of several."""
    start: datetime | None = None
    """Aware, in the partitions' zone; nothing without a dimension of time."""
    end: datetime | None = None
    """The first moment that is not part of it."""
    keys: tuple[str, ...] = ()
    """Of each partition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFailed:
    """Stands for the result of an item that failed, with `context.map(..., on_error="keep")`."""

    key: str
    error: MainstemError


class MapItems(Protocol):
    """`context.map`."""

    def __call__(
        self,
        function: Callable[[Any], Any],
        items: Iterable[Any],
        *,
        key: Callable[[Any], str] | None = None,
        on_error: Literal["fail", "keep"] = "fail",
    ) -> list[Any]:
        """Call a function for each item, in warm workers at once; results are kept.

        Another attempt of the step does only the items that have no result yet.

        Args:
            function: At the top level of a module, to run in other workers; others, such as
                lambdas, run in threads of this one.
            items: What pickle takes; no two are equal.
            key: Gives the name under which an item's result is kept; by default made of the item.
            on_error: `fail`: once all items were tried, the step fails; `keep`: an `ItemFailed`
                stands for each item that failed.

        Returns:
            The results, in the order of the items.
        """
        ...


def _one_by_one(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    *,
    key: Callable[[Any], str] | None = None,
    on_error: Literal["fail", "keep"] = "fail",
) -> list[Any]:
    """Do items where no run keeps results: in tests and in checks."""
    del key, on_error
    return [function(item) for item in items]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The run that a function is part of; built by tests as they like."""

    run_id: int = 0
    attempt: int = 1
    logical_time: datetime | None = None
    """`now()` of the run, equal for all its steps and for re-runs; in UTC."""
    environment: str = "local"
    branch: str = "main"
    full_refresh: bool = False
    partition: Partition | None = None
    """Of a partitioned asset: what to build; inputs partitioned alike have its rows only."""
    vars: Mapping[str, Any] = field(default_factory=dict)
    """Variables of the project; those read by name become part of the code's identity."""
    log: Callable[[str], object] = _unheard
    """Keep a line in the run's log."""
    progress: Callable[[int | None, str], object] = _unheard
    """Show rows done so far, and a note."""
    map: MapItems = _one_by_one
    """Call a function for each of many items, at once, with results that are kept."""
