# SPDX-License-Identifier: Apache-2.0
"""Plans of simulated launches: what is asked again, and answered as before, is not planned again.

`make_plan` is a function of the graph, the request, the tables of a commit, and the answers to what
it asks. So the questions are kept with the plan: with the same answers it would be the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from mainstem.graph import Facts, Graph, Plan, PlanRequest, make_plan

_Asked = tuple[str, tuple[Any, ...], Any]
"""Name of a fact, with what was asked, and the answer."""
_MOST_QUESTIONS = 64


@dataclass(slots=True)
class _Made:
    plan: Plan
    asked: list[_Asked]


class Plans:
    """The last plan of each request, for one graph after the other."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._has_partitions = False
        self._made: dict[tuple[object, ...], _Made] = {}

    def make(self, graph: Graph, request: PlanRequest, facts: Facts) -> Plan:
        """Plan, or give the plan of the last time if nothing would be different."""
        if graph is not self._graph:
            self._graph, self._made = graph, {}
            self._has_partitions = any(one.partitions is not None for one in graph.assets.values())
        # Time says which partitions there are, and nothing else.
        moment = facts.now, request.options.latest_at
        key = (
            tuple(request.include),
            tuple(request.exclude),
            repr(replace(request.options, latest_at=None)),
            moment if self._has_partitions else None,
        )
        made = self._made.get(key)
        if (
            made is not None
            and made.plan.base_commit == request.base_commit
            and all(getattr(facts, name)(*words) == said for name, words, said in made.asked)
        ):
            return made.plan
        asked: list[_Asked] = []
        plan = make_plan(graph, request, _listening(facts, asked))
        if len(asked) <= _MOST_QUESTIONS:
            self._made[key] = _Made(plan, asked)
        return plan


def _listening(facts: Facts, asked: list[_Asked]) -> Facts:
    """Note what is asked, and what the answer is."""

    def noting(name: str, ask: Callable[..., Any]) -> Callable[..., Any]:
        def answer(*words: Any) -> Any:
            said = ask(*words)
            asked.append((name, words, said))
            return said

        return answer

    calls = {one.name: getattr(facts, one.name) for one in fields(facts)}
    heard: dict[str, Any] = {
        name: noting(name, ask) for name, ask in calls.items() if callable(ask)
    }
    return replace(facts, **heard)
