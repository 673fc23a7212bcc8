# SPDX-License-Identifier: Apache-2.0
"""Publishing: what passed moves to the target in one commit, together with how the run ended.

If the target moved meanwhile, gates that read what moved judge the merged candidate first; then
the head is compared and swapped in one transaction. After three losses somebody else is faster.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field
from datetime import timedelta
from functools import partial

from mainstem import state
from mainstem.database import Transaction
from mainstem.errors import BranchConflict
from mainstem.graph import Graph, PartitionSet
from mainstem.lake import Commit, Entry, Lake
from mainstem.runs.joining import join_partitions
from mainstem.runs.options import RunOptions
from mainstem.runs.services import Services
from mainstem.runs.step import Gate
from mainstem.runs.tombstones import clear_tombstones
from mainstem.types import AssetKey, Relation, dataclass

_LOSSES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What one run wants to publish."""

    run: state.RunRecord
    held: state.Held
    run_branch: str
    keys: Collection[AssetKey]
    gates: Sequence[tuple[int, Gate]]
    """Passing gates of what is published, with their step."""
    versions: Sequence[tuple[AssetKey, str]] = ()
    """What is published, as tombstones would name it."""
    partitions: Sequence[tuple[AssetKey, str]] = ()
    """What is published of partitioned assets."""
    parts: Mapping[AssetKey, Mapping[str, PartitionSet]] = field(default_factory=dict)
    """What is published of them by version, if that may have been reverted."""
    publish_from: str = ""
    """Branch that has what is published and nothing that is held; `run_branch` may have more."""
    status: str
    message: str


Judge = Callable[[Sequence[tuple[int, Gate]], Callable[[AssetKey], Relation]], Mapping[int, str]]
"""Evaluates gates; gives for each step that they hold why."""


def publish(
    candidate: Candidate,
    services: Services,
    options: RunOptions,
    *,
    judge: Judge,
    also: Callable[[Transaction], None],
) -> tuple[Commit | None, Mapping[int, str]]:
    """Move what passed to the target, or tell what the merged candidate's gates hold back.

    Args:
        candidate: What to publish, and how the run ends with it.
        services: The world.
        options: Of the run.
        judge: Evaluates gates again if what they read moved.
        also: Writes the last records, in the same transaction.

    Returns:
        The commit; or nothing and, for each step that has to be held after all, why.

    Raises:
        BranchConflict: Another one moved the target three times in between (A6014), or what it did
            does not commute with what this run did.
        LeaseLost: Another run took over.
    """
    lake = services.lake
    target = candidate.run.branch
    judged_at = candidate.run.base_commit
    source = candidate.publish_from or candidate.run_branch
    versions = _versions_in_parts(lake, candidate, source)
    for _ in range(_LOSSES):
        head = lake.ref(target)
        if head.commit_id != judged_at:
            held = _judge_merged(candidate, services, judged_at, head.commit_id, judge)
            if held:
                return None, held
            judged_at = head.commit_id
        with services.database.write(durable=head.protected) as transaction:
            if lake.ref(target).commit_id != head.commit_id:
                continue
            state.compare_fences(transaction, candidate.held)
            commit = lake.publish(
                source,
                target,
                candidate.keys,
                message=candidate.message,
                author=options.author,
                meta=_meta(candidate),
                join=partial(join_partitions, services.graph),
                transaction=transaction,
            )
            _note_published(transaction, candidate, options, commit_id=commit.id, versions=versions)
            conclude(transaction, candidate, services, options, commit_id=commit.id)
            also(transaction)
            return commit, {}
    raise BranchConflict(
        "A6014",
        f"`{target}` was moved by others {_LOSSES} times while run {candidate.run.id} published.",
        hint="Nothing was published. Run again: what was built is linked, not computed anew.",
    )


def _versions_in_parts(lake: Lake, candidate: Candidate, source: str) -> dict[AssetKey, str]:
    """Give the versions of the partitioned tables that are published, without what is held."""
    entries = {key: lake.entry(key, source) for key in {key for key, _ in candidate.partitions}}
    return {
        key: entry.provenance.data_version for key, entry in entries.items() if entry is not None
    }


def _note_published(
    transaction: Transaction,
    candidate: Candidate,
    options: RunOptions,
    *,
    commit_id: str,
    versions: Mapping[AssetKey, str],
) -> None:
    run, partitions = candidate.run, candidate.partitions
    state.mark_published(
        transaction, run.id, candidate.keys, commit_id=commit_id, versions=versions
    )
    state.publish_partitions(transaction, run.id, partitions, commit_id=commit_id)
    if options.plan.force:
        # What came back on purpose may be linked and built again like anything else.
        state.clear_tombstones(transaction, run.branch, candidate.versions)
        for key, parts in candidate.parts.items():
            clear_tombstones(transaction, run.branch, key, parts)


def conclude(
    transaction: Transaction,
    candidate: Candidate,
    services: Services,
    options: RunOptions,
    *,
    commit_id: str = "",
    error: str = "",
) -> None:
    """Write how the run ended, give its leases back, settle what becomes of its branch."""
    now = services.clock.now()
    branch = candidate.run_branch
    if branch:
        is_good = candidate.status == "succeeded"
        days = options.kept_days if is_good else options.kept_days_after_failure
        services.lake.expire(branch, now + timedelta(days=days), transaction=transaction)
        if not is_good:
            services.lake.seal(branch, transaction=transaction)
    state.finish_run(
        transaction,
        candidate.run.id,
        status=candidate.status,
        at=now,
        commit_id=commit_id,
        run_branch=branch,
        error=error,
    )
    if commit_id:
        text = f"{len(candidate.keys)} keys to {candidate.run.branch} in {commit_id[:8]}"
        state.add_event(transaction, candidate.run.id, "published", text, at=now)
    state.release(transaction, candidate.held)
    state.free_slots(transaction, candidate.run.id)
    state.forget_requests(transaction, candidate.run.id)
    state.forget_items(transaction, candidate.run.id)


def _meta(candidate: Candidate) -> dict[str, object]:
    run = candidate.run
    return {"run": run.id, "environment": run.environment, "git": run.git}


def _judge_merged(
    candidate: Candidate, services: Services, judged_at: str, head: str, judge: Judge
) -> Mapping[int, str]:
    moved = _moved(services.lake, judged_at, head)
    affected = [
        (index, gate)
        for index, gate in candidate.gates
        if any(key in moved for key in _read_by(gate, services.graph))
    ]
    if not affected:
        return {}
    lake = services.lake
    name = f"{candidate.run_branch}/candidate"
    with services.database.write() as transaction:
        lake.create_branch(
            name,
            at=head,
            expires_at=services.clock.now() + timedelta(days=1),
            transaction=transaction,
        )
    try:
        commit = lake.publish(
            candidate.publish_from or candidate.run_branch,
            name,
            candidate.keys,
            message="candidate to judge",
            join=partial(join_partitions, services.graph),
        )
        return judge(affected, lambda key: lake.relation(key, commit.id))
    finally:
        lake.delete_branch(name)


def _moved(lake: Lake, before: str, after: str) -> set[AssetKey]:
    old: Mapping[AssetKey, Entry] = lake.entries(before)
    new: Mapping[AssetKey, Entry] = lake.entries(after)
    return {
        key
        for key in {*old, *new}
        if key not in old or key not in new or old[key].content != new[key].content
    }


def _read_by(gate: Gate, graph: Graph) -> set[AssetKey]:
    """Give all tables that a gate looks at, also through views."""
    found: set[AssetKey] = set()
    pending = [*gate.reads, gate.asset]
    while pending:
        key = pending.pop()
        if key not in found:
            found.add(key)
            if key in graph and graph.assets[key].materialized == "view":
                pending.extend(graph.effective[key].inputs)
    return found
