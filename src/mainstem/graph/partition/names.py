# SPDX-License-Identifier: Apache-2.0
"""Partitions by name: a fixed list, or one that grows and shrinks while the project stays."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mainstem.errors import ModelInvalid, SelectionInvalid
from mainstem.graph.partition.spans import Spans, of_ordinals, span
from mainstem.types import did_you_mean, nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticPartitions:
    """A fixed list of names, in its order."""

    names: tuple[str, ...]
    _ordinals: Mapping[str, int] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ordinals", {name: at for at, name in enumerate(self.names)})

    @property
    def dimensions(self) -> tuple[StaticPartitions]:
        """Itself: it has one."""
        return (self,)

    def key(self, ordinal: int) -> str:
        """Give a name."""
        return self.names[ordinal]

    def ordinal(self, key: str) -> int:
        """Give the place of a name.

        Raises:
            SelectionInvalid: It is not in the list (A1083).
        """
        found = self._ordinals.get(key)
        if found is None:
            raise _unknown(key, self.names)
        return found

    def knows(self, key: str) -> bool:
        """Tell whether there is a partition of that name."""
        return key in self._ordinals

    def span_of(self, text: str) -> Spans:
        """Give the partition of a name."""
        at = self.ordinal(text)
        return span(at, at + 1)

    def existing(self, now: datetime | None = None) -> Spans:
        """Give all of them; time changes nothing."""
        del now
        return span(0, len(self.names))

    def shape(self) -> str:
        """Give what decides which rows are in which partition: the names themselves do."""
        return "static"


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicPartitions:
    """Names that are added and removed through the project's state.

    An ordinal belongs to a name for good: it is not given to another one once that is removed.
    """

    name: str
    """Of the list; assets may share one."""
    keys: tuple[tuple[int, str], ...] = ()
    """Ordinal and key, by ordinal, of those that there are now; from the state."""
    _ordinals: Mapping[str, int] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ordinals", {key: ordinal for ordinal, key in self.keys})

    @property
    def dimensions(self) -> tuple[DynamicPartitions]:
        """Itself: it has one."""
        return (self,)

    def key(self, ordinal: int) -> str:
        """Give the name with an ordinal, O(log n)."""
        at = bisect_left(self.keys, (ordinal, ""))
        if at == len(self.keys) or self.keys[at][0] != ordinal:
            raise SelectionInvalid("A1083", f"`{self.name}` has no partition number {ordinal}.")
        return self.keys[at][1]

    def ordinal(self, key: str) -> int:
        """Give the ordinal of a name.

        Raises:
            SelectionInvalid: It was never added, or is removed (A1083).
        """
        found = self._ordinals.get(key)
        if found is None:
            raise _unknown(key, tuple(self._ordinals), dynamic=self.name)
        return found

    def knows(self, key: str) -> bool:
        """Tell whether there is a partition of that name."""
        return key in self._ordinals

    def span_of(self, text: str) -> Spans:
        """Give the partition of a name."""
        at = self.ordinal(text)
        return span(at, at + 1)

    def existing(self, now: datetime | None = None) -> Spans:
        """Give those that there are; time changes nothing."""
        del now
        return of_ordinals(ordinal for ordinal, _key in self.keys)

    def shape(self) -> str:
        """Give what decides which rows are in which partition: the names themselves do."""
        return f"dynamic {self.name}"


def static_partitions(names: tuple[str, ...]) -> StaticPartitions:
    """Define partitions by a list of names.

    Raises:
        ModelInvalid: There is none, one is empty, or one comes twice (A2063).
    """
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if not names or "" in names or twice is not None:
        what = f"has `{twice}` twice" if twice else "needs names, none of them empty"
        raise ModelInvalid(
            "A2063", f"The list of partitions {what}.", hint="partitions: {static: [eu, us, asia]}"
        )
    return StaticPartitions(names=names)


def _unknown(key: str, known: tuple[str, ...], *, dynamic: str = "") -> SelectionInvalid:
    more = ", …" if len(known) > 8 else ""
    hint = did_you_mean(key, known) or f"There are: {', '.join(known[:8]) or 'none'}{more}."
    if dynamic:
        hint += f" More of `{dynamic}`: mainstem partitions ASSET --add KEY."
    return SelectionInvalid(
        "A1083",
        f"There is no partition `{key}`.",
        hint=hint,
        known=nearest(key, known) or known[:8],
    )
