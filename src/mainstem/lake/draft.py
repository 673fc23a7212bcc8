# SPDX-License-Identifier: Apache-2.0
"""A commit in the making: entries laid over a head, and the record of what was done to each key.

The record is what a later merge or publish knows about the way from one commit to another: the
kinds of operations and the cursor intervals, by key. Filled by `intent`, `publish`, `merge` and
`revert`; written at most once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any

import orjson

from mainstem.lake.allocation import TableAllocator, table_id_of
from mainstem.lake.catalog import Catalog
from mainstem.lake.commit import commits_between, write_commit
from mainstem.lake.content import find_entry, put_entry, slot_of
from mainstem.lake.table_state import SnapshotIds
from mainstem.lake.values import Commit, Entry, EntryKind
from mainstem.types import AssetKey, dataclass


@dataclass(frozen=True, slots=True)
class Done:
    """What happened to one key on the way from one commit to another."""

    operations: set[str] = field(default_factory=set)
    """Of `TableWrite.operation`, and `view`, `cursor`."""
    intervals: set[str] = field(default_factory=set)
    """Cursor intervals of the rows that came; empty text for rows without one."""


class Draft:
    """Changes on top of one commit, not yet written."""

    __slots__ = ("_done", "_entries", "_root", "catalog", "head")

    def __init__(self, catalog: Catalog, head: Commit) -> None:
        self.catalog = catalog
        self.head = head
        self._entries: dict[str, Entry | None] = {}
        self._done: dict[str, Done] = {}
        self._root = head.root

    def find(self, key: AssetKey, kind: EntryKind = "table") -> Entry | None:
        """Look up a key as the commit in the making has it."""
        slot = slot_of(key, kind)
        if slot in self._entries:
            return self._entries[slot]
        return find_entry(self.catalog, self.head.root, key, kind)

    def put(
        self, entry: Entry, *, operations: Iterable[str], intervals: Iterable[str] = ()
    ) -> None:
        """Set a key; the operations say how it came about."""
        slot = slot_of(entry.key, entry.kind)
        self._entries[slot] = entry
        self._note(slot, operations, intervals)

    def remove(self, key: AssetKey, kind: EntryKind = "table") -> None:
        """Remove a key."""
        slot = slot_of(key, kind)
        self._entries[slot] = None
        self._note(slot, ("drop",), ())

    def snapshot_ids(self, key: AssetKey) -> SnapshotIds:
        """Allocate the numbers of a new snapshot of a key's table."""
        return TableAllocator(self.catalog, table_id_of(self.catalog, key)).snapshot_ids()

    def write(
        self,
        *,
        message: str,
        author: str = "",
        meta: Mapping[str, Any] | None = None,
        parents: Sequence[Commit] = (),
        is_event: bool = False,
    ) -> Commit:
        """Write the commit; gives the head itself if there is nothing to write.

        Args:
            message: For people.
            author: Whoever is responsible.
            meta: For programs.
            parents: Further parents behind the head: makes a merge, which is written even if it
                changes nothing, so that the next one starts from here.
            is_event: Write it even if it changes nothing, because it says that something was done.
        """
        root = self.root()
        if root == self.head.root and not parents and not is_event:
            return self.head
        record = {
            slot: [sorted(done.operations), sorted(done.intervals)]
            for slot, done in self._done.items()
        }
        changes = self.catalog.objects.put(orjson.dumps(record, option=orjson.OPT_SORT_KEYS))
        return write_commit(
            self.catalog,
            (self.head, *parents),
            root=root,
            message=message,
            author=author,
            meta=meta,
            changes=changes,
        )

    def root(self) -> str:
        """Write the entries and give the root of the trie with them."""
        if not self._root:
            self._root = self.catalog.tries.update(
                self.head.root,
                {
                    slot: None if entry is None else put_entry(self.catalog, entry)
                    for slot, entry in self._entries.items()
                },
            )
        return self._root

    def _note(self, slot: str, operations: Iterable[str], intervals: Iterable[str]) -> None:
        self._root = ""
        done = self._done.setdefault(slot, Done())
        done.operations.update(operations)
        done.intervals.update(intervals)


def done_between(catalog: Catalog, bases: Sequence[Commit], head: Commit) -> dict[str, Done]:
    """Tell, by place in the trie, what was done on the way from some commits to another."""
    found: dict[str, Done] = {}
    for commit in commits_between(catalog, bases, head):
        if not commit.changes:
            continue
        for slot, (operations, intervals) in orjson.loads(
            catalog.objects.get(commit.changes)
        ).items():
            done = found.setdefault(slot, Done())
            done.operations.update(operations)
            done.intervals.update(intervals)
    return found
