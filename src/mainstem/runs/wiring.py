# SPDX-License-Identifier: Apache-2.0
"""From a plan to the shape of its run: which assets make one step, who waits for whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime

from mainstem.graph import Asset, Graph, PartitionSet, Plan, PlannedAsset, Point, mapping_to
from mainstem.runs.shape import Node, Shape, early_gate_reads
from mainstem.runs.slicing import batches
from mainstem.runs.step import Gate
from mainstem.types import Asks, AssetKey, dataclass

_PASSED_THROUGH = frozenset({"view", "ephemeral"})
"""What has no rows of its own: who reads it really waits for what it reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One step of the run with its assets and gates."""

    keys: tuple[AssetKey, ...]
    planned: Mapping[AssetKey, PlannedAsset]
    early: tuple[Gate, ...] = ()
    late: tuple[Gate, ...] = ()
    asks: Asks = field(default_factory=Asks)
    """What each attempt needs (`needs`)."""
    judges_only: bool = False
    some: PartitionSet | None = None
    """Partitions of the asset that the step builds; nothing: all of it."""
    partition: str = ""
    """The same as text; empty for an asset without."""

    @property
    def key(self) -> AssetKey:
        """The first asset, after which the step is called."""
        return self.keys[0]

    @property
    def name(self) -> str:
        """What tells it from the run's other steps: `marts.delays`, `marts.delays[2013-05]`."""
        partition = self.partition
        return f"{self.key.folded}[{partition}]" if partition else self.key.folded


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """The steps of a run, and the machine's view of them."""

    units: tuple[Unit, ...]
    shape: Shape
    index: Mapping[AssetKey, tuple[int, ...]] = field(default_factory=dict)
    """Steps of each asset: of a partitioned one there may be many."""


@dataclass(frozen=True, slots=True)
class _Group:
    """What one step builds."""

    keys: tuple[AssetKey, ...]
    some: PartitionSet | None = None


_Index = Mapping[AssetKey, tuple[int, ...]]


def wire(
    plan: Plan, graph: Graph, gates_of: Callable[[Asset], Sequence[Gate]], *, now: datetime
) -> Wiring:
    """Arrange the work of a plan, and the views whose gates have to judge its results.

    Args:
        plan: What to do.
        graph: The project.
        gates_of: Makes the gates of an asset.
        now: Tells which partitions of inputs there are.
    """
    groups = _groups(plan, graph)
    planned = {item.key: item for item in plan.assets}
    gates = {key: tuple(gates_of(graph.assets[key])) for one in groups for key in one.keys}
    index = _index_of(groups)
    judging = [
        key
        for key in _judging_views(plan, graph, index)
        if key not in index and gates.setdefault(key, tuple(gates_of(graph.assets[key])))
    ]
    # Views go in where their inputs are done: everything stays in building order.
    groups = sorted(
        [*groups, *(_Group((key,)) for key in judging)],
        key=lambda one: graph.positions[one.keys[0]],
    )
    edges = _Edges(graph, groups, now)
    parents = [edges.parents(number) for number in range(len(groups))]
    reads = [edges.gate_reads(number, gates) for number in range(len(groups))]
    accepted = early_gate_reads(
        parents,
        [
            (owner, other)
            for owner, found in enumerate(reads)
            for _gate, others in found
            for other in sorted(others - {owner})
        ],
    )
    moments = [_by_moment(number, reads[number], accepted) for number in range(len(groups))]
    units = tuple(
        Unit(
            keys=group.keys,
            planned={key: planned[key] for key in group.keys},
            early=tuple(gate for gate, _others in early),
            late=tuple(gate for gate, _others in late),
            judges_only=group.keys[0] in judging,
            some=group.some,
            partition=group.some.text() if group.some is not None else "",
        )
        for group, (early, late) in zip(groups, moments, strict=True)
    )
    nodes = [
        _node(unit, number, parents[number], reads[number], moments[number][0])
        for number, unit in enumerate(units)
    ]
    return Wiring(units=units, shape=Shape.of(nodes), index=edges.index)


def _node(
    unit: Unit,
    number: int,
    parents: tuple[int, ...],
    reads: Sequence[tuple[Gate, set[int]]],
    early: Sequence[tuple[Gate, set[int]]],
) -> Node:
    return Node(
        name=f"{unit.key} {unit.partition}".strip(),
        parents=parents,
        early_gates=bool(unit.early),
        late_gates=bool(unit.late),
        gate_reads=_united(reads, number),
        gate_waits=_united(early, number),
        judges_only=unit.judges_only,
    )


def _groups(plan: Plan, graph: Graph) -> list[_Group]:
    by_group: dict[str, list[AssetKey]] = {}
    for item in plan.work:
        group = graph.assets[item.key].group or item.key.folded
        by_group.setdefault(group, []).append(item.key)
    for item in plan.assets:
        # One step builds all of a group: members that are fresh go along, should it come to that.
        members = by_group.get(graph.assets[item.key].group, [])
        if members and item.key not in members:
            members.append(item.key)
    planned = {item.key: item for item in plan.work}
    found: list[_Group] = []
    for members in by_group.values():
        keys = tuple(graph.sorted(members))
        items = [planned[key] for key in members if key in planned]
        found.extend(_Group(keys, some) for some in _portions(items, graph))
    return found


def _portions(planned: Sequence[PlannedAsset], graph: Graph) -> Iterator[PartitionSet | None]:
    """Give what each step of an asset, or of all members of a group, builds."""
    partitions = graph.assets[planned[0].key].partitions
    parted = [item for item in planned if item.partitions and item.action == "build"]
    if partitions is None or not parted:
        yield None
        return
    some = PartitionSet(partitions.definition)
    for item in parted:
        some |= PartitionSet.parse(item.partitions, partitions.definition, is_stored=True)
    yield from batches(some, partitions.batch)


def _index_of(groups: Sequence[_Group]) -> dict[AssetKey, tuple[int, ...]]:
    found: dict[AssetKey, list[int]] = {}
    for number, group in enumerate(groups):
        for key in group.keys:
            found.setdefault(key, []).append(number)
    return {key: tuple(numbers) for key, numbers in found.items()}


def _judging_views(plan: Plan, graph: Graph, index: _Index) -> list[AssetKey]:
    return [
        item.key
        for item in plan.assets
        if item.action in {"fresh", "keep"}
        and graph.assets[item.key].materialized == "view"
        and _needed((item.key,), graph, index)
    ]


def _needed(keys: tuple[AssetKey, ...], graph: Graph, index: _Index) -> list[AssetKey]:
    """Give the assets of the run that others need, through views that are not in it."""
    found: list[AssetKey] = []
    pending = [parent for key in keys for parent in graph.parents[key]]
    seen = set(pending)
    while pending:
        key = pending.pop()
        if key in index:
            found.append(key)
        elif graph.assets[key].materialized in _PASSED_THROUGH:
            new = [parent for parent in graph.parents[key] if parent not in seen]
            seen.update(new)
            pending.extend(new)
    return found


class _Edges:
    """Who waits for whom: of partitioned assets only for the partitions that are read."""

    def __init__(self, graph: Graph, groups: Sequence[_Group], now: datetime) -> None:
        self.graph = graph
        self.groups = groups
        self.now = now
        self.index = _index_of(groups)
        self._steps: dict[AssetKey, dict[Point, int]] = {}

    def parents(self, number: int) -> tuple[int, ...]:
        group = self.groups[number]
        needed = _needed(group.keys, self.graph, self.index)
        found = {step for key in needed for step in self._read(number, key)}
        return tuple(sorted(found - set(self.index[group.keys[0]])))

    def gate_reads(
        self, number: int, gates: Mapping[AssetKey, Sequence[Gate]]
    ) -> list[tuple[Gate, set[int]]]:
        """Give for each gate the steps whose tables it looks at, through views where needed."""
        found: list[tuple[Gate, set[int]]] = []
        own = self.groups[number].keys
        for gate in (gate for key in own for gate in gates[key]):
            others: set[int] = set()
            for read in gate.reads:
                if read in own:
                    others.add(number)
                elif read in self.index:
                    others.update(self._read(number, read))
                elif read in self.graph and self.graph[read].materialized in _PASSED_THROUGH:
                    for key in _needed((read,), self.graph, self.index):
                        others.update([number] if key in own else self._read(number, key))
            found.append((gate, others))
        return found

    def _read(self, number: int, key: AssetKey) -> Iterable[int]:
        """Give the steps of an asset that build what a step reads of it."""
        steps = self.index[key]
        group = self.groups[number]
        source, asset = self.graph[key], self.graph[group.keys[0]]
        if group.some is None or source.partitions is None or len(steps) == 1:
            return steps
        mapping = mapping_to(asset, key, source)
        if mapping is None or key not in asset.inputs:
            return steps
        existing = PartitionSet.existing(source.partitions.definition, self.now)
        by_point = self._steps_of(key)
        points = mapping.upstream(group.some, existing).points()
        return {by_point[point] for point in points if point in by_point}

    def _steps_of(self, key: AssetKey) -> dict[Point, int]:
        known = self._steps.get(key)
        if known is None:
            known = self._steps[key] = {
                point: step
                for step in self.index[key]
                if (some := self.groups[step].some) is not None
                for point in some.points()
            }
        return known


def _by_moment(
    number: int, reads: Sequence[tuple[Gate, set[int]]], accepted: set[tuple[int, int]]
) -> tuple[list[tuple[Gate, set[int]]], list[tuple[Gate, set[int]]]]:
    early: list[tuple[Gate, set[int]]] = []
    late: list[tuple[Gate, set[int]]] = []
    for gate, others in reads:
        can_wait = all(other == number or (number, other) in accepted for other in others)
        (early if can_wait else late).append((gate, others))
    return early, late


def _united(sets: Sequence[tuple[Gate, set[int]]], number: int) -> tuple[int, ...]:
    if not sets:
        return ()
    return tuple(sorted(set[int]().union(*(others for _gate, others in sets)) - {number}))
