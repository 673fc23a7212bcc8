# SPDX-License-Identifier: Apache-2.0
"""Committing what an attempt produced to the run's branch, in one transaction with its records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mainstem import state
from mainstem.graph import confirmed, overlaid, parts_of, volatile_version
from mainstem.lake import Commit, Intent, LinkWrite
from mainstem.runs.book import Book
from mainstem.runs.portions import in_place, link_write
from mainstem.runs.reporting import Course
from mainstem.runs.scope import Scope
from mainstem.runs.staging import (
    Staged,
    Work,
    check_owned,
    stage_links,
    stage_outcome,
    view_records,
)
from mainstem.runs.step import StepOutcome
from mainstem.types import AssetKey, Change, CursorWrite, TableWrite


class Stager:
    """Called by the driver's thread alone, so the branch moves by one commit at a time."""

    def __init__(self, scope: Scope, book: Book) -> None:
        self._scope = scope
        self._book = book
        self._begun: set[AssetKey] = set()
        """Tables that start over in this run and have been written to."""

    def stage(self, index: int, outcome: StepOutcome | None) -> bool:
        """Commit an outcome, or the links of a step that has none.

        Returns:
            Whether there is something to publish.

        Raises:
            LeaseLost: Another run took over.
            MainstemError: The changes could not be committed: the step failed.
        """
        course = self._book.courses[index]
        course.outcome = outcome
        course.works = [self._with_parts(work) for work in course.works]
        staged = self._staged(course, outcome)
        if staged.changes:
            self._commit(index, staged)
        course.error = None
        course.published = staged.keys
        course.versions = staged.settled
        defined = {asset.key for asset in staged.defined}
        course.changed = frozenset(staged.settled) | defined
        lookup = self._scope.lookup
        for key, version in staged.settled.items():
            lookup.settle(key, version)
        for asset in staged.defined:
            lookup.define(asset)
        for work in course.works:
            if work.slice is not None and work.asset.key in staged.settled:
                lookup.settle_parts(work.asset.key, work.parts)
                self._begun.add(work.asset.key)
            elif work.asset.partitions is not None and work.asset.key in course.links:
                taken = course.links[work.asset.key].provenance
                parts = parts_of(taken, work.asset.partitions.definition)
                lookup.settle_parts(work.asset.key, parts)
        return bool(staged.keys)

    def _with_parts(self, work: Work) -> Work:
        """Say what the table's partitions come from with those of this step among them."""
        parts = work.decision.parts
        if work.slice is None or parts is None:
            return work
        scope, key = self._scope, work.asset.key
        begins = work.slice.starts_over and key not in self._begun
        before = () if begins else scope.lookup.parts_of(key)
        new = parts.new
        if not work.asset.is_repeatable:
            run_id = scope.run.id
            new = tuple(replace(one, version=volatile_version(one.version, run_id)) for one in new)
        return replace(
            work,
            before=scope.services.lake.entry(key, scope.branch.tip),
            parts=confirmed(overlaid(before, work.slice.some, new), parts.confirmed),
            begins=begins,
        )

    def _staged(self, course: Course, outcome: StepOutcome | None) -> Staged:
        scope = self._scope
        if outcome is None and any(work.linked_from for work in course.works):
            links = [link_write(scope.services.lake, work) for work in course.works]
            outcome = self._in_place(StepOutcome(changes=tuple(links)), course.works)
            return stage_outcome(outcome, course.works, facts=scope.facts, stamp=scope.stamp)
        if outcome is None:
            return stage_links(
                course.links,
                course.works,
                facts=scope.facts,
                stamp=scope.stamp,
                beside={work.asset.key: self._beside(work) for work in course.works},
            )
        check_owned(outcome, course.works)
        outcome = self._in_place(outcome, course.works)
        staged = stage_outcome(outcome, course.works, facts=scope.facts, stamp=scope.stamp)
        for key, version in staged.settled.items():
            if not scope.options.plan.force and scope.facts.is_tombstone(key, version):
                # Only reading could tell that it is what was reverted here: it stays away.
                course.reverted = "what it read was reverted here; --force takes it in again"
                return Staged()
        return staged

    def _in_place(self, outcome: StepOutcome, works: Sequence[Work]) -> StepOutcome:
        """Find what the partitions that a step built replace; here, where nobody else writes."""
        scope = self._scope
        sliced = {work.asset.key: work for work in works if work.slice is not None}
        if not sliced:
            return outcome
        scope.branch.ensure(scope.fenced)
        cutter, tip = scope.cutter(scope.branch.name), scope.branch.tip
        changes: list[Change] = []
        owners = {**{key.quarantine: work for key, work in sliced.items()}, **sliced}
        for change in outcome.changes:
            work = owners.get(change.key) if isinstance(change, TableWrite) else None
            if isinstance(change, TableWrite) and work is not None:
                placed = in_place(change, work, cutter, tip)
                if change.key in sliced or placed.added or placed.removed:
                    changes.append(placed)
            else:
                changes.append(change)
        return replace(outcome, changes=tuple(changes))

    def _beside(self, work: Work) -> list[Intent]:
        """Give what belongs to a linked source: its cursor, and rows that were put aside."""
        link = work.decision.link
        if link is None or work.asset.kind != "file":
            return []
        lake, key = self._scope.services.lake, work.asset.key
        cursor = lake.cursor(key, link.commit_id)
        found: list[Intent] = [] if cursor is None else [CursorWrite(key=key, value=cursor)]
        aside = [
            LinkWrite(key=entry.key, content=entry.content, provenance=entry.provenance)
            for entry in lake.entries(link.commit_id).values()
            if entry.key.folded.startswith(f"{key.folded}__") and entry.kind == "table"
        ]
        return found + aside

    def _commit(self, index: int, staged: Staged) -> None:
        scope = self._scope
        course, unit = self._book.courses[index], scope.wiring.units[index]
        scope.branch.ensure(scope.fenced)
        inputs = [key for work in course.works for key in work.inputs]
        views = view_records(inputs, scope.lookup, scope.stamp)
        self._book.note(index, "staged")
        with scope.fenced() as transaction:
            commit: Commit = scope.services.lake.commit(
                scope.branch.name,
                staged.changes,
                message=f"run {scope.run.id}: {unit.key}",
                author=scope.options.author,
                meta={"run": scope.run.id, "step": str(unit.key)},
                transaction=transaction,
            )
            tables = [replace(item, commit_id=commit.id) for item in staged.versions]
            state.add_versions(transaction, [*tables, *views])
            state.save_parts(
                transaction,
                [
                    (work.asset.key, work.asset.code_version, work.asset.change_summary)
                    for work in course.works
                ],
            )
            state.save_texts(
                transaction,
                [
                    (work.asset.key, work.asset.code_text_hash, work.asset.code_version)
                    for work in course.works
                ],
            )
            state.add_built_partitions(
                transaction,
                [item for work in course.works for item in self._built(work, commit.id)],
            )
            self._book.save_steps(transaction, unit.keys)
        scope.branch.tip = commit.id

    def _built(self, work: Work, commit_id: str) -> list[state.StoredPartitions]:
        """Note where the partitions of a step can be taken over from."""
        stamp = self._scope.stamp
        if work.slice is None or not work.asset.is_repeatable:
            return []
        return [
            state.StoredPartitions(
                key=work.asset.key,
                version=part.version,
                partitions=shared.text(is_stored=True),
                run_id=stamp.run_id,
                branch=stamp.branch,
                commit_id=commit_id,
                created_at=stamp.now,
                expires_at=stamp.expires_at,
            )
            for part in work.parts
            if (shared := part.some & work.slice.some)
        ]
