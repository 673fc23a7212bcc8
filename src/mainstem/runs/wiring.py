# SPDX-License-Identifier: Apache-2.0
"""From a plan to the shape of its run: which assets make one step, who waits for whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field

from mainstem.graph import Asset, Graph, Plan, PlannedAsset
from mainstem.runs.shape import Node, Shape, early_gate_reads
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

    @property
    def key(self) -> AssetKey:
        """The first asset, after which the step is called."""
        return self.keys[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """The steps of a run, and the machine's view of them."""

    units: tuple[Unit, ...]
    shape: Shape
    index: Mapping[AssetKey, int] = field(default_factory=dict)


def wire(plan: Plan, graph: Graph, gates_of: Callable[[Asset], Sequence[Gate]]) -> Wiring:
    """Arrange the work of a plan, and the views whose gates have to judge its results."""
    groups = _groups(plan, graph)
    index = {key: number for number, keys in enumerate(groups) for key in keys}
    planned = {item.key: item for item in plan.assets}
    gates = {key: tuple(gates_of(graph.assets[key])) for keys in groups for key in keys}
    judging = [
        key
        for key in _judging_views(plan, graph, index)
        if key not in index and gates.setdefault(key, tuple(gates_of(graph.assets[key])))
    ]
    # Views go in where their inputs are done: everything stays in building order.
    groups = sorted(
        [*groups, *((key,) for key in judging)], key=lambda keys: graph.positions[keys[0]]
    )
    index = {key: number for number, keys in enumerate(groups) for key in keys}
    parents = [_parents(keys, graph, index) for keys in groups]
    reads = [_gate_reads(keys, gates, graph, index) for keys in groups]
    accepted = early_gate_reads(
        parents,
        [
            (owner, other)
            for owner, found in enumerate(reads)
            for _gate, others in found
            for other in sorted(others - {owner})
        ],
    )
    units, nodes = [], []
    for number, keys in enumerate(groups):
        early, late = _by_moment(number, reads[number], accepted)
        is_judge = keys[0] in judging
        units.append(
            Unit(
                keys=keys,
                planned={key: planned[key] for key in keys},
                early=tuple(gate for gate, _others in early),
                late=tuple(gate for gate, _others in late),
                judges_only=is_judge,
            )
        )
        own = reads[number]
        nodes.append(
            Node(
                name=str(keys[0]),
                parents=parents[number],
                early_gates=bool(early),
                late_gates=bool(late),
                gate_reads=_united(own, number),
                gate_waits=_united(early, number),
                judges_only=is_judge,
            )
        )
    return Wiring(units=tuple(units), shape=Shape.of(nodes), index=index)


def _groups(plan: Plan, graph: Graph) -> list[tuple[AssetKey, ...]]:
    by_group: dict[str, list[AssetKey]] = {}
    for item in plan.work:
        group = graph.assets[item.key].group or item.key.folded
        by_group.setdefault(group, []).append(item.key)
    for item in plan.assets:
        # One step builds all of a group: members that are fresh go along, should it come to that.
        members = by_group.get(graph.assets[item.key].group, [])
        if members and item.key not in members:
            members.append(item.key)
    return [tuple(graph.sorted(keys)) for keys in by_group.values()]


def _judging_views(plan: Plan, graph: Graph, index: Mapping[AssetKey, int]) -> list[AssetKey]:
    return [
        item.key
        for item in plan.assets
        if item.action in {"fresh", "keep"}
        and graph.assets[item.key].materialized == "view"
        and _parents((item.key,), graph, index)
    ]


def _parents(
    keys: tuple[AssetKey, ...], graph: Graph, index: Mapping[AssetKey, int]
) -> tuple[int, ...]:
    found: set[int] = set()
    pending = [parent for key in keys for parent in graph.parents[key]]
    seen = set(pending)
    while pending:
        key = pending.pop()
        if key in index:
            found.add(index[key])
        elif graph.assets[key].materialized in _PASSED_THROUGH:
            new = [parent for parent in graph.parents[key] if parent not in seen]
            seen.update(new)
            pending.extend(new)
    return tuple(sorted(found - {index.get(keys[0], -1)}))


def _gate_reads(
    keys: tuple[AssetKey, ...],
    gates: Mapping[AssetKey, Sequence[Gate]],
    graph: Graph,
    index: Mapping[AssetKey, int],
) -> list[tuple[Gate, set[int]]]:
    """Give for each gate the steps whose tables it looks at, through views where needed."""
    found: list[tuple[Gate, set[int]]] = []
    for key in keys:
        for gate in gates[key]:
            others: set[int] = set()
            for read in gate.reads:
                if read in index:
                    others.add(index[read])
                elif read in graph and graph.assets[read].materialized in _PASSED_THROUGH:
                    others.update(_parents((read,), graph, index))
            found.append((gate, others))
    return found


def _by_moment(
    number: int, reads: Sequence[tuple[Gate, set[int]]], accepted: set[tuple[int, int]]
) -> tuple[list[tuple[Gate, set[int]]], list[tuple[Gate, set[int]]]]:
    early: list[tuple[Gate, set[int]]] = []
    late: list[tuple[Gate, set[int]]] = []
    for gate, others in reads:
        can_wait = all(other == number or (number, other) in accepted for other in others)
        (early if can_wait else late).append((gate, others))
    return early, late


def _united(sets: Iterable[tuple[Gate, set[int]]], number: int) -> tuple[int, ...]:
    return tuple(sorted(set[int]().union(*(others for _gate, others in sets)) - {number}))
