# SPDX-License-Identifier: Apache-2.0
"""Conditions evaluated on events: what an event does not touch is not looked at.

Each part of a condition is, for each asset it is asked of, one cell with the set of partitions for
which it holds; equal parts of one asset are one cell, however many conditions have them. An event
changes the cells of its facts, and the change goes up from cell to cell, as operations on
run-length sets. Pure, but for the cells: the caller gives events, stores what changed, and
launches.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from mainstem.automation.expression import (
    LASTING,
    LATEST,
    Both,
    Condition,
    Deps,
    Either,
    NewlyTrue,
    Not,
    Operand,
    Since,
)
from mainstem.graph import PartitionSet
from mainstem.types import dataclass

Asset = str
"""Folded key."""


class World(Protocol):
    """What conditions need to know of assets."""

    def deps(self, asset: Asset) -> Sequence[Asset]:
        """Give the assets that one reads."""
        ...

    def views(self, asset: Asset) -> Sequence[Asset]:
        """Give other names of an asset: as readers with partitions see one that has none."""
        ...

    def existing(self, asset: Asset) -> PartitionSet:
        """Give the partitions that an asset has by now; of an unpartitioned one: the one."""
        ...

    def down(self, asset: Asset, dep: Asset, some: PartitionSet) -> PartitionSet:
        """Give the partitions of an asset that read any of some of its input's."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A fact that changed."""

    asset: Asset
    operand: Operand
    some: PartitionSet
    is_added: bool = True
    """False: it holds no more for these; only for facts that last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Because of which a condition holds."""

    asset: Asset
    words: str
    some: PartitionSet
    """Partitions of this asset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Partitions whose condition became true, and the facts that decided it."""

    asset: Asset
    some: PartitionSet
    facts: tuple[Fact, ...]


class Cell:
    """One part of a condition for one asset; only `Evaluator` changes it."""

    __slots__ = (
        "asset",
        "below",
        "expression",
        "is_kept",
        "kept",
        "mapped",
        "parents",
        "rank",
        "stirred",
        "value",
        "waits",
    )

    def __init__(self, expression: Condition, asset: Asset, empty: PartitionSet) -> None:
        self.expression = expression
        self.asset = asset
        self.value = empty
        self.kept = empty
        """At the end of the last step: what `since` remembers, what was true before."""
        self.is_kept = _is_kept(expression)
        """Whether it is remembered over a restart."""
        self.below: tuple[Cell, ...] = ()
        self.mapped: list[PartitionSet] = []
        """Of `any_deps` and `all_deps`: each input's share, in partitions of this asset."""
        self.stirred: set[int] = set()
        """Of them too: numbers of the inputs whose share is to be computed."""
        self.parents: list[tuple[Cell, int]] = []
        """Each with the number that this cell has below it."""
        self.rank = 0
        self.waits = False
        """It is to be computed in the propagation that goes on."""


class Evaluator:
    """The cells of all conditions of a project.

    Args:
        world: Assets and how their partitions relate.
        conditions: Of the assets that have one.
        kept: Gives what another evaluator remembered, before a restart or a reload.
    """

    def __init__(
        self,
        world: World,
        conditions: Mapping[Asset, Condition],
        kept: Callable[[Asset, Condition], PartitionSet | None] | None = None,
    ) -> None:
        self._world = world
        self._cells: dict[tuple[Asset, int], Cell] = {}
        self._numbers: dict[Condition, int] = {}
        self._numbered: dict[int, tuple[Condition, int]] = {}
        """By identity: assets share conditions, and hashing one goes through all its parts."""
        self._roots = {
            asset: self._cell(condition, asset) for asset, condition in conditions.items()
        }
        self._root_of = {id(cell): asset for asset, cell in self._roots.items()}
        self._assets = frozenset(asset for asset, _ in self._cells)
        self._passing: set[Cell] = set()
        self._changed: dict[int, Cell] = {}
        self._moved: dict[int, Cell] = {}
        self._bounded: dict[Asset, list[Cell]] = {}
        """By asset the cells that depend on which partitions it has."""
        for cell in self._cells.values():
            if isinstance(cell.expression, Not | Deps):
                for name in {cell.asset, *(below.asset for below in cell.below)}:
                    self._bounded.setdefault(name, []).append(cell)
        self._begin(kept or _nothing)

    @property
    def assets(self) -> frozenset[Asset]:
        """Those that some condition asks about."""
        return self._assets

    def value(self, asset: Asset) -> PartitionSet:
        """Give the partitions for which an asset's condition holds."""
        return self._roots[asset].value

    def turn(self, changes: Iterable[Change], grown: Iterable[Asset] = ()) -> list[Request]:
        """Take what happened at one moment, and tell what is to be launched.

        A partition is asked for when its condition becomes true, at most once in a turn. What is
        asked for is at once a fact for others, so that a chain is asked for as one.

        Args:
            changes: Of facts.
            grown: Assets that have other partitions than before.
        """
        bounded = {id(cell): cell for asset in grown for cell in self._bounded.get(asset, ())}
        changed = [self._set(change) for change in changes]
        return self._until_quiet(self._propagate(changed, bounded.values()))

    def kept(self) -> dict[tuple[Asset, Condition], PartitionSet]:
        """Give what must be remembered over a restart: what lasts, and what `since` holds."""
        return {
            (cell.asset, cell.expression): cell.kept
            for cell in self._cells.values()
            if cell.kept and cell.is_kept
        }

    def moved(self) -> Iterator[tuple[Asset, Condition, PartitionSet]]:
        """Give what must be remembered and is other than when it was last asked for."""
        moved, self._moved = self._moved, {}
        for cell in moved.values():
            yield cell.asset, cell.expression, cell.kept

    def _until_quiet(self, roots: list[Cell]) -> list[Request]:
        """Let what is true only now pass, step by step, until nothing is left of it."""
        asked: dict[Asset, PartitionSet] = {}
        found = self._cascade(roots, asked)
        while self._passing:
            over, self._passing = self._passing, set()
            found += self._cascade(self._propagate([self._clear(cell) for cell in over]), asked)
        return found

    def _cascade(self, roots: list[Cell], asked: dict[Asset, PartitionSet]) -> list[Request]:
        """Let what is asked for be a fact, until nothing more is asked for; then end the step."""
        found: list[Request] = []
        while True:
            fresh = []
            for cell in roots:
                some, before = cell.value - cell.kept, asked.get(cell.asset)
                if before is not None:
                    some -= before
                if some:
                    asked[cell.asset] = some if before is None else before | some
                    fresh.append(_request(cell, some))
            if not fresh:
                break
            found += fresh
            changes = [
                self._set(Change(asset=name, operand=_REQUESTED, some=some))
                for one in fresh
                for name, some in self._seen_as(one)
            ]
            roots = self._propagate(changes)
        self._end_step()
        return found

    def _seen_as(self, request: Request) -> Iterator[tuple[Asset, PartitionSet]]:
        """Give what is asked for by all its names; what it will bring is not known yet."""
        yield request.asset, request.some
        for view in self._world.views(request.asset):
            yield view, self._world.existing(view)

    def _propagate(self, changes: Iterable[Cell | None], forced: Iterable[Cell] = ()) -> list[Cell]:
        """Carry changes up, lowest cells first, so that each is computed once.

        Returns:
            Whole conditions that hold for other partitions than before.
        """
        levels: dict[int, list[Cell]] = {}
        ranks: list[int] = []

        def wait(cell: Cell) -> None:
            if not cell.waits:
                cell.waits = True
                level = levels.get(cell.rank)
                if level is None:
                    levels[cell.rank] = [cell]
                    heapq.heappush(ranks, cell.rank)
                else:
                    level.append(cell)

        def tell(parents: list[tuple[Cell, int]]) -> None:
            for parent, number in parents:
                parent.stirred.add(number)
                if not parent.waits:
                    wait(parent)

        moved = [cell for cell in changes if cell is not None]
        for cell in moved:
            tell(cell.parents)
        for cell in forced:
            cell.stirred.update(range(len(cell.below)))
            wait(cell)
        while ranks:
            for cell in levels.pop(heapq.heappop(ranks)):
                cell.waits = False
                value = self._compute(cell)
                if value is not cell.value and value.spans != cell.value.spans:
                    cell.value = value
                    moved.append(cell)
                    self._changed[id(cell)] = cell
                    tell(cell.parents)
        return [cell for cell in moved if id(cell) in self._root_of]

    def _compute(self, cell: Cell) -> PartitionSet:
        kind, below = type(cell.expression), cell.below
        if kind is Both:
            return below[0].value & below[1].value
        if kind is Either:
            return below[0].value | below[1].value
        if kind is Not:
            return self._world.existing(cell.asset) - below[0].value
        if kind is Since:
            return (cell.kept | below[0].value) - below[1].value
        if kind is NewlyTrue:
            return below[0].value - below[0].kept
        return self._over_deps(cell) if kind is Deps else cell.value

    def _over_deps(self, cell: Cell) -> PartitionSet:
        expression = cell.expression
        assert isinstance(expression, Deps), "called for those only"
        existing = self._world.existing(cell.asset)
        nothing = found = PartitionSet(existing.definition)
        for number in cell.stirred:
            below = cell.below[number]
            some = below.value
            if expression.every:
                some = self._world.existing(below.asset) - some
            mapped = self._world.down(cell.asset, below.asset, some) if some else nothing
            cell.mapped[number] = mapped
        cell.stirred.clear()
        for share in cell.mapped:
            found |= share
        return existing - found if expression.every else found

    def _set(self, change: Change) -> Cell | None:
        number = self._numbers.get(change.operand)
        cell = None if number is None else self._cells.get((change.asset, number))
        if cell is None:
            return None
        lasts = change.operand.name in LASTING
        value = cell.value | change.some if change.is_added else cell.value - change.some
        if not lasts:
            self._passing.add(cell)
        if value.spans == cell.value.spans:
            return None
        cell.value = value
        self._changed[id(cell)] = cell
        return cell

    def _clear(self, cell: Cell) -> Cell | None:
        if not cell.value:
            return None
        cell.value = PartitionSet(cell.value.definition)
        self._changed[id(cell)] = cell
        return cell

    def _end_step(self) -> None:
        """What holds now is what held before, for the next step."""
        for cell in self._changed.values():
            if cell.is_kept and cell.kept.spans != cell.value.spans:
                self._moved[id(cell)] = cell
            cell.kept = cell.value
            if cell.value and isinstance(cell.expression, NewlyTrue):
                self._passing.add(cell)  # in the next step it is so no more
        self._changed = {}

    def _cell(self, expression: Condition, asset: Asset) -> Cell:
        number = self._number(expression)
        known = self._cells.get((asset, number))
        if known is not None:
            return known
        existing = self._world.existing(asset)
        cell = Cell(expression, asset, PartitionSet(existing.definition))
        self._cells[asset, number] = cell
        if isinstance(expression, Deps):
            deps = self._world.deps(asset)
            cell.below = tuple(self._cell(expression.inner, dep) for dep in deps)
            cell.mapped = [PartitionSet(existing.definition)] * len(deps)
        else:
            cell.below = tuple(self._cell(inner, asset) for inner in parts(expression))
        for number, below in enumerate(cell.below):
            below.parents.append((cell, number))
        cell.rank = 1 + max((below.rank for below in cell.below), default=0)
        return cell

    def _number(self, expression: Condition) -> int:
        found = self._numbered.get(id(expression))
        if found is None:
            number = self._numbers.setdefault(expression, len(self._numbers))
            found = self._numbered[id(expression)] = (expression, number)
        return found[1]

    def _begin(self, kept: Callable[[Asset, Condition], PartitionSet | None]) -> None:
        """Compute all cells once, from what is remembered; nothing is asked for."""
        for cell in sorted(self._cells.values(), key=lambda cell: cell.rank):
            known = kept(cell.asset, cell.expression) if cell.is_kept else None
            if known is not None:
                cell.value = cell.kept = known
            cell.stirred.update(range(len(cell.below)))
            cell.value = self._compute(cell)
            cell.kept = cell.value


def _nothing(_asset: Asset, _expression: Condition) -> None:
    """Remember nothing."""


_REQUESTED = Operand("newly_requested")
_MOST_FACTS = 5


def parts(expression: Condition) -> tuple[Condition, ...]:
    """Give the parts of a condition."""
    match expression:
        case Both() | Either():
            return (expression.left, expression.right)
        case Since():
            return (expression.trigger, expression.reset)
        case Not() | NewlyTrue() | Deps():
            return (expression.inner,)
        case Operand():
            return ()


def _request(cell: Cell, some: PartitionSet) -> Request:
    facts: list[Fact] = []
    _add_deciding(cell, some, facts)
    return Request(asset=cell.asset, some=some, facts=tuple(facts))


def _add_deciding(cell: Cell, some: PartitionSet, facts: list[Fact]) -> None:
    """Add the facts because of which a cell holds for some partitions; what is not does not."""
    kind = type(cell.expression)
    shared = some if kind is Not else cell.value & some
    if kind is Not or not shared or len(facts) >= _MOST_FACTS:
        return
    if isinstance(cell.expression, Operand):
        facts.append(Fact(asset=cell.asset, words=said(cell.expression), some=shared))
    elif isinstance(cell.expression, Deps):
        every = cell.expression.every
        for below, share in zip(cell.below, cell.mapped, strict=True):
            if every or (share and share & shared):
                _add_deciding(below, below.value, facts)
    else:
        before = len(facts)
        reasons = cell.below[:1] if kind is Since else cell.below
        for below in reasons:
            if below.value:
                _add_deciding(below, shared, facts)
        if kind is Since and len(facts) == before:
            words = "was due since an earlier event"
            facts.append(Fact(asset=cell.asset, words=words, some=shared))


def said(operand: Operand) -> str:
    """Say a fact in words."""
    if operand.name == "cron":
        return f"is due ({operand.cron})"
    return {
        "missing": "is missing",
        "in_progress": "is in progress",
        LATEST: "is in the latest window",
        "failed": "has failed",
        "newly_updated": "was updated",
        "newly_requested": "was asked for",
        "newly_failed": "failed",
        "code_changed": "has new code",
    }[operand.name]


def _is_kept(expression: Condition) -> bool:
    lasts = isinstance(expression, Operand) and expression.name in LASTING
    return lasts or isinstance(expression, Since)
