# SPDX-License-Identifier: Apache-2.0
"""Planning for a project: gathers what `mainstem.graph` wants to know of the world, and asks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from mainstem.config import Variables
from mainstem.graph import (
    Facts,
    Graph,
    PartsDecision,
    Plan,
    PlanOptions,
    PlanRequest,
    ReadThrough,
    VersionLookup,
    decide_parts,
    make_plan,
    stale_assets,
)
from mainstem.lake import Entry
from mainstem.project.git import git_state
from mainstem.project.loaded import LoadedProject
from mainstem.project.problems import raise_problems
from mainstem.project.services import Services
from mainstem.project.sources import Sources, coming_columns, views_below
from mainstem.runs import gather_facts, with_known_texts, with_partition_facts, with_partition_keys
from mainstem.state import reverted_commits
from mainstem.types import AssetKey

if TYPE_CHECKING:
    from mainstem.project.analysis import Analysis
    from mainstem.project.work import Work

Entries = Mapping[AssetKey, Entry]


class Planning:
    """Makes the plans of one open project.

    Args:
        loaded: The project.
        services: Its lake and database.
        variables: For the paths of sources.
        branch: The target.
        work: Gives what reads SQL; called only if something is to be built.
    """

    def __init__(
        self,
        loaded: LoadedProject,
        services: Services,
        variables: Variables,
        *,
        branch: str,
        work: Callable[[], Work],
    ) -> None:
        self._loaded = loaded
        self._services = services
        self._variables = variables
        self._branch = branch
        self._work = work

    def options(self, asked: Mapping[str, Any]) -> PlanOptions:
        """Complete what a command asked for by what the environment does with sources."""
        given = {name: value for name, value in asked.items() if value is not None}
        given["partitions"] = _wanted(given.pop("partitions", None) or {}, self._loaded.graph)
        environment = self._loaded.environment
        # An environment that reads sources through loads them only when told to (SEMANTICS).
        is_own = self._branch == environment.branch_from
        loads = is_own or environment.ingest == "load"
        through = not loads and "ingest" not in given
        return PlanOptions(**{"ingest": loads, "read_through": through, **given})

    def plan(
        self, at: str, options: PlanOptions, include: Sequence[str], exclude: Sequence[str]
    ) -> Plan:
        """Plan a run on what a ref has.

        Raises:
            ErrorGroup: The project's files are wrong.
            SqlInvalid: A model to be built, or a view over it, reads a column that does not exist.
        """
        raise_problems(self._loaded.problems)
        request = self._request(options, include, exclude)
        plan = self._made(request, at=at, entries=self._services.lake.entries(at))
        building = [item.key for item in plan.assets if item.action == "build"]
        if building:
            # Names that do not exist are found before anything runs.
            graph = self._loaded.graph
            below = views_below(building, graph)
            analysis = self._work().analysis(at, coming=coming_columns(plan, graph))
            analysis.require([*building, *below])
        return plan

    def of_commit(self, at: str, entries: Entries, *, branch: str = "") -> Plan:
        """Plan without a look at sources, on entries that need not be on any branch yet."""
        request = self._request(PlanOptions(ingest=False))
        return self._made(replace(request, branch=branch or self._branch), at=at, entries=entries)

    def stale(self, at: str) -> frozenset[AssetKey]:
        """Give what is older than its inputs and will be built; what reads no change is kept."""
        loaded, entries = self._loaded, self._services.lake.entries(at)
        found = frozenset() if loaded.problems else frozenset(stale_assets(loaded.graph, entries))
        if not found:
            return found
        plan = self.of_commit(at, entries)
        return found & {item.key for item in plan.assets if item.action == "build"}

    def partitions(self, key: AssetKey, at: str) -> PartsDecision:
        """Decide about the partitions of one asset, without a look at sources."""
        entries = self._services.lake.entries(at)
        graph = self.graph_at(entries)
        lookup = VersionLookup(graph.effective, entries)
        facts = self._facts(self._request(PlanOptions(ingest=False)), at=at, entries=entries)
        asset = graph.effective[key]
        return decide_parts(
            asset,
            inputs=lookup.inputs_of(asset),
            parts_of=lookup.parts_of,
            facts=lookup.with_records(facts),
            options=PlanOptions(),
            notes={},
            assets=graph.effective,
        )

    def graph_at(self, entries: Entries) -> Graph:
        """Give the project as it compares with what was built: equal text is equal code."""
        database = self._services.database
        graph = with_partition_keys(self._loaded.graph, database)
        return with_known_texts(graph, database, entries)

    def _request(
        self, options: PlanOptions, include: Sequence[str] = (), exclude: Sequence[str] = ()
    ) -> PlanRequest:
        return PlanRequest(
            project=self._loaded.settings.name,
            environment=self._loaded.environment.name,
            branch=self._branch,
            git=str(git_state(self._services.folder)),
            include=tuple(include),
            exclude=tuple(exclude),
            options=options,
        )

    def _made(self, request: PlanRequest, *, at: str, entries: Entries) -> Plan:
        lake = self._services.lake
        return make_plan(
            self.graph_at(entries),
            replace(request, base_commit=lake.resolve(at).id),
            self._facts(request, at=at, entries=entries),
        )

    def _facts(self, request: PlanRequest, *, at: str, entries: Entries) -> Facts:
        services, options, branch = self._services, request.options, request.branch
        with services.database.read() as transaction:
            reverted = {} if options.force else reverted_commits(transaction, branch)
        sources = Sources(services.lake, services.folder, self._variables, at=at, reverted=reverted)

        @cache
        def analysis() -> Analysis:
            return self._work().analysis(at)

        facts = gather_facts(
            services.database,
            entries=entries,
            branch=branch,
            clock=services.clock,
            observe=sources.observe,
            columns_of=sources.columns_of,
            lineage_of=lambda asset: analysis().lineage_of(asset.key),
            schema_of=lambda asset: analysis().schema_of(asset.key),
        )
        facts = with_partition_facts(
            facts, services.lake, services.database, branch=branch, clock=services.clock
        )
        return replace(
            facts,
            read_through=self._read_through(options),
            compares_unnamed=lambda asset: analysis().compares_unnamed(asset.key),
        )

    def _read_through(self, options: PlanOptions) -> ReadThrough | None:
        if not options.read_through:
            return None
        lake, branch = self._services.lake, self._loaded.environment.branch_from
        commit = lake.resolve(branch).id
        return ReadThrough(branch=branch, commit_id=commit, entries=lake.entries(commit))


def _wanted(written: str | Sequence[str] | Mapping[str, str], graph: Graph) -> dict[str, str]:
    """Give the wanted partitions by folded key; what stands alone is meant for all assets.

    Raises:
        AssetNotFound: A name is no asset.
    """
    if isinstance(written, Mapping):
        return {
            name if name == "*" else graph.resolve(name).folded: text
            for name, text in written.items()
        }
    text = written if isinstance(written, str) else ",".join(written)
    return {"*": text} if text else {}
