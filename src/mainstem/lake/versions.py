# SPDX-License-Identifier: Apache-2.0
"""`Versions`: branches, commits and contents of a lake; `Lake` adds what takes and gives Arrow.

Thin: each method opens a transaction and calls the module that knows. Nothing heavy is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from mainstem.database import Database, Transaction
from mainstem.lake import commit as commits
from mainstem.lake import content, writing
from mainstem.lake import ref as named
from mainstem.lake.catalog import Caches, Catalog, open_catalog
from mainstem.lake.diff import diff
from mainstem.lake.merge import Merging, merge
from mainstem.lake.migrations import MIGRATIONS
from mainstem.lake.revert import revert
from mainstem.lake.revision import resolve
from mainstem.lake.sweep import sweep
from mainstem.lake.target import make_folder, prepare
from mainstem.lake.trie import Node
from mainstem.lake.values import (
    CatalogDiff,
    Commit,
    Damage,
    Entry,
    Intent,
    MergeResult,
    OnConflict,
    Ref,
    RefKind,
    Swept,
)
from mainstem.lake.verify import verify
from mainstem.lake.version import JoinPartitions
from mainstem.types import AssetKey, Clock, LayoutColumn, Relation, Schema, WriteTarget


class Versions:
    """Branches, commits and tables; safe to use from several threads and processes.

    Every method that writes takes a `transaction` to be part of; without one it opens its own.
    """

    def __init__(self, database: Database, warehouse: str, *, clock: Clock) -> None:
        self.database = database
        self.warehouse = warehouse
        self.clock = clock
        self._caches = Caches()

    @classmethod
    def open(cls, database: Database, warehouse: str, *, clock: Clock) -> Self:
        """Open a lake, making its tables and its branch `main` if they are not there."""
        database.migrate(MIGRATIONS)
        lake = cls(database, str(Path(warehouse).absolute()), clock=clock)
        with lake.reading() as catalog:
            is_new = named.find_ref(catalog, named.MAIN) is None
        if is_new:
            with lake.writing(durable=True) as catalog:
                if named.find_ref(catalog, named.MAIN) is None:
                    root = catalog.objects.put(Node({}, None).to_bytes())
                    first = commits.write_commit(catalog, (), root=root, message="lake created")
                    named.create_ref(catalog, named.MAIN, first, kind="branch")
        return lake

    @contextmanager
    def reading(self) -> Iterator[Catalog]:
        """Open the catalog for reading: one state, however long the block."""
        with self.database.read() as transaction:
            yield self._catalog(transaction)

    @contextmanager
    def writing(
        self, transaction: Transaction | None = None, *, durable: bool = False
    ) -> Iterator[Catalog]:
        """Open the catalog for writing, within a transaction that is open or a new one."""
        if transaction is not None:
            yield self._catalog(transaction)
        else:
            with self.database.write(durable=durable) as opened:
                yield self._catalog(opened)

    def create_branch(
        self,
        name: str,
        *,
        at: str = named.MAIN,
        protected: bool = False,
        expires_at: datetime | None = None,
        transaction: Transaction | None = None,
    ) -> Ref:
        """Make a branch: a pointer, whatever the lake's size.

        Raises:
            BranchConflict: The name is taken, or `at` is a sealed branch.
            RefNotFound: There is no `at`.
        """
        with self.writing(transaction) as catalog:
            origin = named.find_ref(catalog, at)
            if origin is not None and origin.sealed:
                raise named.is_sealed(at)
            start = named.head_of(catalog, origin) if origin is not None else resolve(catalog, at)
            return named.create_ref(
                catalog, name, start, kind="branch", protected=protected, expires_at=expires_at
            )

    def delete_branch(self, name: str, *, transaction: Transaction | None = None) -> None:
        """Delete a branch; its commits stay reachable by id until a sweep."""
        with self.writing(transaction) as catalog:
            named.delete_ref(catalog, name, kind="branch")

    def tag(
        self, name: str, *, at: str = named.MAIN, transaction: Transaction | None = None
    ) -> Ref:
        """Name a commit for good."""
        with self.writing(transaction) as catalog:
            return named.create_ref(catalog, name, resolve(catalog, at), kind="tag")

    def delete_tag(self, name: str, *, transaction: Transaction | None = None) -> None:
        """Delete a tag."""
        with self.writing(transaction) as catalog:
            named.delete_ref(catalog, name, kind="tag")

    def refs(self, kind: RefKind | None = None) -> list[Ref]:
        """List branches and tags by name."""
        with self.reading() as catalog:
            return named.list_refs(catalog, kind)

    def ref(self, name: str) -> Ref:
        """Look up a branch or tag.

        Raises:
            RefNotFound: There is none; names the nearest.
        """
        with self.reading() as catalog:
            return named.load_ref(catalog, name)

    def seal(self, name: str, *, transaction: Transaction | None = None) -> Ref:
        """Close a branch: it is never written, merged or branched from again."""
        with self.writing(transaction) as catalog:
            return named.change_ref(catalog, name, sealed=True)

    def protect(
        self, name: str, *, protected: bool = True, transaction: Transaction | None = None
    ) -> Ref:
        """Let a branch refuse direct writes, or take them again."""
        with self.writing(transaction) as catalog:
            return named.change_ref(catalog, name, protected=protected)

    def expire(self, name: str, at: datetime, *, transaction: Transaction | None = None) -> Ref:
        """Let a branch go with the first sweep after a time."""
        with self.writing(transaction) as catalog:
            return named.change_ref(catalog, name, expires_at=at)

    def resolve(self, expression: str) -> Commit:
        """Find the commit that an expression means; see `revision.resolve`."""
        with self.reading() as catalog:
            return resolve(catalog, expression)

    def commits(self, ids: Collection[str]) -> dict[str, Commit]:
        """Load commits by their ids."""
        with self.reading() as catalog:
            return {each: commits.load_commit(catalog, each) for each in ids}

    def log(
        self, ref_expression: str = named.MAIN, *, limit: int = 50, key: AssetKey | None = None
    ) -> list[Commit]:
        """List commits, newest first; with a key those that changed it."""
        with self.reading() as catalog:
            head = resolve(catalog, ref_expression)
            slots = () if key is None else content.slots_of(key)
            return commits.log(catalog, head, limit=limit, slots=slots)

    def entries(self, at: str = named.MAIN) -> Mapping[AssetKey, Entry]:
        """Give all tables and views at a place; cheap when repeated."""
        with self.reading() as catalog:
            return content.relations(catalog, resolve(catalog, at).root)

    def entry(self, key: AssetKey, at: str = named.MAIN) -> Entry | None:
        """Give what a key has at a place, if anything."""
        with self.reading() as catalog:
            return content.find_entry(catalog, resolve(catalog, at).root, key)

    def relation(self, key: AssetKey, at: str = named.MAIN) -> Relation:
        """Give what is needed to read a table or view.

        Raises:
            AssetNotFound: It is not there; names the nearest.
        """
        with self.reading() as catalog:
            return content.relation(catalog, resolve(catalog, at), key)

    def data_version(self, key: AssetKey, at: str = named.MAIN) -> str | None:
        """Tell the data version of a table or view, a view's computed from what it reads."""
        with self.reading() as catalog:
            return content.data_version(catalog, resolve(catalog, at).root, key)

    def cursor(self, key: AssetKey, at: str = named.MAIN) -> Mapping[str, Any] | None:
        """Give the replication position of an ingested table."""
        with self.reading() as catalog:
            entry = content.find_entry(catalog, resolve(catalog, at).root, key, "cursor")
            return None if entry is None else content.load_cursor(catalog, entry)

    def cursors(self, at: str = named.MAIN) -> dict[AssetKey, Mapping[str, Any]]:
        """Give all replication positions."""
        with self.reading() as catalog:
            return content.cursors(catalog, resolve(catalog, at).root)

    def target(
        self,
        branch: str,
        key: AssetKey,
        schema: Schema,
        *,
        attempt: str,
        partition_by: Sequence[LayoutColumn] = (),
        replaces: bool = True,
    ) -> WriteTarget:
        """Allocate ids and a place for the data files of one attempt; see `target.prepare`."""
        with self.writing() as catalog:
            target = prepare(
                catalog,
                branch,
                key,
                schema,
                attempt=attempt,
                partition_by=partition_by,
                replaces=replaces,
            )
        make_folder(target)
        return target

    def commit(
        self,
        branch: str,
        changes: Sequence[Intent],
        *,
        message: str,
        author: str = "",
        meta: Mapping[str, Any] | None = None,
        transaction: Transaction | None = None,
        durable: bool = False,
        allow_protected: bool = False,
    ) -> Commit:
        """Apply intents to a branch's head, all or nothing; see `writing.commit`.

        Raises:
            BranchConflict: They do not commute with what happened since they were computed.
        """
        with self.writing(transaction, durable=durable) as catalog:
            return writing.commit(
                catalog,
                branch,
                changes,
                message=message,
                author=author,
                meta=meta,
                allow_protected=allow_protected,
            )

    def publish(
        self,
        source_branch: str,
        into: str,
        keys: Collection[AssetKey],
        *,
        message: str,
        author: str = "",
        meta: Mapping[str, Any] | None = None,
        join: JoinPartitions | None = None,
        transaction: Transaction | None = None,
    ) -> Commit:
        """Move keys of a run's branch to another one in one commit; see `writing.publish`.

        Raises:
            BranchConflict: What the run did does not commute with what happened since.
        """
        with self.writing(transaction, durable=self.is_protected(into, transaction)) as catalog:
            return writing.publish(
                catalog,
                source_branch,
                into,
                keys,
                message=message,
                author=author,
                meta=meta,
                join=join,
            )

    def merge(
        self,
        source: str,
        into: str,
        *,
        message: str = "",
        meta: Mapping[str, Any] | None = None,
        on_conflict: OnConflict = "fail",
        gates: Callable[[MergeResult], None] | None = None,
        transaction: Transaction | None = None,
        dry_run: bool = False,
    ) -> MergeResult:
        """Merge a branch, tag or commit into a branch; see `merge.merge`.

        Args:
            source: What is merged.
            into: The branch that is merged into.
            message: Of the merge commit; empty: says what was merged.
            meta: Of the merge commit.
            on_conflict: Whose version of a conflicting table to take: `ours` is that of `into`.
            gates: Judges the merged state, which can be read at the result's commit, before the
                branch moves; raises to hold it back.
            transaction: To be part of.
            dry_run: Only tell what would be.

        Returns:
            What was merged, and conflicts if there were any: then nothing was changed.
        """
        merging = Merging(
            source=source, into=into, message=message, meta=meta or {}, on_conflict=on_conflict
        )
        return merge(self, merging, gates=gates, transaction=transaction, dry_run=dry_run)

    def revert(
        self,
        branch: str,
        commit_id: str,
        *,
        keep_cursors: bool = False,
        join: JoinPartitions | None = None,
        message: str = "",
        author: str = "",
        meta: Mapping[str, Any] | None = None,
        transaction: Transaction | None = None,
    ) -> Commit:
        """Commit the inverse of a commit to a branch; see `revert.revert`.

        Raises:
            BranchConflict: Rows that it brought were rewritten since.
        """
        with self.writing(transaction, durable=self.is_protected(branch, transaction)) as catalog:
            return revert(
                catalog,
                branch,
                commit_id,
                keep_cursors=keep_cursors,
                join=join,
                message=message,
                author=author,
                meta=meta,
            )

    def diff(
        self, before: str, after: str, keys: Collection[AssetKey] | None = None
    ) -> CatalogDiff:
        """Compare two places: tables, schemas, counts and files."""
        with self.reading() as catalog:
            return diff(catalog, resolve(catalog, before), resolve(catalog, after), keys=keys)

    def verify(self, at: str = named.MAIN) -> list[Damage]:
        """Look for damage in all that a place leads to, catalog and files, reading the disk."""
        with self.database.read() as transaction:
            catalog = open_catalog(
                transaction, caches=Caches(), warehouse=self.warehouse, clock=self.clock
            )
            return list(verify(catalog, resolve(catalog, at)))

    def sweep(
        self,
        *,
        dry_run: bool = True,
        grace: timedelta = timedelta(days=7),
        keep: Collection[str] = (),
    ) -> Swept:
        """Remove expired branches and what nothing leads to; see `sweep.sweep`.

        Args:
            dry_run: Only tell what would go.
            grace: Younger things stay whatever happens.
            keep: Commit ids and content hashes (`Entry.content`) to keep besides.
        """
        return sweep(self, dry_run=dry_run, grace=grace, keep=keep)

    def is_protected(self, branch: str, transaction: Transaction | None) -> bool:
        """Tell whether a write to a branch has to survive power loss, if it is ours to open."""
        if transaction is not None:
            return False
        with self.reading() as catalog:
            found = named.find_ref(catalog, branch)
            return found is not None and found.protected

    def is_closed(self, branch: str) -> bool:
        """Tell whether a branch refuses direct writes for good: sealed or protected."""
        found = self.ref(branch)
        return found.sealed or found.protected

    def _catalog(self, transaction: Transaction) -> Catalog:
        return open_catalog(
            transaction, caches=self._caches, warehouse=self.warehouse, clock=self.clock
        )
