# SPDX-License-Identifier: Apache-2.0
"""Values of which a changed copy is cheap: the machine stays pure at a cost of what changes.

A run of ten thousand steps has as many turns; copying a tuple of marks in each would make it
quadratic. Nothing of runs is known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, Self, TypeVar

from mainstem.types import dataclass


class Copied(Protocol):
    """What can be copied, and the copy changed."""

    def copy(self) -> Self:
        """Give a copy."""
        ...


Item = TypeVar("Item", bound=Copied)
_SHIFT = 6
_MASK = (1 << _SHIFT) - 1


@dataclass(frozen=True, slots=True)
class Chunks(Generic[Item]):
    """A sequence that never changes, in pieces that copies share."""

    pieces: tuple[tuple[Item, ...], ...]
    length: int

    @classmethod
    def of(cls, items: Iterable[Item]) -> Chunks[Item]:
        """Cut a sequence into pieces."""
        whole = tuple(items)
        size = 1 << _SHIFT
        pieces = tuple(whole[at : at + size] for at in range(0, len(whole), size))
        return cls(pieces, len(whole))

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Item:
        return self.pieces[index >> _SHIFT][index & _MASK]

    def __iter__(self) -> Iterator[Item]:
        for piece in self.pieces:
            yield from piece

    def edit(self) -> Draft[Item]:
        """Begin a changed copy."""
        return Draft(self)


class Draft(Generic[Item]):
    """A changed copy in the making; only pieces that change are copied."""

    __slots__ = ("_base", "_own")

    def __init__(self, base: Chunks[Item]) -> None:
        self._base = base
        self._own: dict[int, Item] = {}

    def __getitem__(self, index: int) -> Item:
        own = self._own
        return own[index] if index in own else self._base.pieces[index >> _SHIFT][index & _MASK]

    def __iter__(self) -> Iterator[Item]:
        for index, item in enumerate(self._base):
            yield self._own.get(index, item)

    def own(self, index: int) -> Item:
        """Give an item to be changed: a copy, the same until the draft is done."""
        own = self._own
        if index not in own:
            own[index] = self._base.pieces[index >> _SHIFT][index & _MASK].copy()
        return own[index]

    def done(self) -> Chunks[Item]:
        """Give the copy."""
        if not self._own:
            return self._base
        changed: dict[int, list[Item]] = {}
        for index, item in self._own.items():
            number = index >> _SHIFT
            if number not in changed:
                changed[number] = list(self._base.pieces[number])
            changed[number][index & _MASK] = item
        pieces = list(self._base.pieces)
        for number, piece in changed.items():
            pieces[number] = tuple(piece)
        return Chunks(tuple(pieces), self._base.length)


@dataclass(frozen=True, slots=True)
class Heap:
    """A leftist heap of runs: the smallest order first, then the smallest number.

    What is added together is one sorted run and one node, so that a thousand steps which one parent
    released come out again at a constant cost each. Copies share nodes.
    """

    run: tuple[tuple[int, int], ...]
    """Orders and numbers, sorted,"""
    at: int = 0
    """and how many of them were taken out."""
    rank: int = 1
    left: Heap | None = None
    right: Heap | None = None

    @property
    def first(self) -> int:
        """The number that comes out next."""
        return self.run[self.at][1]

    @property
    def rest(self) -> Heap | None:
        """Everything but the first."""
        others = merged(self.left, self.right)
        after = self.at + 1
        return others if after == len(self.run) else merged(Heap(self.run, after), others)


def merged(one: Heap | None, other: Heap | None) -> Heap | None:
    """Put two heaps together, in a time that grows with the logarithm of their runs."""
    if one is None or other is None:
        return one or other
    if other.run[other.at] < one.run[one.at]:
        one, other = other, one
    right = merged(one.right, other)
    left = one.left
    if left is None or (right is not None and right.rank > left.rank):
        left, right = right, left
    return Heap(one.run, one.at, (right.rank if right is not None else 0) + 1, left, right)


def pushed(heap: Heap | None, items: Iterable[tuple[int, int]]) -> Heap | None:
    """Add orders with their numbers."""
    run = tuple(sorted(items))
    return merged(heap, Heap(run)) if run else heap
