# SPDX-License-Identifier: Apache-2.0
"""What may be published together: closed under inputs, and under all that passing gates read. Pure.

SEMANTICS, "Runs and publishing". The machine asks at the end of a run, and again for what gates
held back on the merged candidate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from mainstem.runs.mark import Mark
from mainstem.runs.shape import Shape


class Closure:
    """The publish set of one state of a run.

    Args:
        shape: The steps and their edges.
        marks: How each ended.
    """

    def __init__(self, shape: Shape, marks: Sequence[Mark]) -> None:
        self._shape = shape
        self._marks = marks
        self._changed = {index for index, mark in enumerate(marks) if mark.has_changes}
        self._judging = [
            index
            for index, mark in enumerate(marks)
            if mark.moment == "held" and shape.nodes[index].judges_only
        ]
        self._held_by: dict[int, str] = {}
        """Steps that are read directly by a view that is held, and its name."""
        self.publish = self._closed()

    def _closed(self) -> frozenset[int]:
        candidates = {index for index in self._changed if self._marks[index].moment == "built"}
        relying: dict[int, list[int]] = defaultdict(list)
        for index in candidates:
            for other in self._relied_on(index):
                relying[other].append(index)
        # Each step that is not published takes those that rely on it along, once.
        out = self._read_by_held_views()
        pending = [*(self._changed - candidates), *(out & self._changed)]
        publish = candidates - out
        while pending:
            for index in relying[pending.pop()]:
                if index in publish:
                    publish.discard(index)
                    pending.append(index)
        return frozenset(publish)

    def _relied_on(self, index: int) -> set[int]:
        nodes = self._shape.nodes
        found = {*nodes[index].parents, *nodes[index].gate_reads}
        # A view that only judges has no version of its own: what it reads counts in its place.
        for other in list(found):
            if nodes[other].judges_only:
                found |= set(nodes[other].parents)
        return found - {index}

    def _read_by_held_views(self) -> set[int]:
        """What failing views read: publishing it would change what their readers see."""
        nodes = self._shape.nodes
        found: set[int] = set()
        for view in self._judging:
            for parent in nodes[view].parents:
                self._held_by.setdefault(parent, nodes[view].name)
            pending = list(nodes[view].parents)
            while pending:
                parent = pending.pop()
                if parent not in found:
                    found.add(parent)
                    if nodes[parent].judges_only:
                        pending.extend(nodes[parent].parents)
        return found

    def why_not(self, index: int) -> str:
        """Say why a step that was built is not published."""
        if index in self._held_by:
            return f"its reader {self._held_by[index]} is held"
        nodes = self._shape.nodes
        for other in sorted(self._relied_on(index)):
            if other in self._changed and other not in self.publish:
                verb = "needs" if other in nodes[index].parents else "its checks read"
                return f"{verb} {nodes[other].name}, which is held"
        return "what it relies on is held"
