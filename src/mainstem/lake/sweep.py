# SPDX-License-Identifier: Apache-2.0
"""Garbage collection: expired branches, and what nothing leads to any more.

Roots are the refs, where refs pointed to within the grace time, and what the caller names (live
leases, versions that may be linked). Data files are found by their recorded prefixes, never by
listing the warehouse; what was written for Iceberg readers goes too (`sweep_metadata`). Safe to
stop at any moment: catalog rows go first, then files, then their prefixes.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import orjson

from mainstem.lake import manifest
from mainstem.lake.catalog import Catalog, microseconds
from mainstem.lake.commit import find_commit
from mainstem.lake.content import load_entry
from mainstem.lake.ref import delete_ref, list_refs, moves_since
from mainstem.lake.sweep_metadata import find_metadata
from mainstem.lake.values import Commit, Ref, Swept
from mainstem.types import dataclass


class Transactions(Protocol):
    """What a sweep needs of the lake."""

    warehouse: str

    def reading(self) -> AbstractContextManager[Catalog]:
        """Open the catalog for reading."""
        ...

    def writing(self) -> AbstractContextManager[Catalog]:
        """Open the catalog for writing."""
        ...


def sweep(
    lake: Transactions, *, dry_run: bool, grace: timedelta, keep: Collection[str] = ()
) -> Swept:
    """Remove expired branches and what nothing leads to.

    The walk over all history is made without the lock; under it only what came since is walked.
    """
    reach = Reach()
    with lake.reading() as catalog:
        cutoff = catalog.now - grace
        walk_roots(catalog, reach, cutoff=cutoff, keep=keep)
        victims = find_victims(catalog, reach, cutoff=cutoff)
        files, empty = find_files(catalog, reach, cutoff=cutoff)
        metadata = find_metadata(catalog, root_commits(catalog, cutoff), cutoff=cutoff)
    if not dry_run:
        with lake.writing() as catalog:
            walk_roots(catalog, reach, cutoff=cutoff, keep=keep)
            victims = find_victims(catalog, reach, cutoff=cutoff)
            files, empty = find_files(catalog, reach, cutoff=cutoff)
            metadata = find_metadata(catalog, root_commits(catalog, cutoff), cutoff=cutoff)
            remove_victims(catalog, victims)
        remove_files(lake.warehouse, [*metadata, *files])
        with lake.writing() as catalog:
            forget_prefixes(catalog, empty)
    return Swept(
        files=tuple(sorted((*files, *metadata))),
        size_bytes=sum(files.values()) + sum(metadata.values()),
        branches=victims.branches,
        commits=len(victims.commits),
        objects=len(victims.objects),
        is_dry_run=dry_run,
    )


@dataclass(frozen=True, slots=True)
class Reach:
    """What the roots lead to; grows as more roots are walked."""

    commits: set[str] = field(default_factory=set)
    objects: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Victims:
    """What a sweep takes from the catalog."""

    branches: tuple[str, ...]
    commits: tuple[str, ...]
    objects: tuple[bytes, ...]


def expired(catalog: Catalog) -> list[Ref]:
    """Give the branches whose time has come."""
    return [
        ref
        for ref in list_refs(catalog, "branch")
        if ref.expires_at is not None and ref.expires_at <= catalog.now and not ref.protected
    ]


def walk_roots(catalog: Catalog, reach: Reach, *, cutoff: datetime, keep: Iterable[str]) -> None:
    """Add all that is to be kept to `reach`; what is in there already is not walked again.

    Args:
        catalog: To read from.
        reach: What was found so far.
        cutoff: Commits that a ref pointed to since then are roots too.
        keep: Further commit ids and content hashes.
    """
    roots = root_commits(catalog, cutoff)
    for one in keep:
        commit = find_commit(catalog, one)
        if commit is not None:
            roots.append(one)
        elif one not in reach.objects:
            _walk_content(catalog, reach, one)
    todo = [one for one in roots if one not in reach.commits]
    while todo:
        commit_id = todo.pop()
        commit = find_commit(catalog, commit_id)
        if commit is None or commit_id in reach.commits:
            continue
        reach.commits.add(commit_id)
        _walk_commit(catalog, reach, commit)
        todo.extend(commit.parents)


def root_commits(catalog: Catalog, cutoff: datetime) -> list[str]:
    """Give the commits that refs point to, or pointed to since a time."""
    gone = {ref.name for ref in expired(catalog)}
    roots = [ref.commit_id for ref in list_refs(catalog) if ref.name not in gone]
    return roots + moves_since(catalog, cutoff)


def find_victims(catalog: Catalog, reach: Reach, *, cutoff: datetime) -> Victims:
    """Find what is neither reachable nor younger than the grace time."""
    old = (microseconds(cutoff),)
    execute = catalog.transaction.execute
    commits = execute("select id from lake_commit where created_at < ?", old)
    objects = execute("select hash from lake_object where created_at < ?", old)
    return Victims(
        branches=tuple(ref.name for ref in expired(catalog)),
        commits=tuple(row[0] for row in commits if row[0] not in reach.commits),
        objects=tuple(row[0] for row in objects if row[0].hex() not in reach.objects),
    )


def remove_victims(catalog: Catalog, victims: Victims) -> None:
    """Take victims out of the catalog, in the write transaction in which they were found."""
    for name in victims.branches:
        delete_ref(catalog, name, kind="branch")
    catalog.transaction.executemany(
        "delete from lake_commit where id = ?", ((one,) for one in victims.commits)
    )
    catalog.transaction.executemany(
        "delete from lake_object where hash = ?", ((one,) for one in victims.objects)
    )


def find_files(
    catalog: Catalog, reach: Reach, *, cutoff: datetime
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Find data files that nothing leads to.

    Returns:
        Sizes by path relative to the warehouse, and the directories and prefixes of which no file
        is left once these are gone.
    """
    rows = catalog.transaction.execute(
        "select directory, prefix from lake_prefix where created_at < ? order by directory",
        (microseconds(cutoff),),
    )
    victims: dict[str, int] = {}
    empty: list[tuple[str, str]] = []
    listed: dict[str, dict[str, int]] = {}
    for directory, prefix in rows:
        if directory not in listed:
            listed[directory] = _files_in(catalog.warehouse, directory)
        own = {
            path: size
            for path, size in listed[directory].items()
            if path.rpartition("/")[2].startswith(prefix)
        }
        unused = {path: size for path, size in own.items() if path not in reach.files}
        victims.update(unused)
        if len(unused) == len(own):
            empty.append((directory, prefix))
    return victims, empty


def remove_files(warehouse: str, paths: Collection[str]) -> None:
    """Delete files; one that is gone already does not matter."""
    for path in paths:
        Path(warehouse, path).unlink(missing_ok=True)


def forget_prefixes(catalog: Catalog, prefixes: Iterable[tuple[str, str]]) -> None:
    """Forget prefixes of which no file is left."""
    catalog.transaction.executemany(
        "delete from lake_prefix where directory = ? and prefix = ?", prefixes
    )


def _walk_commit(catalog: Catalog, reach: Reach, commit: Commit) -> None:
    if commit.changes:
        reach.objects.add(commit.changes)
    for entry_hash in catalog.tries.hashes(commit.root, reach.objects).values():
        if entry_hash not in reach.objects:
            reach.objects.add(entry_hash)
            entry = load_entry(catalog, entry_hash)
            if entry.content not in reach.objects:
                _walk_content(catalog, reach, entry.content)


def _walk_content(catalog: Catalog, reach: Reach, content_hash: str) -> None:
    reach.objects.add(content_hash)
    value = orjson.loads(catalog.objects.get(content_hash))
    if not isinstance(value, dict) or "manifests" not in value:
        return
    manifests = {row[0] for row in value["manifests"]}
    for row in value["snapshots"]:
        list_hash = row[6]
        if list_hash not in reach.objects:
            reach.objects.add(list_hash)
            refs = manifest.read_manifest_list(list_hash, catalog.objects)
            manifests.update(ref.hash for ref in refs)
    for one in manifests - reach.objects:
        reach.objects.add(one)
        reach.files.update(orjson.loads(catalog.objects.get(one))["path"])


def _files_in(warehouse: str, directory: str) -> dict[str, int]:
    found: dict[str, int] = {}
    todo = [directory]
    while todo:
        here = todo.pop()
        try:
            with os.scandir(Path(warehouse, here)) as listing:
                for item in listing:
                    path = f"{here}/{item.name}"
                    if item.is_dir(follow_symlinks=False):
                        todo.append(path)
                    else:
                        found[path] = item.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            continue
    return found
