# SPDX-License-Identifier: Apache-2.0
"""The still part of a run: its steps, who waits for whom, and which gates must wait for the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field

from mainstem.types import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One step of a run, by its place in the plan."""

    name: str
    """Key of its first output, for messages and scripts."""
    parents: tuple[int, ...] = ()
    """Steps whose results it needs, directly or through views that are not in the run."""
    early_gates: bool = False
    """It has gates that are evaluated before anything else goes on from it."""
    late_gates: bool = False
    """It has gates that read what is built from it, so they can only be evaluated at the end."""
    gate_reads: tuple[int, ...] = ()
    """Steps whose tables its gates read."""
    gate_waits: tuple[int, ...] = ()
    """Those of them whose tables must be staged before its early gates are evaluated."""
    priority: int = 0
    """Of those that can start, the highest is first; then the first in building order."""
    pools: tuple[str, ...] = ()
    """Of which each attempt needs slots."""
    judges_only: bool = False
    """A view that the run does not redefine: its gates judge what its inputs have become."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """All steps of a run with their edges."""

    nodes: tuple[Node, ...]
    children: tuple[tuple[int, ...], ...] = field(default=())
    gate_waiters: tuple[tuple[int, ...], ...] = field(default=())
    """For each step those whose early gates wait for its table."""

    @classmethod
    def of(cls, nodes: Sequence[Node]) -> Shape:
        """Turn the edges around."""
        children: list[list[int]] = [[] for _ in nodes]
        waiters: list[list[int]] = [[] for _ in nodes]
        for index, node in enumerate(nodes):
            for parent in node.parents:
                children[parent].append(index)
            for read in node.gate_waits:
                waiters[read].append(index)
        return cls(
            nodes=tuple(nodes),
            children=tuple(tuple(items) for items in children),
            gate_waiters=tuple(tuple(items) for items in waiters),
        )


def early_gate_reads(
    parents: Sequence[Sequence[int]], wanted: Iterable[tuple[int, int]]
) -> set[tuple[int, int]]:
    """Decide which gates can be evaluated before the end.

    A step is two moments, built and judged; what needs it waits for the second. A gate that reads
    another step's table makes "judged" wait for that table. A gate whose wait would close a circle,
    as when it reads what is built from its own asset, has to be evaluated late.

    Args:
        parents: For each step those that it needs.
        wanted: Pairs (step with the gate, step whose table the gate reads).

    Returns:
        The pairs that may wait; all others belong to late gates.
    """
    after_judged: list[set[int]] = [set() for _ in parents]
    """Steps that are built after this one was judged."""
    judged_after_built: list[set[int]] = [set() for _ in parents]
    """Steps that are judged after this one was built."""
    for child, above in enumerate(parents):
        for parent in above:
            after_judged[parent].add(child)
    accepted: set[tuple[int, int]] = set()
    for owner, read in wanted:
        if owner == read or not _reaches(owner, read, after_judged, judged_after_built):
            judged_after_built[read].add(owner)
            accepted.add((owner, read))
    return accepted


def _reaches(
    judged: int,
    built: int,
    after_judged: Sequence[set[int]],
    judged_after_built: Sequence[set[int]],
) -> bool:
    """Tell whether a step's building has to come after another's judging."""
    seen_built: set[int] = set()
    pending = [judged]
    while pending:
        for child in after_judged[pending.pop()]:
            if child == built:
                return True
            if child not in seen_built:
                seen_built.add(child)
                # A step is judged after it was built, and so are those whose gates read it.
                pending.extend({child, *judged_after_built[child]})
    return False
