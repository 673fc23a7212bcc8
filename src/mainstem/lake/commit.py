# SPDX-License-Identifier: Apache-2.0
"""Commits: written once, addressed by the hash of all they say, walked by generation.

Not here: names for commits (`ref`) and what is in them (`content`).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from mainstem.errors import InternalError, RefNotFound, StorageFailed, UserError
from mainstem.lake.catalog import Catalog, microseconds, time_of
from mainstem.lake.objects import hash_of
from mainstem.lake.trie import EMPTY_ROOT
from mainstem.lake.values import Commit

_OURS, _THEIRS, _BOTH, _OLD = 1, 2, 3, 4
"""Colours of a walk from two commits; old is what a common ancestor descends from."""


def write_commit(
    catalog: Catalog,
    parents: Sequence[Commit],
    *,
    root: str,
    message: str,
    author: str = "",
    meta: Mapping[str, Any] | None = None,
    changes: str = "",
) -> Commit:
    """Write a commit; no ref points to it yet.

    Raises:
        UserError: `meta` holds something that JSON cannot.
    """
    created = max([microseconds(catalog.now), *(microseconds(p.created_at) for p in parents)])
    ids = tuple(parent.id for parent in parents)
    try:
        body = orjson.dumps(
            {
                "author": author,
                "changes": changes,
                "created_at": created,
                "message": message,
                "meta": dict(meta or {}),
                "parents": ids,
                "root": root,
            },
            option=orjson.OPT_SORT_KEYS,
        )
    except TypeError as error:
        raise UserError(
            "A5019",
            f"The commit's message or meta cannot be kept as JSON: {error}.",
            hint="Use text, numbers, lists and mappings with text keys.",
        ) from error
    commit_id = hash_of(body)
    generation = 1 + max((parent.generation for parent in parents), default=-1)
    catalog.transaction.execute(
        "insert into lake_commit (id, generation, created_at, body) values (?, ?, ?, ?) "
        "on conflict (id) do nothing",
        (commit_id, generation, created, body),
    )
    return _read(commit_id, generation, body)


def find_commit(catalog: Catalog, commit_id: str) -> Commit | None:
    """Load a commit by its full id.

    Raises:
        StorageFailed: What is stored does not hash to its id.
    """
    known = catalog.caches.commits.get(commit_id)
    if known is not None:
        return known
    rows = catalog.transaction.execute(
        "select generation, body from lake_commit where id = ?", (commit_id,)
    )
    if not rows:
        return None
    generation, body = rows[0]
    if hash_of(body) != commit_id:
        raise StorageFailed(
            "A5009",
            f"The commit {commit_id} is not what was written.",
            hint="The database file is damaged or was tampered with: restore the last backup.",
        )
    return catalog.caches.commits.keep(commit_id, _read(commit_id, generation, body))


def load_commit(catalog: Catalog, commit_id: str) -> Commit:
    """Load a commit that must exist.

    Raises:
        RefNotFound: It does not, or it was swept.
    """
    commit = find_commit(catalog, commit_id)
    if commit is None:
        raise RefNotFound(
            "A5010",
            f"There is no commit {commit_id[:8]}.",
            hint="`mainstem log` lists the commits of a branch; old ones of deleted branches are "
            "swept after a while.",
        )
    return commit


def commits_by_prefix(catalog: Catalog, prefix: str, *, limit: int = 5) -> list[Commit]:
    """Load the commits whose id starts with some hex digits."""
    rows = catalog.transaction.execute(
        "select id from lake_commit where id >= ? and id < ? order by id limit ?",
        (prefix, prefix + "g", limit),
    )
    return [load_commit(catalog, row[0]) for row in rows]


def history(catalog: Catalog, head: Commit) -> Iterator[Commit]:
    """Walk a commit and all that it descends from, newest generation first."""
    seen = {head.id}
    heap = [(-head.generation, -microseconds(head.created_at), head.id)]
    while heap:
        commit = load_commit(catalog, heapq.heappop(heap)[2])
        yield commit
        for parent_id in commit.parents:
            if parent_id not in seen:
                seen.add(parent_id)
                parent = load_commit(catalog, parent_id)
                heapq.heappush(
                    heap, (-parent.generation, -microseconds(parent.created_at), parent_id)
                )


def log(catalog: Catalog, head: Commit, *, limit: int, slots: Sequence[str] = ()) -> list[Commit]:
    """List the newest commits; with places in the trie those that changed one of them.

    Along first parents: a branch reads as what was done to it, and a merge is one thing that was
    done, whatever led to it on the other branch. What `~n` counts is what is listed.
    """
    found: list[Commit] = []
    for commit in first_parents(catalog, head):
        if len(found) >= limit:
            break
        if not slots or _changed(catalog, commit, slots):
            found.append(commit)
    return found


def _changed(catalog: Catalog, commit: Commit, slots: Sequence[str]) -> bool:
    before = load_commit(catalog, commit.parents[0]).root if commit.parents else EMPTY_ROOT
    find = catalog.tries.find
    return any(find(before, slot) != find(commit.root, slot) for slot in slots)


def first_parents(catalog: Catalog, head: Commit) -> Iterator[Commit]:
    """Walk what a branch was, step by step: the first parents only."""
    commit = head
    yield commit
    while commit.parents:
        commit = load_commit(catalog, commit.parents[0])
        yield commit


def merge_bases(catalog: Catalog, ours: Commit, theirs: Commit) -> list[Commit]:
    """Find the common ancestors that no other common ancestor descends from, by id.

    One, unless branches were merged into each other crosswise. Reads only what is newer than them.

    Raises:
        InternalError: There is none; all branches of a lake grow from its first commit.
    """
    sides = {ours.id: _OURS}
    sides[theirs.id] = sides.get(theirs.id, 0) | _THEIRS
    heap = [(-one.generation, one.id) for one in {ours.id: ours, theirs.id: theirs}.values()]
    heapq.heapify(heap)
    found: list[Commit] = []
    while any(sides[commit_id] & _OLD == 0 for _, commit_id in heap):
        _, commit_id = heapq.heappop(heap)
        side = sides[commit_id]
        commit = load_commit(catalog, commit_id)
        if side == _BOTH:
            found.append(commit)
            side |= _OLD
        _paint_parents(catalog, commit, side, sides, heap)
    if not found:
        raise InternalError("A9041", f"{ours.id} and {theirs.id} have no common ancestor.")
    return sorted(found, key=lambda one: one.id)


def is_ancestor(catalog: Catalog, of: Commit, commit: Commit) -> bool:
    """Tell whether `commit` is `of` or one that it descends from."""
    return any(one.id == commit.id for one in _until(catalog, of, commit.generation))


def commits_between(catalog: Catalog, bases: Sequence[Commit], head: Commit) -> list[Commit]:
    """Give the commits that `head` descends from and none of `bases` does, oldest first."""
    sides = {head.id: _THEIRS}
    known = {head.id: head}
    for base in bases:
        sides[base.id] = sides.get(base.id, 0) | _OURS
        known[base.id] = base
    heap = [(-one.generation, one.id) for one in known.values()]
    heapq.heapify(heap)
    found: list[Commit] = []
    while any(sides[commit_id] == _THEIRS for _, commit_id in heap):
        _, commit_id = heapq.heappop(heap)
        side = sides[commit_id]
        commit = load_commit(catalog, commit_id)
        if side == _THEIRS:
            found.append(commit)
        _paint_parents(catalog, commit, side, sides, heap)
    return found[::-1]


def _paint_parents(
    catalog: Catalog,
    commit: Commit,
    side: int,
    sides: dict[str, int],
    heap: list[tuple[int, str]],
) -> None:
    # Children have higher generations, so a commit has all its colours before it is popped.
    for parent_id in commit.parents:
        known = sides.get(parent_id, 0)
        sides[parent_id] = known | side
        if not known:
            heapq.heappush(heap, (-load_commit(catalog, parent_id).generation, parent_id))


def _until(catalog: Catalog, head: Commit, generation: int) -> Iterator[Commit]:
    for commit in history(catalog, head):
        if commit.generation < generation:
            return
        yield commit


def _read(commit_id: str, generation: int, body: bytes) -> Commit:
    value = orjson.loads(body)
    return Commit(
        id=commit_id,
        parents=tuple(value["parents"]),
        generation=generation,
        created_at=time_of(value["created_at"]),
        author=value["author"],
        message=value["message"],
        meta=value["meta"],
        root=value["root"],
        changes=value["changes"],
    )
