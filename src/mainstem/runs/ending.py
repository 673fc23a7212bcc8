# SPDX-License-Identifier: Apache-2.0
"""The end of a run: what passed is published, or the run gives up and leaves order behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from mainstem import state
from mainstem.database import Transaction
from mainstem.errors import Cancelled, MainstemError
from mainstem.graph import Part, PartitionSet, parts_by_version, stale_assets, view_tombstone
from mainstem.lake import Commit
from mainstem.runs.book import Book
from mainstem.runs.cancelling import Cancellation
from mainstem.runs.ended import RunEnding
from mainstem.runs.event import RunFinished, StepFinished
from mainstem.runs.judging import evaluate
from mainstem.runs.machine import State, reconsider
from mainstem.runs.moves import EndRun, FinishStep
from mainstem.runs.portions import view_of_gates
from mainstem.runs.publishing import Candidate, conclude, publish
from mainstem.runs.reporting import Course, gate_reason
from mainstem.runs.scope import Scope
from mainstem.runs.step import Gate
from mainstem.runs.withholding import torn, without_held
from mainstem.types import AssetKey, Relation


def publish_run(
    scope: Scope, book: Book, run_state: State, end: EndRun
) -> tuple[EndRun, Commit | None]:
    """Publish what the machine says, and again with less if the merged candidate fails.

    Returns:
        How the run ended after all, and the commit on the target, if any.
    """

    def judge(
        gates: Sequence[tuple[int, Gate]], relation: Callable[[AssetKey], Relation]
    ) -> Mapping[int, str]:
        return _judge_merged(scope, book, gates, relation)

    while True:
        held = torn(scope, book, end)
        if held:
            run_state, end = _held_back(run_state, book, end, held)
            continue
        candidate = _candidate(scope, book, end)
        if candidate.keys:
            candidate = replace(candidate, publish_from=without_held(scope, book, end))
        if not candidate.keys:
            with scope.services.database.write() as transaction:
                conclude(transaction, candidate, scope.services, scope.options)
                _close(transaction, scope, book, candidate.status)
            return end, None
        commit, refused = publish(
            candidate,
            scope.services,
            scope.options,
            judge=judge,
            also=partial(_close, scope=scope, book=book, status=candidate.status),
        )
        if commit is not None:
            return end, commit
        run_state, end = _held_back(run_state, book, end, refused)


def _held_back(
    run_state: State, book: Book, end: EndRun, held: Mapping[int, str]
) -> tuple[State, EndRun]:
    """Take steps, and all that relies on them, out of what is published."""
    run_state, instructions = reconsider(run_state, held)
    for instruction in instructions:
        if isinstance(instruction, FinishStep):
            book.finish(instruction)
        elif isinstance(instruction, EndRun):
            end = instruction
    return run_state, end


def give_up(scope: Scope, book: Book, error: BaseException) -> None:
    """Leave order behind when the run itself cannot go on: its branch sealed, its leases free."""
    is_stop = isinstance(error, KeyboardInterrupt | Cancelled)
    if isinstance(error, MainstemError):
        scope.journal.error(error)
    candidate = replace(
        _candidate(scope, book, EndRun("failed", ())), status="cancelled" if is_stop else "failed"
    )
    try:
        with scope.services.database.write() as transaction:
            text = scope.services.redactor.text(str(error))[:2000] or type(error).__name__
            conclude(transaction, candidate, scope.services, scope.options, error=text)
            _close(transaction, scope, book, candidate.status, error=text)
    except MainstemError as second:
        # The next run finds the dead one and clears up; the first error is what matters.
        error.add_note(f"and then: {second}")


def _close(
    transaction: Transaction, scope: Scope, book: Book, status: str, error: str = ""
) -> None:
    """Write the last records of a run, ours and those of others."""
    book.flush(transaction)
    if scope.services.on_end is not None:
        ending = RunEnding(
            run=scope.run,
            status=status,
            at=scope.services.clock.now(),
            steps=tuple(book.done.values()),
            error=error,
        )
        scope.services.on_end(transaction, ending)


def summary(
    scope: Scope,
    book: Book,
    end: EndRun,
    commit: Commit | None,
    *,
    skipped: Sequence[StepFinished],
    elapsed_s: float,
) -> RunFinished:
    """Sum a run up."""
    # Of a partitioned asset there may be many steps.
    published = tuple(
        dict.fromkeys(
            key
            for index in (end.publish if commit is not None else ())
            for key in book.courses[index].published
            if key in book.courses[index].changed
        )
    )
    options = scope.options
    days = options.kept_days if end.status == "succeeded" else options.kept_days_after_failure
    has_branch = scope.branch.exists
    return RunFinished(
        run_id=scope.run.id,
        status=end.status,
        branch=scope.plan.branch,
        published=published,
        commit_id=commit.id if commit is not None else "",
        run_branch=scope.branch.name if has_branch else "",
        kept_days=days if has_branch else 0,
        elapsed_s=elapsed_s,
        steps=(*skipped, *book.done.values()),
        stale=_stale(scope, commit, published),
        held_readers_keep=_what_readers_keep(scope, book),
    )


def _stale(
    scope: Scope, commit: Commit | None, published: Sequence[AssetKey]
) -> tuple[AssetKey, ...]:
    if commit is None or not published:
        return ()
    kept = {item.key for item in scope.plan.assets if item.action == "keep"}
    entries = scope.services.lake.entries(commit.id)
    found = stale_assets(scope.services.graph, entries, below=published)
    return tuple(key for key in found if key not in kept)


def _candidate(scope: Scope, book: Book, end: EndRun) -> Candidate:
    keys = [key for index in end.publish for key in book.courses[index].published]
    units = scope.wiring.units
    gates: list[tuple[int, Gate]] = [
        (index, gate)
        for index, unit in enumerate(units)
        if index in end.publish or unit.judges_only
        for gate in (*unit.early, *unit.late)
    ]
    return Candidate(
        run=scope.run,
        held=scope.held,
        run_branch=scope.branch.name if scope.branch.exists else "",
        keys=tuple(dict.fromkeys(keys)),
        gates=gates,
        versions=[item for index in end.publish for item in _versions(book.courses[index])],
        parts=_parts(book, end) if scope.options.plan.force else {},
        partitions=[
            (key, unit.partition)
            for index in end.publish
            if (unit := units[index]).some is not None
            for key in unit.keys
        ],
        status=end.status,
        message=f"run {scope.run.id}: {_some(keys)}",
    )


def _parts(book: Book, end: EndRun) -> dict[AssetKey, dict[str, PartitionSet]]:
    found: dict[AssetKey, list[Part]] = {}
    for index in end.publish:
        for work in book.courses[index].works:
            if work.slice is None:
                continue
            shared = [replace(part, some=part.some & work.slice.some) for part in work.parts]
            found.setdefault(work.asset.key, []).extend(shared)
    return {key: parts_by_version(parts) for key, parts in found.items()}


def _versions(course: Course) -> list[tuple[AssetKey, str]]:
    views = [
        (work.asset.key, view_tombstone(work.asset.code_version))
        for work in course.works
        if work.asset.materialized == "view"
    ]
    return [*course.versions.items(), *views]


def _judge_merged(
    scope: Scope,
    book: Book,
    gates: Sequence[tuple[int, Gate]],
    relation: Callable[[AssetKey], Relation],
) -> Mapping[int, str]:
    held: dict[int, str] = {}
    for index, gate in gates:
        seen = view_of_gates(book.courses[index].works, relation)
        (result,) = scope.journal.results((evaluate(gate, seen, Cancellation()),))
        book.add_results(index, (result,))
        if result.holds_publishing:
            reason = gate_reason(book.courses[index].checks)
            held[index] = f"{reason} on what {scope.plan.branch} is by now"
    return held


def _what_readers_keep(scope: Scope, book: Book) -> dict[AssetKey, str]:
    found: dict[AssetKey, str] = {}
    for (key, _partition), event in book.done.items():
        entry = scope.entries.get(key)
        if event.status not in {"held", "failed"} or entry is None:
            continue
        with scope.services.database.read() as transaction:
            run = state.run_of(transaction, entry.provenance.run_id)
        found[key] = (
            f"the version of run {run.id} ({run.finished_at:%Y-%m-%d %H:%M})"
            if run is not None and run.finished_at is not None
            else "the version of before"
        )
    return found


def _some(keys: Sequence[AssetKey]) -> str:
    names = [str(key) for key in dict.fromkeys(keys)]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
