# SPDX-License-Identifier: Apache-2.0
"""What must hold in every world, whatever happened in it: the promises of the run service.

Asked while nothing is being executed: a run that is `running` then is one that nobody executes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from mainstem.database import Transaction
from mainstem.graph import (
    Asset,
    Graph,
    Part,
    PartitionSet,
    mapped_versions,
    mapping_to,
    parts_of,
    union_of_parts,
)
from mainstem.lake import Commit, Entry, Lake
from mainstem.types import AssetKey, Provenance

_ALL = 1_000_000


def broken_promises(transaction: Transaction, lake: Lake, graph: Graph) -> Sequence[str]:
    """Say in words what does not hold; empty if all is well.

    Args:
        transaction: Of the world's database.
        lake: The world's.
        graph: The project, with the keys that dynamic partitions have.
    """
    bases = dict(transaction.execute("select id, base_commit from run"))
    return [
        *_lost_or_doubled_launches(transaction),
        *_published_by_the_dead(transaction, lake),
        *_half_published(lake, bases),
        *half_published_partitions(lake, graph, bases),
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
    slots = transaction.execute("select pool, asset, run_id from slot")
    found += [
        f"a slot of {pool} is held for {asset} by run {run_id}" for pool, asset, run_id in slots
    ]
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


def _half_published(lake: Lake, bases: Mapping[int, str]) -> Iterator[str]:
    """What a commit brought was made from what stands beside it, or from what its run began with.

    The latter where another run, which overlapped, has published an input since: it is stale then.
    """
    before: dict[AssetKey, str] = {}
    for commit in reversed(lake.log("main", limit=_ALL)):
        entries = lake.entries(commit.id)
        tables = {key: entry for key, entry in entries.items() if entry.kind == "table"}
        versions = {key: entry.provenance.data_version for key, entry in tables.items()}
        beside = {str(key): version for key, version in versions.items()}
        began = _entries_of_base(lake, commit, bases)
        pinned = {str(key): entry.provenance.data_version for key, entry in began.items()}
        for key, entry in tables.items():
            if before.get(key) == versions[key]:
                continue
            for name, version in entry.provenance.inputs.items():
                if version not in {beside.get(name, version), pinned.get(name)}:
                    yield f"{commit.id[:8]} has {key}, but not the {name} that it was made from"
        before = versions


def half_published_partitions(
    lake: Lake, graph: Graph, bases: Mapping[int, str] | None = None
) -> Iterator[str]:
    """Say which partitions a commit brought that were made from others than their run saw.

    Args:
        lake: The world's.
        graph: The project.
        bases: The commits that runs began with; without one, what stands beside them counts.
    """
    partitioned = [asset for asset in graph.effective.values() if asset.partitions is not None]
    before: dict[AssetKey, tuple[Part, ...]] = {}
    for commit in reversed(lake.log("main", limit=_ALL)) if partitioned else ():
        now = _all_parts(partitioned, lake.entries(commit.id))
        began = _entries_of_base(lake, commit, bases or {})
        pinned = _all_parts(partitioned, began) if began else now
        brought = {
            asset.key: [*_new_parts(now.get(asset.key, ()), before.get(asset.key, ()))]
            for asset in partitioned
        }
        for asset in partitioned:
            for part in brought[asset.key]:
                for key in asset.inputs:
                    source = graph.effective.get(key)
                    if source is not None and source.partitions is not None:
                        seen = _overlaid(pinned.get(key, ()), brought[key])
                        wrong = [*_made_from_others(asset, part, source, seen, commit)]
                        if wrong and began:
                            beside = now.get(key, ())
                            wrong = [*_made_from_others(asset, part, source, beside, commit)]
                        yield from (f"{commit.id[:8]} has {text}" for text in wrong)
        before = now


def _entries_of_base(
    lake: Lake, commit: Commit, bases: Mapping[int, str]
) -> Mapping[AssetKey, Entry]:
    base = bases.get(int(commit.meta.get("run") or 0))
    return lake.entries(base) if base else {}


def _all_parts(
    assets: Iterable[Asset], entries: Mapping[AssetKey, Entry]
) -> dict[AssetKey, tuple[Part, ...]]:
    return {
        asset.key: _parts(asset, entries[asset.key].provenance)
        for asset in assets
        if asset.key in entries
    }


def _overlaid(below: Sequence[Part], above: Sequence[Part]) -> tuple[Part, ...]:
    """Give what a run saw: what it began with, and in its place what it brought."""
    left = []
    for part in below:
        some = part.some
        for one in above:
            some -= one.some
        if some:
            left.append(replace(part, some=some))
    return (*left, *above)


def _parts(asset: Asset, provenance: Provenance) -> tuple[Part, ...]:
    assert asset.partitions is not None, "asked only for partitioned assets"
    return parts_of(provenance, asset.partitions.definition)


def _new_parts(now: Iterable[Part], before: Sequence[Part]) -> Iterator[Part]:
    """Give what a commit brought: ranges grow, so each is without what was there of its version."""
    for part in now:
        some = part.some
        for known in before:
            if known.version == part.version:
                some -= known.some
        if some:
            yield replace(part, some=some)


def _made_from_others(
    asset: Asset, part: Part, source: Asset, beside: tuple[Part, ...], commit: Commit
) -> Iterator[str]:
    mapping = mapping_to(asset, source.key, source)
    assert mapping is not None, "partitions of both sides relate"
    assert source.partitions is not None, "the same"
    there = PartitionSet.existing(source.partitions.definition, commit.created_at)
    there |= union_of_parts(beside, source.partitions.definition)
    read = mapping.upstream(part.some, there)
    found, lacking = mapped_versions(part.some, mapping, read, beside)
    if lacking:
        yield f"{asset.key} {lacking.text()}, but not all of {source.key} that it reads"
    for some, version in found:
        if version != part.inputs.get(source.key.folded):
            yield f"{asset.key} {some.text()}, but not the {source.key} that it was made from"
