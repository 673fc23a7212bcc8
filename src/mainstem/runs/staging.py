# SPDX-License-Identifier: Apache-2.0
"""From what a step produced to what is committed for it: provenance, versions, records. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime

from mainstem.errors import InternalError
from mainstem.graph import (
    Asset,
    Decision,
    Facts,
    Parts,
    VersionLookup,
    fingerprint,
    parts_version,
    record_of_parts,
    volatile_version,
)
from mainstem.lake import Entry, Intent, LinkWrite
from mainstem.runs.slicing import PartitionSlice
from mainstem.runs.step import StepOutcome
from mainstem.state import StoredVersion
from mainstem.types import (
    AssetKey,
    Change,
    CursorWrite,
    Provenance,
    TableWrite,
    ViewWrite,
    dataclass,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One asset of a step with all that its provenance says."""

    asset: Asset
    """Effective."""
    decision: Decision
    inputs: Mapping[AssetKey, str]
    before: Entry | None
    """What the run's base has."""
    slice: PartitionSlice | None = None
    """Partitions that the step builds."""
    linked_from: str = ""
    """Commit that those are taken over from."""
    parts: Parts = ()
    """What all partitions of the table come from, once the step's are staged."""
    begins: bool = False
    """It is the first step of this run to write to a table that starts over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What is equal for all that one run stages."""

    run_id: int
    branch: str
    now: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Staged:
    """What one step commits."""

    changes: list[Intent] = field(default_factory=list)
    versions: list[StoredVersion] = field(default_factory=list)
    settled: dict[AssetKey, str] = field(default_factory=dict)
    """Data versions of tables from now on."""
    defined: list[Asset] = field(default_factory=list)
    """Views that have a new definition."""
    keys: list[AssetKey] = field(default_factory=list)
    """All that publishing has to move."""


def stage_outcome(
    outcome: StepOutcome, works: Sequence[Work], *, facts: Facts, stamp: Stamp
) -> Staged:
    """Complete the changes of a successful attempt.

    Raises:
        InternalError: The step changed an asset that is not its own.
    """
    staged = Staged()
    by_key = {work.asset.key: work for work in works}
    for change in outcome.changes:
        if change.key not in staged.keys:
            staged.keys.append(change.key)
        if isinstance(change, CursorWrite):
            staged.changes.append(change)
            continue
        work = by_key.get(change.key)
        if work is None:
            staged.changes.append(_side_change(change, works, stamp))
            continue
        provenance = _provenance(change, work, stamp)
        written = replace(change, provenance=provenance)
        if work.begins and isinstance(written, TableWrite):
            written = replace(written, operation="overwrite")
        staged.changes.append(written)
        rows = outcome.rows.get(change.key, 0)
        operation = written.operation if isinstance(written, TableWrite) else "view"
        _record(staged, work, provenance, operation=operation, rows=rows, facts=facts, stamp=stamp)
    changed = {change.key for change in outcome.changes if not isinstance(change, CursorWrite)}
    for work in works:
        if work.asset.key not in changed:
            _confirm(staged, work, stamp)
    return staged


def stage_links(
    links: Mapping[AssetKey, Entry],
    works: Sequence[Work],
    *,
    facts: Facts,
    stamp: Stamp,
    beside: Mapping[AssetKey, Sequence[Intent]] | None = None,
) -> Staged:
    """Take over versions that were built elsewhere.

    Args:
        links: What to take over, by asset.
        works: What was decided about these assets.
        facts: The world.
        stamp: Of the run.
        beside: What comes along with sources: cursors, quarantined rows.
    """
    staged = Staged()
    for work in works:
        entry = links[work.asset.key]
        if work.asset.kind == "file":
            # How this version came about is recorded where it was read.
            _take_over(staged, entry, (beside or {}).get(work.asset.key, ()), stamp)
            continue
        provenance = replace(
            entry.provenance,
            fingerprint=work.decision.fingerprint,
            code_version=work.asset.code_version,
            inputs={str(key): version for key, version in work.inputs.items()},
            run_id=stamp.run_id,
        )
        staged.keys.append(work.asset.key)
        staged.changes.append(
            LinkWrite(key=work.asset.key, content=entry.content, provenance=provenance)
        )
        record = facts.record_of(work.asset.key, provenance.data_version)
        operation = record.operation if record is not None else "overwrite"
        _record(
            staged,
            work,
            provenance,
            operation=operation,
            rows=entry.row_count,
            facts=facts,
            stamp=stamp,
        )
    return staged


def _take_over(staged: Staged, entry: Entry, beside: Sequence[Intent], stamp: Stamp) -> None:
    provenance = replace(entry.provenance, run_id=stamp.run_id)
    link = LinkWrite(key=entry.key, content=entry.content, provenance=provenance)
    staged.changes.extend((link, *beside))
    staged.keys.extend(dict.fromkeys(change.key for change in (link, *beside)))
    staged.settled[entry.key] = provenance.data_version


def view_records(
    keys: Iterable[AssetKey], lookup: VersionLookup, stamp: Stamp
) -> list[StoredVersion]:
    """Record the versions of views that were read, and of views below them.

    Later increments ask whether what they read was only appended to; for a view that means to
    know what the view read then.
    """
    found: dict[AssetKey, StoredVersion] = {}
    pending = list(keys)
    while pending:
        key = pending.pop()
        record = None if key in found else lookup.derived_record(key)
        if record is None:
            continue
        found[key] = StoredVersion(
            key=key,
            version=record.version,
            run_id=stamp.run_id,
            operation="view",
            code_version=record.code_version,
            inputs=record.inputs,
            branch=stamp.branch,
            created_at=stamp.now,
        )
        pending.extend(AssetKey.parse(name) for name in record.inputs)
    return list(found.values())


def _provenance(change: TableWrite | ViewWrite, work: Work, stamp: Stamp) -> Provenance:
    given = change.provenance
    if work.slice is not None:
        return _of_partitions(given, work, stamp)
    is_ingested = given.origin == "ingested" and bool(given.data_version)
    mark = work.decision.fingerprint or fingerprint(work.asset.code_version, work.inputs)
    if is_ingested:
        version = given.data_version
    elif not work.asset.is_repeatable or work.asset.kind == "file":
        version = volatile_version(mark, stamp.run_id)
    else:
        version = work.decision.version or mark
    return replace(
        given,
        data_version=version,
        fingerprint="" if is_ingested else mark,
        code_version=work.asset.code_version,
        inputs={str(key): value for key, value in work.inputs.items()},
        run_id=stamp.run_id,
    )


def _of_partitions(given: Provenance, work: Work, stamp: Stamp) -> Provenance:
    """Say where a table comes from whose partitions came one by one.

    Inputs that are partitioned themselves count partition by partition, not as a whole.
    """
    version = parts_version(work.parts)
    mapped = {name for part in work.parts for name in part.inputs}
    whole = {
        key: value
        for key, value in work.inputs.items()
        if key.folded not in mapped
        or any(part.inputs.get(key.folded) == value for part in work.parts)
    }
    return replace(
        given,
        data_version=version,
        fingerprint=version,
        code_version=work.asset.code_version,
        inputs={str(key): value for key, value in whole.items()},
        run_id=stamp.run_id,
        partitions=record_of_parts(work.parts),
    )


def _side_change(change: Change, works: Sequence[Work], stamp: Stamp) -> Change:
    """Complete a change of a table beside the outputs: rows that were quarantined."""
    if isinstance(change, CursorWrite):
        return change
    owner = next(
        (work for work in works if change.key.folded.startswith(f"{work.asset.key.folded}__")),
        works[0],
    )
    given = change.provenance
    mark = owner.decision.fingerprint or fingerprint(owner.asset.code_version, owner.inputs)
    version = given.data_version or volatile_version(f"{mark}/{change.key.folded}", stamp.run_id)
    return replace(
        change,
        provenance=replace(
            given,
            data_version=version,
            code_version=given.code_version or owner.asset.code_version,
            run_id=stamp.run_id,
        ),
    )


def _record(
    staged: Staged,
    work: Work,
    provenance: Provenance,
    *,
    operation: str,
    rows: int,
    facts: Facts,
    stamp: Stamp,
) -> None:
    key = work.asset.key
    if operation == "view":
        staged.defined.append(work.asset)
        return
    staged.settled[key] = provenance.data_version
    before = work.before.provenance if work.before is not None else None
    is_onto = operation not in {"overwrite", "view"} and before is not None
    staged.versions.append(
        StoredVersion(
            key=key,
            version=provenance.data_version,
            run_id=stamp.run_id,
            parent=before.data_version if is_onto and before is not None else "",
            operation=operation,
            fingerprint=provenance.fingerprint,
            code_version=work.asset.code_version,
            inputs=provenance.inputs,
            is_uniform=not is_onto or _stays_uniform(work, facts),
            branch=stamp.branch,
            row_count=rows,
            created_at=stamp.now,
            expires_at=stamp.expires_at,
        )
    )


def _stays_uniform(work: Work, facts: Facts) -> bool:
    if work.before is None:
        return True
    before = work.before.provenance
    record = facts.record_of(work.asset.key, before.data_version)
    was_uniform = record is not None and record.is_uniform
    return was_uniform and before.code_version == work.asset.code_version


def _confirm(staged: Staged, work: Work, stamp: Stamp) -> None:
    """Note that inputs or code changed and the rows did not: so the next plan knows.

    The data version stays, so nothing downstream is built again; only what was derived has a
    fingerprint to confirm.
    """
    before = work.before
    mark = work.decision.fingerprint
    if before is None or before.kind != "table" or not mark or not work.asset.is_repeatable:
        return
    if before.provenance.origin == "ingested" or before.provenance.fingerprint == mark:
        return
    provenance = replace(
        before.provenance,
        fingerprint=mark,
        code_version=work.asset.code_version,
        inputs={str(key): value for key, value in work.inputs.items()},
        run_id=stamp.run_id,
    )
    staged.keys.append(work.asset.key)
    staged.changes.append(
        LinkWrite(key=work.asset.key, content=before.content, provenance=provenance)
    )


def check_owned(outcome: StepOutcome, works: Sequence[Work]) -> None:
    """Make sure that a step writes nothing but its outputs and tables named after them.

    Raises:
        InternalError: It does.
    """
    own = [work.asset.key.folded for work in works]
    for change in outcome.changes:
        folded = change.key.folded
        if not any(folded == name or folded.startswith(f"{name}__") for name in own):
            raise InternalError(
                "A9020", f"the step of {works[0].asset.key} changed {change.key}, not its own."
            )
