# SPDX-License-Identifier: Apache-2.0
"""How an asset is executed, whatever it is: attempts, the time they may take, what they need.

Nothing here shapes data, so nothing here is part of a fingerprint.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import field, replace
from typing import Literal

from mainstem.types.value import dataclass

Backoff = Literal["fixed", "exponential"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When a failed attempt is followed by another, and how soon."""

    count: int | None = None
    """Further attempts; `None`: as many as the run says, by default none."""
    delay_s: float = 1.0
    backoff: Backoff = "exponential"
    factor: float = 2.0
    """What each delay is multiplied by for the next, if it is exponential."""
    max_delay_s: float = 300.0
    jitter: float = 0.5
    """The part of a delay that is chance, 0 to 1: retries of many steps spread out."""
    on: tuple[str, ...] = ()
    """Exceptions that are worth another attempt; empty: all that may pass by themselves."""
    not_on: tuple[str, ...] = ()
    """Exceptions that are not, whatever `on` says."""

    def or_else(self, default: Retry) -> Retry:
        """Fill in what a run says where the asset says nothing."""
        if self == NO_RETRY:
            return default
        return self if self.count is not None else replace(self, count=default.count)

    def may_follow(self, attempt: int) -> bool:
        """Tell whether another attempt may follow this one."""
        return attempt <= (self.count or 0)

    def covers(self, names: Collection[str], *, is_transient: bool) -> bool:
        """Tell whether an error is worth another attempt.

        Args:
            names: What the error is called: its classes, those of the user's exception, its code.
            is_transient: What is thought of it where nothing was declared.
        """
        if any(name in names for name in self.not_on):
            return False
        return any(name in names for name in self.on) if self.on else is_transient

    def delay_after(self, attempt: int, chance: float) -> float:
        """Give the seconds to wait after a failed attempt.

        Args:
            attempt: The one that failed, counted from 1.
            chance: A random number from 0 to 1.
        """
        # Beyond some hundred doublings a float overflows; the limit was reached long before.
        power = min(attempt - 1, 64) if self.backoff == "exponential" else 0
        whole = min(self.delay_s * self.factor**power, self.max_delay_s)
        return whole * (1.0 - self.jitter + self.jitter * chance)


NO_RETRY = Retry()
"""What holds where nothing was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Something that only so many attempts may use at once, in all runs of all processes."""

    name: str
    slots: int | None = None
    """Attempts at once; of memory the bytes. `None`: only the rate is limited."""
    rate_per_s: float = 0.0
    """Attempts that may start in a second; 0: no limit."""
    burst: int = 1
    """Attempts that may start at once after a pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """What each attempt of a step needs before it may start."""

    pools: tuple[str, ...] = ()
    memory_bytes: int | None = None

    def __or__(self, other: Asks) -> Asks:
        """Give what both need: one step builds several assets."""
        sizes = [each.memory_bytes for each in (self, other) if each.memory_bytes is not None]
        return Asks(
            pools=tuple(sorted({*self.pools, *other.pools})),
            memory_bytes=max(sizes, default=None),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What the owner of an asset says about how it is executed."""

    retry: Retry = field(default_factory=Retry)
    timeout_s: float | None = None
    """For one attempt."""
    asks: Asks = field(default_factory=Asks)
    priority: int = 0
    """Of what can start, the highest is first; what it needs comes as early as itself."""
