# SPDX-License-Identifier: Apache-2.0
"""Committing what an attempt produced to the run's branch, in one transaction with its records."""

from __future__ import annotations

from dataclasses import replace

from mainstem import state
from mainstem.lake import Commit, Intent, LinkWrite
from mainstem.runs.book import Book
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
from mainstem.types import CursorWrite


class Stager:
    """Called by the driver's thread alone, so the branch moves by one commit at a time."""

    def __init__(self, scope: Scope, book: Book) -> None:
        self._scope = scope
        self._book = book

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
        return bool(staged.keys)

    def _staged(self, course: Course, outcome: StepOutcome | None) -> Staged:
        scope = self._scope
        if outcome is None:
            return stage_links(
                course.links,
                course.works,
                facts=scope.facts,
                stamp=scope.stamp,
                beside={work.asset.key: self._beside(work) for work in course.works},
            )
        check_owned(outcome, course.works)
        staged = stage_outcome(outcome, course.works, facts=scope.facts, stamp=scope.stamp)
        for key, version in staged.settled.items():
            if not scope.options.plan.force and scope.facts.is_tombstone(key, version):
                # Only reading could tell that it is what was reverted here: it stays away.
                course.reverted = "what it read was reverted here; --force takes it in again"
                return Staged()
        return staged

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
            self._book.save_steps(transaction, unit.keys)
        scope.branch.tip = commit.id
