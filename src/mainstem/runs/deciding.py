# SPDX-License-Identifier: Apache-2.0
"""Deciding again, at run time, with the versions that inputs really have."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mainstem.errors import AssetNotFound, MainstemError, RefNotFound
from mainstem.graph import (
    Asset,
    Decision,
    Facts,
    Linkable,
    PlannedAsset,
    VersionLookup,
    decide_asset,
    must_build_reason,
    parts_of,
    united_parts,
)
from mainstem.lake import Entry
from mainstem.runs.moves import Decided
from mainstem.runs.options import RunOptions
from mainstem.runs.portions import linked_partitions
from mainstem.runs.services import Services
from mainstem.runs.slicing import slice_of
from mainstem.runs.staging import Work
from mainstem.runs.step import Step
from mainstem.runs.wiring import Unit
from mainstem.types import NO_RETRY, AssetKey, Retry, changed


@dataclass(slots=True)
class PreparedStep:
    """What a unit of the run has to do now."""

    works: list[Work] = field(default_factory=list)
    step: Step | None = None
    retry: Retry = NO_RETRY
    links: dict[AssetKey, Entry] = field(default_factory=dict)
    error: MainstemError | None = None
    """The step could not be made: the attempt fails before it begins."""
    unchanged: str = ""
    skipped: str = ""
    judges_only: bool = False

    def decided(self, index: int) -> Decided:
        """Tell the machine."""
        if self.judges_only:
            return Decided(index, "judge")
        if self.skipped:
            return Decided(index, "skip", self.skipped)
        if self.unchanged:
            return Decided(index, "unchanged", self.unchanged)
        if self.step is None:
            return Decided(index, "attempt", claims=False)
        return Decided(index, "attempt", retry=self.retry)


class Decider:
    """Turns planned work into steps, links, or nothing to do."""

    def __init__(
        self, services: Services, facts: Facts, lookup: VersionLookup, options: RunOptions
    ) -> None:
        self._services = services
        self._facts = facts
        self._lookup = lookup
        self._options = options.plan
        self._retry = options.retry

    def prepare(self, unit: Unit) -> PreparedStep:
        """Decide about a unit whose inputs are settled."""
        if unit.judges_only:
            return PreparedStep(judges_only=True)
        works = self._united(unit, [self._work(unit, key) for key in unit.keys])
        prepared = PreparedStep(works=works)
        decisions = [work.decision for work in prepared.works]
        actions = {decision.action for decision in decisions}
        if "skip" in actions:
            skipped = next(item for item in decisions if item.action == "skip")
            prepared.skipped = skipped.reason
        elif actions <= {"fresh", "keep"}:
            prepared.unchanged = decisions[0].reason
        elif actions <= {"link", "fresh", "keep"}:
            self._link_or_build(unit, prepared)
        elif not self._link_partitions(prepared):
            self._build(unit, prepared)
        return prepared

    def _link_partitions(self, prepared: PreparedStep) -> bool:
        """Take partitions over that were built elsewhere, if all of the step's were, in one go."""
        links, works = {}, []
        for work in prepared.works:
            if work.slice is None or work.decision.parts is None or not work.decision.parts.links:
                return False
            ((some, link), *more) = work.decision.parts.links
            if more or some != work.slice.some:
                return False
            entry = linked_partitions(self._services.lake, work, link.commit_id)
            if entry is None:
                return False
            links[work.asset.key] = entry
            works.append(replace(work, linked_from=link.commit_id))
        prepared.links, prepared.works = links, works
        return True

    def _united(self, unit: Unit, works: list[Work]) -> list[Work]:
        """Let members of a group build the same partitions, also those that one has already."""
        parted = [work.decision.parts for work in works]
        some = united_parts([parts for parts in parted if parts is not None])
        if unit.some is None or len(works) == 1 or some is None:
            return works
        return [
            work
            if work.slice is not None and work.slice.some == some
            else self._work(unit, work.asset.key, again=some.text())
            for work in works
        ]

    def _work(self, unit: Unit, key: AssetKey, *, again: str = "") -> Work:
        graph = self._services.graph
        asset = graph.effective[key]
        before = self._facts.entries.get(key)
        entry = before if isinstance(before, Entry) else None
        if asset.kind == "file":
            decision = self._source(unit.planned[key])
            return Work(asset=asset, decision=decision, inputs={}, before=entry)
        inputs = self._lookup.inputs_of(asset)
        options = self._options
        if unit.some is not None:
            wanted = {key.folded: again or unit.partition}
            options = replace(options, partitions=wanted, again=options.again or bool(again))
        decision = decide_asset(
            asset,
            inputs=inputs,
            facts=self._facts,
            options=options,
            notes={},
            assets=graph.effective,
            parts_of=self._lookup.parts_of,
        )
        known = {name: version for name, version in inputs.items() if version}
        if unit.some is not None and decision.action == "link":
            # A table with these partitions alone was there once: of it only they are wanted.
            decision = replace(decision, action="build", link=None)
        slice_ = None
        if decision.parts is not None and decision.parts.build:
            slice_ = slice_of(
                asset,
                decision.parts.build,
                graph.effective,
                now=self._facts.now,
                starts_over=self._starts_over(asset, unit.planned[key]),
            )
        return Work(asset=asset, decision=decision, inputs=known, before=entry, slice=slice_)

    def _starts_over(self, asset: Asset, planned: PlannedAsset) -> bool:
        """Tell whether a partitioned table begins anew, with columns of its own.

        The plan says so of the head that it saw. A run that waited for another may find partitions
        of the same code there: beside those the table keeps its columns.
        """
        entry = self._facts.entries.get(asset.key)
        if not planned.is_full_rebuild or entry is None or asset.partitions is None:
            return planned.is_full_rebuild
        if must_build_reason(asset, entry, self._facts, self._options):
            return True
        parts = parts_of(entry.provenance, asset.partitions.definition)
        return all(part.code_version != asset.code_version for part in parts)

    def _source(self, planned: PlannedAsset) -> Decision:
        """Read a source, or take it over from the branch that the plan found it on."""
        if planned.action != "link":
            return Decision(action="read", reason=planned.reason)
        entry = self._services.lake.entry(planned.key, planned.link_commit)
        if entry is None:
            return Decision(action="skip", reason=f"{planned.link_from} has it no more")
        version = entry.provenance.data_version
        link = Linkable(version=version, commit_id=planned.link_commit, made_on=planned.link_from)
        return Decision(action="link", reason=planned.reason, version=version, link=link)

    def _link_or_build(self, unit: Unit, prepared: PreparedStep) -> None:
        links: dict[AssetKey, Entry] = {}
        linked = [work for work in prepared.works if work.decision.action == "link"]
        for work in linked:
            entry = self._linked_entry(work)
            if entry is not None:
                links[work.asset.key] = entry
        if len(links) == len(linked):
            prepared.works = [replace(work, slice=None) for work in linked]
            prepared.links = links
        else:
            # What it would be taken from was swept away in between.
            self._build(unit, prepared)

    def _linked_entry(self, work: Work) -> Entry | None:
        link = work.decision.link
        if link is None:
            return None
        try:
            entry = self._services.lake.entry(work.asset.key, link.commit_id)
        except (RefNotFound, AssetNotFound):
            return None
        is_equal = entry is not None and entry.provenance.data_version == link.version
        return entry if is_equal else None

    def _build(self, unit: Unit, prepared: PreparedStep) -> None:
        prepared.works = [_as_build(work) for work in prepared.works]
        for work in prepared.works:
            is_whole = work.asset.partitions is None
            assert is_whole or work.slice is not None, "partitions are built as a slice"
        first = prepared.works[0]
        planned = _planned(unit.planned[unit.key], first.decision)
        try:
            asset = self._services.graph.assets[unit.key]
            prepared.step = self._services.step_of(asset, planned)
            prepared.retry = asset.execution.retry.or_else(self._retry)
        except MainstemError as error:
            prepared.error = error


def _as_build(work: Work) -> Work:
    decision = work.decision
    if decision.action in {"build", "read"}:
        return work
    return replace(work, decision=replace(decision, action="build"))


def _planned(planned: PlannedAsset, decision: Decision) -> PlannedAsset:
    return changed(
        planned,
        action=decision.action,
        reason=decision.reason,
        fingerprint=decision.fingerprint,
        is_full_rebuild=decision.is_full_rebuild,
        link_from="",
        details=decision.details,
    )
