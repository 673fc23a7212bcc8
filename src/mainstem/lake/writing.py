# SPDX-License-Identifier: Apache-2.0
"""Moving branches: commit and publish, each rebased on the head within one write transaction.

Merges are in `merge`, reverts in `revert`; all go through `writable` and `advance`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mainstem.errors import BranchConflict, UserError
from mainstem.lake.catalog import Catalog
from mainstem.lake.commit import merge_bases
from mainstem.lake.content import are_equal, find_entry, load_state, missing, slot_of, table_entry
from mainstem.lake.draft import Done, Draft, done_between
from mainstem.lake.intent import apply_intent
from mainstem.lake.merge_base import common_root
from mainstem.lake.ref import head_of, load_open, load_ref, move_branch
from mainstem.lake.table_apply import relink
from mainstem.lake.table_merge import merge_states
from mainstem.lake.table_state import TableConflict
from mainstem.lake.values import Commit, Conflict, Entry, EntryKind, Intent, Ref, conflict_error
from mainstem.lake.version import JoinPartitions, merged_provenance
from mainstem.types import AssetKey, Provenance

_KINDS: tuple[EntryKind, ...] = ("table", "cursor")


def writable(catalog: Catalog, branch: str, *, is_direct: bool) -> Ref:
    """Look up a branch that is to be moved.

    Args:
        catalog: Within the write transaction.
        branch: Its name.
        is_direct: A plain commit, which protected branches refuse.

    Raises:
        RefNotFound: There is no such branch.
        BranchConflict: It is sealed, or protected against direct writes.
    """
    ref = load_open(catalog, branch)
    if ref.protected and is_direct:
        raise BranchConflict(
            "A5033",
            f"The branch `{branch}` is protected: it takes publish, merge and revert only.",
            hint="Write to a branch of your own and merge it: mainstem branch NAME.",
        )
    return ref


def advance(catalog: Catalog, ref: Ref, commit: Commit, *, why: str) -> Commit:
    """Let a branch point to a commit that was made for it."""
    if commit.id != ref.commit_id:
        move_branch(catalog, ref, commit, why=why)
    return commit


def commit(
    catalog: Catalog,
    branch: str,
    changes: Sequence[Intent],
    *,
    message: str,
    author: str = "",
    meta: Mapping[str, Any] | None = None,
    allow_protected: bool = False,
) -> Commit:
    """Apply intents to a branch's head and move it, all or nothing.

    Raises:
        BranchConflict: An intent does not commute with what happened since, or the branch refuses.
        RefNotFound: There is no such branch.
    """
    ref = writable(catalog, branch, is_direct=not allow_protected)
    draft = Draft(catalog, head_of(catalog, ref))
    for change in changes:
        apply_intent(draft, change)
    return advance(
        catalog, ref, draft.write(message=message, author=author, meta=meta), why="commit"
    )


def publish(
    catalog: Catalog,
    source: str,
    into: str,
    keys: Collection[AssetKey],
    *,
    message: str,
    author: str = "",
    meta: Mapping[str, Any] | None = None,
    join: JoinPartitions | None = None,
) -> Commit:
    """Move some keys of a run's branch to another branch, in one commit.

    The run's inner commits fold into it. If `into` moved since the run began, what the run did to
    each key is rebased: appends onto appends, a full rebuild onto anything. Partitions of one table
    that both changed are told apart by `join`.

    Raises:
        BranchConflict: What the run did does not commute with what happened since.
        AssetNotFound: The run's branch has no such key, and had none.
        RefNotFound: A branch does not exist.
    """
    if source == into:
        raise UserError("A5034", f"`{into}` cannot be published into itself.")
    ref = writable(catalog, into, is_direct=False)
    head = head_of(catalog, ref)
    theirs = head_of(catalog, load_ref(catalog, source, kind="branch"))
    draft = Draft(catalog, head)
    publishing = _Publishing(draft, merge_bases(catalog, head, theirs), theirs, join)
    for key in dict.fromkeys(keys):
        publishing.move(key)
    if publishing.conflicts:
        raise conflict_error(tuple(publishing.conflicts), what=f"Publishing to `{into}`")
    told = {"published_from": source, "published_commit": theirs.id, **(meta or {})}
    return advance(
        catalog, ref, draft.write(message=message, author=author, meta=told), why="publish"
    )


class _Publishing:
    """One publish: three roots, and what was done on both ways from the base."""

    __slots__ = (
        "_base",
        "_bases",
        "_draft",
        "_join",
        "_ours",
        "_their_done",
        "_theirs",
        "conflicts",
    )

    def __init__(
        self, draft: Draft, bases: Sequence[Commit], theirs: Commit, join: JoinPartitions | None
    ) -> None:
        self._join = join
        self._draft = draft
        self._bases = bases
        self._base = common_root(draft.catalog, bases)
        self._theirs = theirs
        self._their_done = done_between(draft.catalog, bases, theirs)
        self._ours: dict[str, Done] | None = None
        self.conflicts: list[Conflict] = []

    def move(self, key: AssetKey) -> None:
        """Move a key's table or view, and its cursor."""
        catalog = self._draft.catalog
        found = False
        for kind in _KINDS:
            theirs = find_entry(catalog, self._theirs.root, key, kind)
            base = find_entry(catalog, self._base, key, kind)
            found = found or theirs is not None or base is not None
            if theirs != base:
                self._move(key, kind, base, theirs)
        if not found:
            raise missing(catalog, self._theirs, key)

    def _move(
        self, key: AssetKey, kind: EntryKind, base: Entry | None, theirs: Entry | None
    ) -> None:
        draft = self._draft
        ours = draft.find(key, kind)
        done = self._their_done.get(slot_of(key, kind), Done())
        if theirs is None:
            if ours is not None:
                draft.remove(key, kind)
        elif theirs.kind == "table":
            self._move_table(base, ours, theirs, done)
        elif ours not in (base, theirs) and kind == "cursor":
            self.conflicts.append(
                Conflict(key=key, kind="cursor", message="its cursor was moved by both sides")
            )
        elif ours != theirs:
            draft.put(theirs, operations=done.operations)

    def _move_table(
        self, base: Entry | None, ours: Entry | None, theirs: Entry, done: Done
    ) -> None:
        draft, catalog = self._draft, self._draft.catalog
        if ours is not None and ours != base and are_equal(catalog, ours, theirs):
            return
        state, provenance = load_state(catalog, theirs.content), theirs.provenance
        our_state = (
            load_state(catalog, ours.content) if ours is not None and ours.kind == "table" else None
        )
        ids = draft.snapshot_ids(theirs.key)
        if ours == base or our_state is None or "overwrite" in done.operations or ours is None:
            moved = relink(state, ids=ids, manifests=catalog.objects, onto=our_state)
        else:
            merged = merge_states(
                load_state(catalog, base.content) if base and base.kind == "table" else None,
                our_state,
                state,
                self._our_done(theirs.key).operations,
                done.operations,
                ids=ids,
                manifests=catalog.objects,
            )
            if isinstance(merged, TableConflict):
                self.conflicts.append(from_table(theirs.key, merged))
                return
            moved = merged
            joined = self._joined(base, ours, theirs)
            if joined is None:
                self.conflicts.append(
                    Conflict(
                        key=theirs.key,
                        kind="partition",
                        message="had the same partitions built or deleted on both sides",
                    )
                )
                return
            provenance = joined
        draft.put(
            table_entry(catalog, theirs.key, moved, provenance),
            operations=done.operations,
            intervals=done.intervals,
        )

    def _joined(self, base: Entry | None, ours: Entry, theirs: Entry) -> Provenance | None:
        one, two = ours.provenance, theirs.provenance
        if not (one.partitions or two.partitions):
            return merged_provenance(one, two)
        before = dataclasses.replace(two, partitions=()) if base is None else base.provenance
        return None if self._join is None else self._join(theirs.key, before, two, one)

    def _our_done(self, key: AssetKey) -> Done:
        if self._ours is None:
            self._ours = done_between(self._draft.catalog, self._bases, self._draft.head)
        return self._ours.get(slot_of(key, "table"), Done())


def from_table(
    key: AssetKey, conflict: TableConflict, *, ours: str = "", theirs: str = ""
) -> Conflict:
    """Say what the table half found in the catalog's words."""
    return Conflict(
        key=key,
        kind=conflict.kind,
        message=conflict.message,
        ours=ours,
        theirs=theirs,
        columns=conflict.columns,
        partitions=conflict.partitions,
        keys=conflict.keys,
        paths=conflict.paths,
    )
