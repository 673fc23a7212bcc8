# SPDX-License-Identifier: Apache-2.0
"""What the catalog hands out: commits, refs, entries, and what merges and comparisons found.

Frozen values only; called by everybody in this package, and through it by its users.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Literal

from mainstem.errors import BranchConflict
from mainstem.types import AssetKey, Change, Provenance, dataclass

RefKind = Literal["branch", "tag"]
EntryKind = Literal["table", "view", "cursor"]
OnConflict = Literal["fail", "ours", "theirs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One state of all tables, views and cursors; `id` is the hash of everything else in it."""

    id: str
    parents: tuple[str, ...]
    """The first one is the branch's state before."""
    generation: int
    """One more than the greatest of its parents: orders history without trusting clocks."""
    created_at: datetime
    author: str
    message: str
    meta: Mapping[str, Any]
    root: str
    """Hash of the trie over all entries."""
    changes: str = ""
    """Hash of the record of what was done (`intent.records_of`); merges read it."""

    @property
    def short_id(self) -> str:
        """The eight characters that outputs show."""
        return self.id[:8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """A name for a commit: a branch moves, a tag does not."""

    name: str
    kind: RefKind
    commit_id: str
    protected: bool = False
    """Refuses direct writes; takes publish, merge and revert."""
    sealed: bool = False
    """Refuses everything, and is never merged or branched from: a failed run's branch."""
    expires_at: datetime | None = None
    created_from: str = ""
    """The commit it was created at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one key has at one commit."""

    key: AssetKey
    kind: EntryKind
    content: str
    """Hash of the table state, view or cursor."""
    provenance: Provenance
    row_count: int = 0
    file_count: int = 0
    size_bytes: int = 0
    snapshot_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkWrite:
    """An intent: take over content that was built elsewhere, as a new snapshot of its own."""

    key: AssetKey
    content: str
    """`Entry.content` of the version to take over, from any commit of this lake."""
    provenance: Provenance


Intent = Change | LinkWrite


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Two changes of one table that do not commute; nothing was written."""

    key: AssetKey
    kind: str
    """`schema`, `layout`, `overwrite`, `partition`, `file`, `key`, `dropped`, `view`, `cursor`."""
    message: str
    """One sentence, without the table's name."""
    ours: str = ""
    """What the target did, as text."""
    theirs: str = ""
    """What the source did, as text."""
    columns: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    keys: tuple[Mapping[str, Any], ...] = ()
    """The first ten keys, each with the `ours` and `theirs` row."""
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeResult:
    """What a merge did, or in a dry run would do."""

    commit: Commit | None
    """`None`: conflicts, a dry run, or nothing to merge."""
    merged: tuple[AssetKey, ...] = ()
    """Keys that the target gets from the source, or that were merged by content."""
    conflicts: tuple[Conflict, ...] = ()
    stale: tuple[AssetKey, ...] = ()
    """Derived assets whose recorded inputs are not those of the merged state: to be rebuilt."""
    notes: tuple[str, ...] = ()
    """Decisions worth a line: whose cursor won, which derived versions were kept."""

    def require(self) -> MergeResult:
        """Give itself if there was no conflict.

        Raises:
            BranchConflict: There was; the message names each table, the details both sides.
        """
        if self.conflicts:
            raise conflict_error(self.conflicts, what="The merge")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaChange:
    """One column that differs between two versions; nested ones by dotted path."""

    change: Literal["added", "dropped", "renamed", "retyped", "required", "optional", "moved"]
    column: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDiff:
    """How one key differs between two commits; rows are compared by the engine, not here."""

    key: AssetKey
    kind: EntryKind
    before: Entry
    after: Entry
    schema_changes: tuple[SchemaChange, ...] = ()
    rows_before: int = 0
    rows_after: int = 0
    files_added: tuple[str, ...] = ()
    """Paths relative to the warehouse."""
    files_removed: tuple[str, ...] = ()
    is_same_data: bool = False
    """Only the files or the metadata differ: a compaction, a link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogDiff:
    """How two commits differ; equal parts are skipped by hash."""

    added: tuple[Entry, ...] = ()
    removed: tuple[Entry, ...] = ()
    changed: tuple[TableDiff, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """Something that `verify` found wrong."""

    what: Literal["missing", "truncated", "corrupt"]
    subject: str
    """A path relative to the warehouse, or `object`/`commit` and a hash."""
    message: str
    key: AssetKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep removed, or in a dry run would remove."""

    files: tuple[str, ...] = ()
    """Paths relative to the warehouse."""
    size_bytes: int = 0
    branches: tuple[str, ...] = ()
    """Branches whose time had come."""
    commits: int = 0
    objects: int = 0
    is_dry_run: bool = field(default=True)


def conflict_error(conflicts: tuple[Conflict, ...], *, what: str) -> BranchConflict:
    """Say in one error what does not commute."""
    names = ", ".join(f"{conflict.key}" for conflict in conflicts[:5])
    more = f" and {len(conflicts) - 5} more" if len(conflicts) > 5 else ""
    first = conflicts[0]
    return BranchConflict(
        "A5030",
        f"{what} was refused: both sides changed {names}{more} in ways that do not commute; "
        f"{first.key}: {first.message.rstrip('.')}.",
        hint="Nothing was changed. Choose a side with --ours or --theirs, or write the table anew "
        "on the branch and merge again.",
        details="\n".join(_lines(conflict) for conflict in conflicts),
    )


def _lines(conflict: Conflict) -> str:
    lines = [f"{conflict.key} ({conflict.kind}): {conflict.message}"]
    for label, side in (("ours", conflict.ours), ("theirs", conflict.theirs)):
        if side:
            lines.append(f"  {label}: {side}")
    for label, values in (
        ("columns", conflict.columns),
        ("partitions", conflict.partitions),
        ("files", conflict.paths),
    ):
        if values:
            lines.append(f"  {label}: {', '.join(values)}")
    lines.extend(f"  key {dict(row)}" for row in conflict.keys)
    return "\n".join(lines)
