# SPDX-License-Identifier: Apache-2.0
"""What must hold in every world, whatever happened in it: the promises of the run service.

Asked while nothing is being executed: a run that is `running` then is one that nobody executes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mainstem.database import Transaction
from mainstem.lake import Lake
from mainstem.types import AssetKey

_ALL = 1_000_000


def broken_promises(transaction: Transaction, lake: Lake) -> Sequence[str]:
    """Say in words what does not hold; empty if all is well."""
    return [
        *_lost_or_doubled_launches(transaction),
        *_published_by_the_dead(transaction, lake),
        *_half_published(lake),
    ]


def left_behind(transaction: Transaction) -> Sequence[str]:
    """Say what nobody executes and nobody has ended; asked once a world has settled."""
    found = [
        f"run {run_id} is still running"
        for (run_id,) in transaction.execute("select id from run where status = 'running'")
    ]
    found += [
        f"launch {launch_id} is still {status}"
        for launch_id, status in transaction.execute(
            "select id, status from launch where status in ('queued', 'running')"
        )
    ]
    leases = transaction.execute("select asset, run_id from lease where run_id <> 0")
    found += [f"the lease of {asset} is held by run {run_id}" for asset, run_id in leases]
    return found


def _lost_or_doubled_launches(transaction: Transaction) -> Iterator[str]:
    for name, due, count in transaction.execute(
        "select name, scheduled_for, count(*) from tick where outcome = 'launched' "
        "group by name, scheduled_for having count(*) > 1"
    ):
        yield f"{name} ticked {count} times for {due}"
    for name, due in transaction.execute(
        "select name, scheduled_for from tick where outcome = 'launched' and "
        "not exists (select 1 from launch where launch.id = tick.launch_id)"
    ):
        yield f"the launch of {name} for {due} is lost"
    for launch_id, count in transaction.execute(
        "select launch_id, count(*) from tick where launch_id is not null "
        "group by launch_id having count(*) > 1"
    ):
        yield f"launch {launch_id} stands for {count} ticks"


def _published_by_the_dead(transaction: Transaction, lake: Lake) -> Iterator[str]:
    """Records of runs and history of the branch agree on who published what."""
    published: dict[int, list[str]] = {}
    for commit in lake.log("main", limit=_ALL):
        if commit.meta.get("run"):
            published.setdefault(int(commit.meta["run"]), []).append(commit.id)
    recorded = dict(
        transaction.execute("select id, commit_id from run where commit_id <> '' order by id")
    )
    for run_id, commits in published.items():
        if len(commits) > 1:
            yield f"run {run_id} published {len(commits)} times"
        if recorded.get(run_id) not in commits:
            yield f"run {run_id} published {commits[0][:8]}, which its record does not say"
    for run_id, commit_id in recorded.items():
        if run_id not in published:
            yield f"run {run_id} did not publish {commit_id[:8]}, as its record says"


def _half_published(lake: Lake) -> Iterator[str]:
    """What a commit brought was made from what stands beside it in that commit."""
    before: dict[AssetKey, str] = {}
    for commit in reversed(lake.log("main", limit=_ALL)):
        entries = lake.entries(commit.id)
        tables = {key: entry for key, entry in entries.items() if entry.kind == "table"}
        versions = {key: entry.provenance.data_version for key, entry in tables.items()}
        beside = {str(key): version for key, version in versions.items()}
        for key, entry in tables.items():
            if before.get(key) == versions[key]:
                continue
            for name, version in entry.provenance.inputs.items():
                if beside.get(name, version) != version:
                    yield f"{commit.id[:8]} has {key}, but not the {name} that it was made from"
        before = versions
