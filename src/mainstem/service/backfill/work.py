# SPDX-License-Identifier: Apache-2.0
"""From what is stored, and the project as it is, to sets: how far each asset of a backfill is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from mainstem.database import Transaction
from mainstem.errors import AssetNotFound, SelectionInvalid
from mainstem.graph import Asset, Graph, PartitionSet, mapping_to, parts_of, union_of_parts
from mainstem.project import Project
from mainstem.runs import with_partition_keys
from mainstem.service.backfill.machine import AssetWork, Reading
from mainstem.state import BackfillAsset, BackfillLaunch, partition_failures
from mainstem.types import AssetKey


def partitioned_graph(project: Project) -> Graph:
    """Give the project's graph with the keys that dynamic partitions have now."""
    return with_partition_keys(project.graph, project.services.database)


def works_of(
    graph: Graph,
    assets: Sequence[BackfillAsset],
    launches: Sequence[BackfillLaunch],
    *,
    now: datetime,
) -> dict[AssetKey, AssetWork]:
    """Read how far a backfill is, in building order.

    Raises:
        AssetNotFound: An asset is not in the project any more, or has no partitions now.
        SelectionInvalid: Its partitions are others now.
    """
    flying: dict[str, PartitionSet] = {}
    known = {stored.key.folded: stored.key for stored in assets}
    for launch in launches:
        some = stored_set(graph, known[launch.asset], launch.partitions)
        before = flying.get(launch.asset)
        flying[launch.asset] = some if before is None else before | some
    found: dict[AssetKey, AssetWork] = {}
    for stored in assets:
        asset = partitioned(graph, stored.key)
        target = stored_set(graph, stored.key, stored.target)
        found[asset.key] = AssetWork(
            key=asset.key,
            target=target,
            done=stored_set(graph, stored.key, stored.done),
            failed=stored_set(graph, stored.key, stored.failed),
            flying=flying.get(stored.key.folded, target - target),
            existing=existing(asset, now),
            batch=asset.partitions.batch if asset.partitions is not None else 1,
            reads=_readings(graph, asset, found, now),
            measured_s=stored.measured_s,
            measured_count=stored.measured_count,
        )
    return found


def stored_set(graph: Graph, key: AssetKey, text: str) -> PartitionSet:
    """Read a set that was stored; partitions that there are no more are left out."""
    asset = partitioned(graph, key)
    assert asset.partitions is not None, "just looked at"
    return PartitionSet.parse(text, asset.partitions.definition, is_stored=True)


def stored_asset(work: AssetWork, position: int) -> BackfillAsset:
    """Write how far an asset is."""
    return BackfillAsset(
        key=work.key,
        position=position,
        target=work.target.text(is_stored=True),
        done=work.done.text(is_stored=True),
        failed=work.failed.text(is_stored=True),
        measured_s=work.measured_s,
        measured_count=work.measured_count,
    )


def targets_of(
    project: Project,
    transaction: Transaction,
    keys: Sequence[AssetKey],
    *,
    partitions: str,
    missing: bool,
    failed: bool,
    now: datetime,
) -> dict[AssetKey, PartitionSet]:
    """Say which partitions a backfill is to build.

    The range is of the assets on top; those below are built for what reads any of it, in their own
    partitions. Then each is narrowed to what is missing or failed of it, if that is asked.

    Args:
        project: Where.
        transaction: Open, for failures.
        keys: Assets, in building order; those without partitions are left out.
        partitions: A range as text; empty for all that there are.
        missing: Only those that the branch does not have.
        failed: Only those whose last attempt failed; both: either.
        now: How far partitions go.

    Raises:
        SelectionInvalid: None of the assets has partitions, or the range cannot be read.
    """
    graph = partitioned_graph(project)
    found = _in_range(graph, keys, partitions, now)
    if not found:
        raise SelectionInvalid(
            "A6410",
            "None of the selected assets has partitions, so there is nothing to fill.",
            hint="See which have: mainstem show ASSET. Without partitions: mainstem run",
        )
    if not (missing or failed):
        return found
    return {
        key: some & _wanted(project, transaction, graph, key, missing=missing, failed=failed)
        for key, some in found.items()
    }


def _in_range(
    graph: Graph, keys: Sequence[AssetKey], partitions: str, now: datetime
) -> dict[AssetKey, PartitionSet]:
    found: dict[AssetKey, PartitionSet] = {}
    for key in keys:
        asset = graph.effective[key]
        if asset.partitions is None:
            continue
        above = [source for source in asset.inputs if source in found]
        whole = existing(asset, now)
        if not above:
            definition = asset.partitions.definition
            found[key] = (
                PartitionSet.parse(partitions, definition, within=whole) & whole
                if partitions
                else whole
            )
            continue
        found[key] = whole - whole
        for source in above:
            mapping = mapping_to(asset, source, graph.effective[source])
            assert mapping is not None, "partitions of both sides relate"
            there = existing(graph.effective[source], now)
            found[key] |= mapping.downstream(found[source], whole, there)
    return found


def built_set(project: Project, graph: Graph, key: AssetKey) -> PartitionSet:
    """Give the partitions that the project's branch has of an asset."""
    asset = partitioned(graph, key)
    assert asset.partitions is not None, "just looked at"
    definition = asset.partitions.definition
    entry = project.lake.entry(key, project.reading_ref)
    parts = () if entry is None else parts_of(entry.provenance, definition)
    return union_of_parts(parts, definition)


def partitioned(graph: Graph, key: AssetKey) -> Asset:
    """Find an asset that has partitions.

    Raises:
        AssetNotFound: There is none, or it has no partitions.
    """
    asset = graph.effective.get(key)
    if asset is None or asset.partitions is None:
        what = "is not in the project" if asset is None else "has no partitions"
        raise AssetNotFound(
            "A6411",
            f"{key} {what} any more, so its backfill cannot go on.",
            hint="Bring it back, then: mainstem backfill resume ID; or cancel the backfill.",
        )
    return asset


def existing(asset: Asset, now: datetime) -> PartitionSet:
    """Give the partitions that an asset has by now."""
    assert asset.partitions is not None, "asked only for partitioned assets"
    return PartitionSet.existing(asset.partitions.definition, now)


def _wanted(
    project: Project,
    transaction: Transaction,
    graph: Graph,
    key: AssetKey,
    *,
    missing: bool,
    failed: bool,
) -> PartitionSet:
    asset = graph.effective[key]
    assert asset.partitions is not None, "asked only for partitioned assets"
    definition = asset.partitions.definition
    found = PartitionSet(definition)
    if missing:
        found |= existing(asset, project.clock.now()) - built_set(project, graph, key)
    if failed:
        failures = partition_failures(transaction, key, branch=project.branch)
        text = ",".join(failure.partition for failure in failures)
        found |= PartitionSet.parse(text, definition, is_stored=True)
    return found


def _readings(
    graph: Graph, asset: Asset, known: Mapping[AssetKey, AssetWork], now: datetime
) -> tuple[Reading, ...]:
    found = []
    for key in asset.inputs:
        if key in known:
            source = graph.effective[key]
            mapping = mapping_to(asset, key, source)
            assert mapping is not None, "partitions of both sides relate"
            found.append(Reading(key=key, mapping=mapping, existing=existing(source, now)))
    return tuple(found)
