# SPDX-License-Identifier: Apache-2.0
"""From a graph and the state of the world to a plan; pure, and fast enough for every command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace

from mainstem.graph.asset import Asset
from mainstem.graph.changes import changed_columns
from mainstem.graph.decision import Decision, decide_asset
from mainstem.graph.facts import Facts, PlanOptions
from mainstem.graph.graph import Graph
from mainstem.graph.lookup import UNKNOWN, VersionLookup
from mainstem.graph.parting import united_parts
from mainstem.graph.plan import ColumnChange, Plan, PlannedAsset
from mainstem.graph.selection import select
from mainstem.graph.through import read_through
from mainstem.types import AssetKey, dataclass

_SOURCES = frozenset({"file"})
_NO_COST = (None, None)
"""Rows and seconds of what never ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """What to plan, and the words around it."""

    project: str = ""
    environment: str = "local"
    branch: str = "main"
    base_commit: str = ""
    git: str = ""
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    options: PlanOptions = field(default_factory=PlanOptions)


def make_plan(graph: Graph, request: PlanRequest, facts: Facts) -> Plan:
    """Decide for each selected asset what a run would do, and why.

    Raises:
        SelectionInvalid: A selection cannot be read or matches nothing.
    """
    chosen = _with_groups(graph, select(graph, request.include, request.exclude))
    request = replace(request, options=_with_groups_partitions(graph, request.options))
    walk = _Walk(graph=graph, request=request, facts=facts, chosen=chosen)
    for key in graph.order:
        walk.visit(graph.effective[key])
    walk.unite_groups()
    options = request.options
    return Plan(
        project=request.project,
        environment=request.environment,
        branch=request.branch,
        base_commit=request.base_commit,
        assets=walk.planned(),
        columns=_column_changes(graph, walk.decisions, facts),
        git=request.git,
        options={
            "select": list(request.include),
            "exclude": list(request.exclude),
            "full_refresh": options.full_refresh,
            "rebuild": options.rebuild,
            "ingest": options.ingest,
            "read_through": options.read_through,
            "fresh": options.fresh,
            "force": options.force,
            **({"partitions": dict(options.partitions)} if options.partitions else {}),
        },
    )


def _with_groups(graph: Graph, chosen: Iterable[AssetKey]) -> set[AssetKey]:
    """Take in the other members of groups: one step builds them all."""
    keys = set(chosen)
    groups = {graph.assets[key].group for key in keys} - {""}
    if groups:
        keys.update(key for key, asset in graph.assets.items() if asset.group in groups)
    return keys


def _with_groups_partitions(graph: Graph, options: PlanOptions) -> PlanOptions:
    """Let partitions that are wanted of one member of a group be wanted of all."""
    wanted = dict(options.partitions)
    groups = {asset.group: key for key, asset in graph.assets.items() if key.folded in wanted}
    for key, asset in graph.assets.items():
        if asset.group and asset.group in groups:
            wanted.setdefault(key.folded, wanted[groups[asset.group].folded])
    return replace(options, partitions=wanted) if len(wanted) > len(options.partitions) else options


class _Walk:
    """One pass over the graph, inputs first, settling the version that each asset would have."""

    def __init__(
        self, *, graph: Graph, request: PlanRequest, facts: Facts, chosen: set[AssetKey]
    ) -> None:
        self.graph = graph
        self.request = request
        self.chosen = chosen
        self.lookup = VersionLookup(graph.effective, facts.entries)
        self.facts = self.lookup.with_records(facts)
        self.notes: dict[AssetKey, str] = {}
        """In words, how assets change in this plan."""
        self.decisions: dict[AssetKey, Decision] = {}

    def visit(self, asset: Asset) -> None:
        key = asset.key
        is_plannable = asset.kind != "external" and asset.materialized != "ephemeral"
        if key not in self.chosen or not is_plannable:
            # What is derived at lookup changes though nobody chose it.
            self.lookup.of(key)
            self._note_derived(asset)
            return
        decision = self._source(asset) if asset.kind in _SOURCES else self._derived(asset)
        self.decisions[key] = decision
        if asset.materialized == "view":
            if decision.action == "build":
                self.lookup.define(asset)
                self.notes[key] = "changes"
            else:
                self._note_derived(asset)
        elif asset.materialized != "none":
            self.lookup.settle(key, decision.version)
            if decision.parts is not None and decision.action in {"build", "link"}:
                self.lookup.settle_parts(key, decision.parts.after)
            if decision.action in {"read", "build", "link"}:
                is_growing = decision.action == "read" or not decision.is_full_rebuild
                self.notes[key] = "gets new rows" if is_growing else "changes"

    def _note_derived(self, asset: Asset) -> None:
        changed = next((item for item in asset.inputs if item in self.notes), None)
        if changed is not None and asset.materialized in {"view", "ephemeral"}:
            self.notes[asset.key] = self.notes[changed]

    def _derived(self, asset: Asset) -> Decision:
        inputs = self.lookup.inputs_of(asset)
        decision = decide_asset(
            asset,
            inputs=inputs,
            facts=self.facts,
            options=self.request.options,
            notes=self.notes,
            branch=self.request.branch,
            assets=self.graph.effective,
            parts_of=self.lookup.parts_of,
        )
        if decision.action == "skip":
            return self._better_skip(inputs, decision)
        return decision

    def _better_skip(self, inputs: Mapping[AssetKey, str | None], decision: Decision) -> Decision:
        """Say of an input that was never built why this plan does not build it either."""
        for key, version in inputs.items():
            if version is None and key not in self.chosen:
                return Decision(
                    action="skip",
                    reason=f"needs {key}, which was never built and is not selected",
                    version=decision.version,
                )
            if version is None and key in self.decisions:
                return Decision(
                    action="skip",
                    reason=f"needs {key}, which is skipped",
                    version=decision.version,
                )
        return decision

    def _source(self, asset: Asset) -> Decision:
        entry = self.facts.entries.get(asset.key)
        version = entry.provenance.data_version if entry is not None else None
        if self.facts.read_through is not None:
            return read_through(asset, self.facts, self.request.options, self.request.branch)
        if not self.request.options.ingest:
            return Decision(action="fresh", reason="--no-ingest: not looked at", version=version)
        observation = self.facts.observe(asset)
        if observation is None:
            return Decision(action="read", reason=asset.volatile or "read whenever it is selected")
        if observation.is_fresh:
            return Decision(
                action="fresh", reason=observation.summary or "nothing new", version=version
            )
        # What will have been read is unknown, and so is all that is derived from it.
        return Decision(action="read", reason=observation.summary, version=UNKNOWN)

    def unite_groups(self) -> None:
        """Let members of a `multi_asset`, which one step builds, do the same."""
        groups: dict[str, list[AssetKey]] = {}
        for key in self.decisions:
            group = self.graph.assets[key].group
            if group:
                groups.setdefault(group, []).append(key)
        for members in groups.values():
            self._unite(members)

    def _unite(self, members: list[AssetKey]) -> None:
        builder = next((key for key in members if self.decisions[key].action == "build"), None)
        if builder is None:
            return
        parted = [self.decisions[key].parts for key in members]
        united = united_parts([parts for parts in parted if parts is not None])
        for key in members:
            decision = self.decisions[key]
            if decision.parts is not None and united is not None and decision.action != "skip":
                is_changed = decision.action != "build"
                self.decisions[key] = replace(
                    decision,
                    action="build",
                    link=None,
                    reason=f"is built together with {builder}" if is_changed else decision.reason,
                    parts=replace(decision.parts, build=united),
                )
            elif decision.action in {"fresh", "keep", "link"}:
                self.decisions[key] = Decision(
                    action="build",
                    reason=f"is built together with {builder}",
                    fingerprint=decision.fingerprint,
                    version=decision.version,
                )

    def planned(self) -> tuple[PlannedAsset, ...]:
        decisions = self.decisions
        work = [key for key, found in decisions.items() if found.action in {"read", "build"}]
        costs = self.facts.estimates(work) if work else {}
        return tuple(
            self._planned(key, decision, costs.get(key, _NO_COST))
            for key, decision in decisions.items()
        )

    def _planned(
        self, key: AssetKey, decision: Decision, cost: tuple[int | None, float | None]
    ) -> PlannedAsset:
        rows, seconds = cost
        return PlannedAsset(
            key=key,
            action=decision.action,
            reason=decision.reason,
            fingerprint=decision.fingerprint,
            link_from=decision.link.made_on if decision.link is not None else "",
            link_commit=decision.link.commit_id
            if decision.link is not None and self.graph.assets[key].kind in _SOURCES
            else "",
            is_full_rebuild=decision.is_full_rebuild,
            partitions=decision.parts.build.text() if decision.parts is not None else "",
            estimated_rows=rows,
            estimated_seconds=seconds,
            details=decision.details,
        )


def _column_changes(
    graph: Graph, decisions: Mapping[AssetKey, Decision], facts: Facts
) -> tuple[ColumnChange, ...]:
    found: list[ColumnChange] = []
    for key, decision in decisions.items():
        if decision.action != "build":
            continue
        entry = facts.entries.get(key)
        if entry is None or entry.provenance.code_version == graph.effective[key].code_version:
            continue
        asset = graph.assets[key]
        found.extend(_column_changes_of(graph, asset, facts, entry.provenance.code_version))
    return tuple(found)


def _column_changes_of(
    graph: Graph, asset: Asset, facts: Facts, old_code: str
) -> list[ColumnChange]:
    found: dict[str, ColumnChange] = {}
    old_types = {
        name.casefold(): (name, text) for name, text in facts.columns_of(asset.key).items()
    }
    schema = facts.schema_of(asset) if old_types else None
    if schema is not None:
        new_types = {item.name.casefold(): (item.name, str(item.type)) for item in schema.fields}
        for folded, (name, text) in new_types.items():
            if folded not in old_types:
                found[folded] = ColumnChange(key=asset.key, column=name, change="added")
            elif old_types[folded][1] != text:
                found[folded] = ColumnChange(
                    key=asset.key,
                    column=name,
                    change="type changed",
                    breaks=_readers(graph, facts, asset.key, folded),
                    may_break=_opaque_readers(graph, asset.key),
                )
        for folded, (name, _text) in old_types.items():
            if folded not in new_types:
                found[folded] = _dropped(graph, facts, asset.key, name)
    for name, change in changed_columns(facts.parts_of(asset.key, old_code), asset.change_summary):
        folded = name.casefold()
        if folded in found:
            continue
        if change == "added":
            found[folded] = ColumnChange(key=asset.key, column=name, change="added")
        elif change == "dropped":
            found[folded] = _dropped(graph, facts, asset.key, name)
        else:
            found[folded] = ColumnChange(key=asset.key, column=name, change="logic changed")
    return list(found.values())


def _dropped(graph: Graph, facts: Facts, key: AssetKey, column: str) -> ColumnChange:
    return ColumnChange(
        key=key,
        column=column,
        change="dropped",
        breaks=_readers(graph, facts, key, column.casefold()),
        may_break=_opaque_readers(graph, key),
    )


def _opaque_readers(graph: Graph, key: AssetKey) -> tuple[str, ...]:
    """Give the Python assets and commands that get the whole table, directly."""
    children = graph.children.get(key, ())
    kinds = {"python", "command"}
    return tuple(str(child) for child in children if graph.assets[child].kind in kinds)


def _readers(graph: Graph, facts: Facts, key: AssetKey, column: str) -> tuple[str, ...]:
    """Give the columns downstream that are computed from one column, directly or not."""
    found: list[str] = []
    level = [(key, column)]
    seen = set(level)
    while level:
        source, name = level.pop()
        for child in graph.children.get(source, ()):
            for output, origins in facts.lineage_of(graph.assets[child]).items():
                reads = any(item == source and col.casefold() == name for item, col in origins)
                if reads and (child, output.casefold()) not in seen:
                    seen.add((child, output.casefold()))
                    found.append(f"{child}.{output}")
                    level.append((child, output.casefold()))
    return tuple(sorted(found))
