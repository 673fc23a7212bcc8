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
from itertools import islice
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

    __slots__ = ("asset", "below", "expression", "kept", "mapped", "parents", "rank", "value")

    def __init__(self, expression: Condition, asset: Asset, empty: PartitionSet) -> None:
        self.expression = expression
        self.asset = asset
        self.value = empty
        self.kept = empty
        """At the end of the last step: what `since` remembers, what was true before."""
        self.below: tuple[Cell, ...] = ()
        self.mapped: list[PartitionSet] = []
        """Of `any_deps` and `all_deps`: each input's share, in partitions of this asset."""
        self.parents: list[Cell] = []
        self.rank = 0


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
        return frozenset(asset for asset, _ in self._cells)

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
            if cell.kept and _is_kept(cell.expression)
        }

    def moved(self) -> Iterator[tuple[Asset, Condition, PartitionSet]]:
        """Give what must be remembered and is other than when it was last asked for."""
        moved, self._moved = self._moved, {}
        for cell in moved.values():
            yield cell.asset, cell.expression, cell.kept

    def _until_quiet(self, requests: list[Request]) -> list[Request]:
        """Let what is true only now pass, step by step, until nothing is left of it."""
        asked: dict[Asset, PartitionSet] = {}
        found = self._cascade(requests, asked)
        while self._passing:
            over, self._passing = self._passing, set()
            found += self._cascade(self._propagate([self._clear(cell) for cell in over]), asked)
        return found

    def _cascade(self, requests: list[Request], asked: dict[Asset, PartitionSet]) -> list[Request]:
        """Let what is asked for be a fact, until nothing more is asked for; then end the step."""
        found: list[Request] = []
        while True:
            fresh = []
            for request in requests:
                before = asked.get(request.asset)
                some = request.some if before is None else request.some - before
                if some:
                    asked[request.asset] = some if before is None else before | some
                    fresh.append(Request(asset=request.asset, some=some, facts=request.facts))
            found += fresh
            changes = [
                self._set(Change(asset=name, operand=_REQUESTED, some=some))
                for one in fresh
                for name, some in self._seen_as(one)
            ]
            if not fresh:
                break
            requests = self._propagate(changes)
        self._end_step()
        return found

    def _seen_as(self, request: Request) -> Iterator[tuple[Asset, PartitionSet]]:
        """Give what is asked for by all its names; what it will bring is not known yet."""
        yield request.asset, request.some
        for view in self._world.views(request.asset):
            yield view, self._world.existing(view)

    def _propagate(
        self, changes: Iterable[Cell | None], forced: Iterable[Cell] = ()
    ) -> list[Request]:
        """Carry changes up, lowest cells first, so that each is computed once."""
        queue: list[tuple[int, int]] = []
        waiting: dict[int, tuple[Cell, list[Cell]]] = {}

        def wait(cell: Cell, changed: Iterable[Cell]) -> None:
            mark = id(cell)
            if mark not in waiting:
                waiting[mark] = (cell, [])
                heapq.heappush(queue, (cell.rank, mark))
            waiting[mark][1].extend(changed)

        moved = [cell for cell in changes if cell is not None]
        for cell in moved:
            for parent in cell.parents:
                wait(parent, (cell,))
        for cell in forced:
            wait(cell, cell.below)
        while queue:
            cell, changed = waiting.pop(heapq.heappop(queue)[1])
            value = self._compute(cell, changed)
            if value.spans != cell.value.spans:
                cell.value = value
                moved.append(cell)
                self._changed[id(cell)] = cell
                for parent in cell.parents:
                    wait(parent, (cell,))
        roots = [cell for cell in moved if id(cell) in self._root_of]
        return [self._request(cell) for cell in roots if cell.value - cell.kept]

    def _compute(self, cell: Cell, changed: Sequence[Cell]) -> PartitionSet:
        match cell.expression:
            case Both():
                return cell.below[0].value & cell.below[1].value
            case Either():
                return cell.below[0].value | cell.below[1].value
            case Not():
                return self._world.existing(cell.asset) - cell.below[0].value
            case Since():
                return (cell.kept | cell.below[0].value) - cell.below[1].value
            case NewlyTrue():
                return cell.below[0].value - cell.below[0].kept
            case Deps():
                return self._over_deps(cell, changed)
            case Operand():
                return cell.value

    def _over_deps(self, cell: Cell, changed: Sequence[Cell]) -> PartitionSet:
        expression = cell.expression
        assert isinstance(expression, Deps), "called for those only"
        touched = {id(one) for one in changed}
        existing = self._world.existing(cell.asset)
        for number, below in enumerate(cell.below):
            if id(below) in touched:
                some = below.value
                if expression.every:
                    some = self._world.existing(below.asset) - some
                cell.mapped[number] = (
                    self._world.down(cell.asset, below.asset, some)
                    if some
                    else PartitionSet(existing.definition)
                )
        found = PartitionSet(existing.definition)
        for share in cell.mapped:
            found = found | share
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
            if _is_kept(cell.expression) and cell.kept.spans != cell.value.spans:
                self._moved[id(cell)] = cell
            cell.kept = cell.value
            if isinstance(cell.expression, NewlyTrue) and cell.value:
                self._passing.add(cell)  # in the next step it is so no more
        self._changed = {}

    def _request(self, cell: Cell) -> Request:
        some = cell.value - cell.kept
        facts = tuple(islice(deciding(cell, some), _MOST_FACTS))
        return Request(asset=cell.asset, some=some, facts=facts)

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
        for below in cell.below:
            below.parents.append(cell)
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
            known = kept(cell.asset, cell.expression) if _is_kept(cell.expression) else None
            if known is not None:
                cell.value = cell.kept = known
            cell.value = self._compute(cell, cell.below)
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


def deciding(cell: Cell, some: PartitionSet) -> Iterator[Fact]:
    """Name the facts because of which a cell holds for some partitions; what is not does not."""
    match cell.expression:
        case Operand():
            if shared := cell.value & some:
                yield Fact(asset=cell.asset, words=said(cell.expression), some=shared)
        case Both() | Either():
            for below in cell.below:
                yield from deciding(below, some)
        case Since():
            found = tuple(deciding(cell.below[0], some))
            yield from found
            if not found:
                yield Fact(asset=cell.asset, words="was due since an earlier event", some=some)
        case NewlyTrue():
            yield from deciding(cell.below[0], some)
        case Deps():
            for below, share in zip(cell.below, cell.mapped, strict=True):
                if cell.expression.every or share & some:
                    yield from deciding(below, below.value)
        case Not():
            return


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
