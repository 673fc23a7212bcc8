# SPDX-License-Identifier: Apache-2.0
"""Taking one commit back: its inverse on the head, as a commit of its own.

What nobody touched since goes back to what it was; from a table that went on, only the rows that
the commit brought are taken out. Called by `Lake.revert`; tombstones against rebuilding are the
run's business.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from mainstem.errors import BranchConflict, UserError
from mainstem.lake import planner
from mainstem.lake.catalog import Catalog
from mainstem.lake.commit import is_ancestor, load_commit
from mainstem.lake.content import (
    cursor_entry,
    is_cursor,
    load_cursor,
    load_entry,
    load_state,
    slot_of,
    table_entry,
)
from mainstem.lake.diff import schema_changes
from mainstem.lake.draft import Draft, done_between
from mainstem.lake.ref import head_of
from mainstem.lake.revision import resolve
from mainstem.lake.table_apply import apply, relink, united_schemas, united_specs
from mainstem.lake.table_state import TableState
from mainstem.lake.values import Commit, Conflict, Entry
from mainstem.lake.version import JoinPartitions, derived_version
from mainstem.lake.writing import advance, writable
from mainstem.types import AssetKey, DataFile, Provenance, TableWrite


def revert(
    catalog: Catalog,
    branch: str,
    commit_expression: str,
    *,
    keep_cursors: bool = False,
    join: JoinPartitions | None = None,
    message: str = "",
    author: str = "",
    meta: Mapping[str, Any] | None = None,
) -> Commit:
    """Commit the inverse of a commit, of a merge that of what it brought to its first parent.

    Args:
        catalog: Within a write transaction.
        branch: Whose head it is applied to.
        commit_expression: The commit; must be in the branch's history.
        keep_cursors: Leave replication positions, so that the source is not read again.
        join: Tells where tables with partitions come from then; without it, such a table is only
            taken back whole.
        message: Of the new commit; empty: says what was reverted.
        author: Of the new commit.
        meta: Of the new commit; `reverted` and `reverted_versions` come on top.

    Raises:
        BranchConflict: Rows that the commit brought were rewritten since.
        UserError: The commit is the first one, or not in the history.
    """
    ref = writable(catalog, branch, is_direct=False)
    head = head_of(catalog, ref)
    target = resolve(catalog, commit_expression)
    _check(catalog, branch, head, target)
    before = load_commit(catalog, target.parents[0])
    reverting = _Reverting(Draft(catalog, head), target, keep_cursors=keep_cursors, join=join)
    for slot, (old, new) in sorted(catalog.tries.diff(before.root, target.root).items()):
        reverting.take_back(
            slot,
            None if old is None else load_entry(catalog, old),
            None if new is None else load_entry(catalog, new),
        )
    if reverting.conflicts:
        raise _refused(target, reverting.conflicts)
    told = {
        "reverted": target.id,
        "reverted_versions": reverting.versions,
        "kept": [str(key) for key in reverting.kept],
        **(meta or {}),
    }
    commit = reverting.draft.write(
        message=message or f"revert {target.short_id}: {target.message}",
        author=author,
        meta=told,
        is_event=True,
    )
    return advance(catalog, ref, commit, why="revert")


def _refused(target: Commit, conflicts: list[Conflict]) -> BranchConflict:
    names = ", ".join(str(conflict.key) for conflict in conflicts[:5])
    return BranchConflict(
        "A5040",
        f"{target.short_id} cannot be taken back, because of {names}: {conflicts[0].message}.",
        hint="Nothing was changed. Revert the later commits first, newest to oldest.",
        details="\n".join(f"{conflict.key}: {conflict.message}" for conflict in conflicts),
    )


def _check(catalog: Catalog, branch: str, head: Commit, target: Commit) -> None:
    if not target.parents:
        raise UserError(
            "A5041",
            f"The commit {target.short_id} is the lake's first and cannot be reverted.",
            hint="There is nothing before it.",
        )
    if not is_ancestor(catalog, head, target):
        raise UserError(
            "A5042",
            f"The commit {target.short_id} is not in the history of `{branch}`, so there is "
            "nothing to revert there.",
            hint=f"`mainstem log --branch {branch}` lists its commits.",
        )


class _Reverting:
    """One revert: the draft, and what could not be taken back."""

    __slots__ = ("_join", "_keep_cursors", "_target", "conflicts", "draft", "kept", "versions")

    def __init__(
        self, draft: Draft, target: Commit, *, keep_cursors: bool, join: JoinPartitions | None
    ) -> None:
        self.draft = draft
        self._target = target
        self._keep_cursors = keep_cursors
        self._join = join
        self.conflicts: list[Conflict] = []
        self.kept: list[AssetKey] = []
        """Tables of which nothing that the commit brought is left."""
        self.versions: dict[str, str] = {}
        """The data version that was taken back, by key: what a run must not bring back."""

    def take_back(self, slot: str, old: Entry | None, new: Entry | None) -> None:
        """Undo the change from `old` to `new` of one place."""
        some = old or new
        assert some is not None, "a difference has two sides that differ"
        key = some.key
        now = self.draft.find(key, some.kind)
        if is_cursor(slot):
            if not self._keep_cursors:
                self._take_back_cursor(key, old, new, now)
            return
        if new is not None and new.kind == "table":
            self.versions[str(key)] = new.provenance.data_version
        if now == new or (now is not None and new is not None and now.content == new.content):
            self._restore(key, old, now)
        else:
            self._take_out(key, old, new, now)

    def _restore(self, key: AssetKey, old: Entry | None, now: Entry | None) -> None:
        draft, catalog = self.draft, self.draft.catalog
        if old is None:
            if now is not None:
                draft.remove(key)
        elif old.kind != "table":
            draft.put(old, operations=("view",))
        else:
            onto = now is not None and now.kind == "table"
            state = relink(
                load_state(catalog, old.content),
                ids=draft.snapshot_ids(key),
                manifests=catalog.objects,
                onto=load_state(catalog, now.content) if now is not None and onto else None,
            )
            draft.put(table_entry(catalog, key, state, old.provenance), operations=("overwrite",))

    def _take_out(
        self, key: AssetKey, old: Entry | None, new: Entry | None, now: Entry | None
    ) -> None:
        """Take the rows out that the commit brought, and put those back that it removed."""
        tables = [entry for entry in (old, new, now) if entry is not None]
        if new is None or now is None or any(entry.kind != "table" for entry in tables):
            self._clash(key, "it was dropped, defined anew or made again since")
            return
        catalog = self.draft.catalog
        was = _files(catalog, old)
        became = _files(catalog, new)
        state = load_state(catalog, now.content)
        files = _files(catalog, now)
        brought = [path for path in became if path not in was]
        left = [path for path in brought if path in files]
        if not left and self._was_replaced(key):
            self.kept.append(key)
            return
        if len(left) < len(brought):
            self._clash(key, "some of the rows that the commit brought were rewritten since")
            return
        removed = [file for path, file in was.items() if path not in became]
        if old is None:
            self._clash(key, "the commit made it, and other rows came since")
            return
        newer = [file for path, file in files.items() if path not in became]
        if _may_share_keys(state, removed, newer):
            self._clash(key, "rows that came since may have the keys of rows that it would restore")
            return
        before, after = load_state(catalog, old.content), load_state(catalog, new.content)
        changes = schema_changes(before.schema, after.schema)
        if any(change.change != "added" for change in changes) or not (brought or removed):
            self._clash(key, "the commit changed its columns, and the table went on since")
            return
        provenance = self._provenance(old, new, now)
        if provenance is None:
            self._clash(key, "partitions of it that the commit changed were built again since")
            return
        # What comes back may have been written with schemas and layouts that are not in use now.
        whole = dataclasses.replace(
            state,
            schemas=united_schemas(state.schemas, before.schemas),
            specs=united_specs(state.specs, before.specs),
        )
        self._invert(dataclasses.replace(now, provenance=provenance), whole, brought, removed)

    def _provenance(self, old: Entry, new: Entry, now: Entry) -> Provenance | None:
        """Say where a table comes from without the commit; nothing if that cannot be told."""
        was, became, is_now = (entry.provenance for entry in (old, new, now))
        if was.partitions or became.partitions or is_now.partitions:
            # Which rows belong to which partition is not known here: one that was built again
            # would have its former rows beside the new ones.
            return self._join(now.key, became, is_now, was) if self._join else None
        version = derived_version("revert", is_now.data_version, self._target.id)
        return dataclasses.replace(is_now, data_version=version, fingerprint="")

    def _invert(
        self, now: Entry, state: TableState, brought: list[str], removed: list[DataFile]
    ) -> None:
        draft, catalog, provenance = self.draft, self.draft.catalog, now.provenance
        write = TableWrite(
            key=now.key,
            operation="delete",
            provenance=provenance,
            schema=state.schema,
            spec=state.spec,
            table_id=state.table_id,
            added=tuple(removed),
            removed=tuple(brought),
        )
        reverted = apply(state, write, ids=draft.snapshot_ids(now.key), manifests=catalog.objects)
        draft.put(table_entry(catalog, now.key, reverted, provenance), operations=("delete",))

    def _was_replaced(self, key: AssetKey) -> bool:
        done = done_between(self.draft.catalog, [self._target], self.draft.head)
        found = done.get(slot_of(key, "table"))
        if found is None:
            return False
        # Rows that were copied to another file before may live on after single partitions went.
        copied = found.operations & {"upsert", "delete", "compact"}
        return "overwrite" in found.operations or (
            "replace_partitions" in found.operations and not copied
        )

    def _take_back_cursor(
        self, key: AssetKey, old: Entry | None, new: Entry | None, now: Entry | None
    ) -> None:
        if now is None and new is not None:
            return
        if now == new:
            if old is None:
                self.draft.remove(key, "cursor")
            else:
                self.draft.put(old, operations=("cursor",))
            return
        catalog = self.draft.catalog
        was, became, is_now = (
            {} if entry is None else load_cursor(catalog, entry) for entry in (old, new, now)
        )
        value = _without(was, became, is_now)
        if value is None:
            self._clash(
                key,
                "its cursor moved on since, so the source would not be read again from there",
                hint="; keep the position with --keep-cursors",
            )
            return
        self.draft.put(cursor_entry(catalog, key, value), operations=("cursor",))

    def _clash(self, key: AssetKey, message: str, *, hint: str = "") -> None:
        if all(conflict.key != key for conflict in self.conflicts):
            self.conflicts.append(Conflict(key=key, kind="revert", message=message + hint))


def _files(catalog: Catalog, entry: Entry | None) -> dict[str, DataFile]:
    if entry is None:
        return {}
    state = load_state(catalog, entry.content)
    return {file.path: file for file in planner.files(state, catalog.objects)}


def _may_share_keys(
    state: TableState, restored: Sequence[DataFile], newer: Sequence[DataFile]
) -> bool:
    # A key that the commit removed may have been upserted anew: restored too, it would be there
    # twice. Files are not opened here, so overlapping ranges of keys have to do.
    return bool(state.row_key) and any(
        planner.ranges_overlap(old, new, state.row_key, schema=state.schema)
        for old in restored
        for new in newer
    )


def _without(
    was: Mapping[str, Any], became: Mapping[str, Any], now: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Undo the step from `was` to `became` in a cursor that went on; `None` if it cannot be."""
    result = dict(now)
    for name in {*was, *became}:
        old, new, current = was.get(name), became.get(name), now.get(name)
        if old == new:
            continue
        if current == new:
            if name in was:
                result[name] = old
            else:
                result.pop(name, None)
        elif isinstance(new, dict) and isinstance(current, dict):
            inner = _without(old if isinstance(old, dict) else {}, new, current)
            if inner is None:
                return None
            result[name] = inner
        else:
            return None
    return result
