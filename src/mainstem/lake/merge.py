# SPDX-License-Identifier: Apache-2.0
"""Three-way merges of branches: what differs is found by hash, each key is decided by `merge_key`.

A merge always makes a commit of its own on the target, so that the log of a branch reads as what
was done to it, and one revert takes a merge back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import field, replace
from typing import Any, Protocol

from mainstem.database import Transaction
from mainstem.errors import BranchConflict, UserError
from mainstem.lake.catalog import Catalog
from mainstem.lake.commit import merge_bases
from mainstem.lake.content import (
    data_version,
    is_cursor,
    load_entry,
    relations,
    slots_of,
)
from mainstem.lake.draft import Draft, done_between
from mainstem.lake.merge_base import common_root
from mainstem.lake.merge_key import Findings, KeyMerge, Sides
from mainstem.lake.merge_rows import Outcome, RowMerge, Versions, carry_out, discard
from mainstem.lake.ref import find_ref, head_of, is_sealed
from mainstem.lake.revision import resolve
from mainstem.lake.trie import Difference
from mainstem.lake.values import Commit, Entry, MergeResult, OnConflict
from mainstem.lake.writing import advance, writable
from mainstem.types import AssetKey, dataclass

_LOSSES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Merging:
    """What is to be merged, and how."""

    source: str
    into: str
    message: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    on_conflict: OnConflict = "fail"


class Transactions(Protocol):
    """What a merge needs of the lake."""

    def writing(
        self, transaction: Transaction | None = None, *, durable: bool = False
    ) -> AbstractContextManager[Catalog]:
        """Open the catalog for writing."""
        ...

    def is_protected(self, branch: str, transaction: Transaction | None) -> bool:
        """Tell whether a write to a branch has to survive power loss."""
        ...


def merge(
    lake: Transactions,
    merging: Merging,
    *,
    gates: Callable[[MergeResult], None] | None = None,
    transaction: Transaction | None = None,
    dry_run: bool = False,
) -> MergeResult:
    """Merge, let gates judge the merged state outside of the lock, then move the branch.

    Raises:
        BranchConflict: A branch is sealed, or the target moved three times under the gates.
    """
    outcomes: dict[Versions, Outcome] = {}
    try:
        return _merge(lake, merging, outcomes, gates, transaction, dry_run=dry_run)
    finally:
        if dry_run:
            discard(outcomes.values())


def _merge(
    lake: Transactions,
    merging: Merging,
    outcomes: dict[Versions, Outcome],
    gates: Callable[[MergeResult], None] | None,
    transaction: Transaction | None,
    *,
    dry_run: bool,
) -> MergeResult:
    losses = 0
    while losses < _LOSSES:
        with _transaction(lake, merging, transaction, dry_run=dry_run) as catalog:
            result, pending = _prepare(catalog, merging, outcomes)
            while pending and transaction is not None:
                outcomes.update((one.versions, carry_out(one)) for one in pending)
                result, pending = _prepare(catalog, merging, outcomes)
            if not pending and (result.commit is None or gates is None or transaction is not None):
                if result.commit is not None and not dry_run:
                    if gates is not None:
                        gates(result)
                    _move(catalog, merging.into, result.commit)
                return _told(result, dry_run=dry_run)
        if pending:
            outcomes.update((one.versions, carry_out(one)) for one in pending)
            continue
        if dry_run or gates is None or result.commit is None:
            return _told(result, dry_run=dry_run)
        gates(result)
        with lake.writing(durable=lake.is_protected(merging.into, None)) as catalog:
            if _move(catalog, merging.into, result.commit):
                return result
        losses += 1
    raise BranchConflict(
        "A5035",
        f"`{merging.into}` moved {_LOSSES} times while the merge was being checked.",
        hint="Nothing was changed; merge again when it is quieter.",
    )


@contextmanager
def _transaction(
    lake: Transactions, merging: Merging, transaction: Transaction | None, *, dry_run: bool
) -> Iterator[Catalog]:
    if dry_run and transaction is None:
        with suppress(_DryRunOver), lake.writing() as catalog:
            yield catalog
            raise _DryRunOver
    else:
        durable = lake.is_protected(merging.into, transaction)
        with lake.writing(transaction, durable=durable) as catalog:
            yield catalog


class _DryRunOver(Exception):
    """What a dry run wrote to find out is taken back."""


def _move(catalog: Catalog, into: str, commit: Commit) -> bool:
    ref = writable(catalog, into, is_direct=False)
    if ref.commit_id != commit.parents[0]:
        return False
    advance(catalog, ref, commit, why="merge")
    return True


def _told(result: MergeResult, *, dry_run: bool) -> MergeResult:
    return replace(result, commit=None) if dry_run else result


def _prepare(
    catalog: Catalog, merging: Merging, outcomes: dict[Versions, Outcome]
) -> tuple[MergeResult, list[RowMerge]]:
    """Write the commit of a merge, or find conflicts, or rows to read; the ref is not moved."""
    source, into = merging.source, merging.into
    if source == into:
        raise UserError("A5034", f"`{into}` cannot be merged into itself.")
    from_ref = find_ref(catalog, source)
    if from_ref is not None and from_ref.sealed:
        raise is_sealed(source)
    ours = head_of(catalog, writable(catalog, into, is_direct=False))
    theirs = resolve(catalog, source)
    bases = merge_bases(catalog, ours, theirs)
    if bases == [theirs]:
        return MergeResult(commit=None, notes=(f"`{into}` has all of `{source}` already",)), []
    draft, findings = Draft(catalog, ours), Findings(outcomes=outcomes)
    _merge_keys(draft, findings, bases, theirs, on_conflict=merging.on_conflict)
    if findings.conflicts or findings.pending:
        return _result(None, findings, stale=()), findings.pending
    stale = _stale(catalog, ours.root, draft.root(), findings.kept)
    told = {
        "merged_from": source,
        "merged_commit": theirs.id,
        "stale": [str(key) for key in stale],
        **merging.meta,
    }
    commit = draft.write(
        message=merging.message or f"merge {source} into {into}{_some(findings.merged)}",
        meta=told,
        parents=(theirs,),
    )
    return _result(commit, findings, stale=stale), []


def _some(keys: Sequence[AssetKey]) -> str:
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    names = ", ".join(map(str, keys[:3]))
    return f": {names}{more}" if names else ""


def _merge_keys(
    draft: Draft,
    findings: Findings,
    bases: Sequence[Commit],
    theirs: Commit,
    *,
    on_conflict: OnConflict,
) -> None:
    catalog, ours = draft.catalog, draft.head
    base = common_root(catalog, bases)
    their_changes = catalog.tries.diff(base, theirs.root)
    our_changes = catalog.tries.diff(base, ours.root)
    decide = KeyMerge(
        draft,
        findings,
        our_done=done_between(catalog, bases, ours),
        their_done=done_between(catalog, bases, theirs),
        on_conflict=on_conflict,
    )
    for key in _keys(catalog, their_changes):
        table, cursor = (
            _sides(catalog, slot, base, our_changes, their_changes) for slot in slots_of(key)
        )
        decide.merge(key, table, cursor)


def _keys(catalog: Catalog, changes: Difference) -> list[AssetKey]:
    found: dict[AssetKey, None] = {}
    for slot in sorted(changes, key=is_cursor):
        before, after = changes[slot]
        content_hash = after or before
        if content_hash is not None:
            found[load_entry(catalog, content_hash).key] = None
    return sorted(found)


def _sides(catalog: Catalog, slot: str, base: str, ours: Difference, theirs: Difference) -> Sides:
    if slot in theirs:
        before = theirs[slot][0]
    elif slot in ours:
        before = ours[slot][0]
    else:
        before = catalog.tries.find(base, slot)
    return Sides(
        base=_entry(catalog, before),
        ours=_entry(catalog, ours[slot][1] if slot in ours else before),
        theirs=_entry(catalog, theirs[slot][1] if slot in theirs else before),
    )


def _entry(catalog: Catalog, content_hash: str | None) -> Entry | None:
    return None if content_hash is None else load_entry(catalog, content_hash)


def _stale(
    catalog: Catalog, ours_root: str, merged_root: str, kept: list[AssetKey]
) -> tuple[AssetKey, ...]:
    """Find derived assets that were built from other versions than the merged state has."""
    before, after = relations(catalog, ours_root), relations(catalog, merged_root)
    merged, old = _Versions(catalog, merged_root), _Versions(catalog, ours_root)
    found = {key: None for key in kept if key in after}
    for key, entry in after.items():
        if entry.kind != "table" or not entry.provenance.inputs:
            continue
        if merged.are_other_than(entry.provenance.inputs) and not (
            # Stale already, and not by this merge.
            before.get(key) == entry and old.are_other_than(entry.provenance.inputs)
        ):
            found[key] = None
    return tuple(sorted(found))


class _Versions:
    """Data versions at one root, each looked up once."""

    __slots__ = ("_catalog", "_known", "_root")

    def __init__(self, catalog: Catalog, root: str) -> None:
        self._catalog = catalog
        self._root = root
        self._known: dict[str, str | None] = {}

    def are_other_than(self, recorded: Mapping[str, str]) -> bool:
        """Tell whether an input has another version now; inputs that are gone do not count."""
        for name, version in recorded.items():
            if name not in self._known:
                self._known[name] = data_version(self._catalog, self._root, AssetKey.parse(name))
            now = self._known[name]
            if now is not None and now != version:
                return True
        return False


def _result(
    commit: Commit | None, findings: Findings, *, stale: tuple[AssetKey, ...]
) -> MergeResult:
    return MergeResult(
        commit=commit,
        merged=tuple(findings.merged),
        conflicts=tuple(findings.conflicts),
        stale=stale,
        notes=tuple(findings.notes),
    )
