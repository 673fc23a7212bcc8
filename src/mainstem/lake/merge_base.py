# SPDX-License-Identifier: Apache-2.0
"""What two branches have in common, as one root to compare both with.

Mostly that is one commit. When branches were merged into each other crosswise there are several,
none of which has all that is in both; then it is the merge of these, as in git's recursive
strategy: otherwise rows that both sides got by different merges would count as new on both.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from mainstem.lake.allocation import TableAllocator
from mainstem.lake.catalog import Catalog
from mainstem.lake.commit import merge_bases
from mainstem.lake.content import is_cursor, load_entry, load_state, put_entry, table_entry
from mainstem.lake.draft import Done, done_between
from mainstem.lake.table_merge import merge_states
from mainstem.lake.table_state import TableConflict
from mainstem.lake.values import Commit, Entry
from mainstem.lake.version import merged_provenance


def common_root(catalog: Catalog, bases: Sequence[Commit]) -> str:
    """Give the root of what several commits, none of which descends from another, come to.

    Where they changed one key in ways that do not commute, somebody decided when merging; the
    first one's version is taken, and the content of both sides is held against that.
    """
    ordered = sorted(bases, key=lambda commit: (commit.generation, commit.id))
    first = ordered[0]
    return reduce(lambda root, other: _merged(catalog, first, root, other), ordered[1:], first.root)


def _merged(catalog: Catalog, first: Commit, root: str, other: Commit) -> str:
    below = merge_bases(catalog, first, other)
    below_root = common_root(catalog, below)
    ours = catalog.tries.diff(below_root, root)
    taken: dict[str, str | None] = {}
    clashing: list[str] = []
    for slot, (_, theirs_hash) in catalog.tries.diff(below_root, other.root).items():
        if slot not in ours:
            taken[slot] = theirs_hash
        elif ours[slot][1] != theirs_hash and not is_cursor(slot):
            clashing.append(slot)
    if clashing:
        our_done = done_between(catalog, below, first)
        their_done = done_between(catalog, below, other)
        find = catalog.tries.find
        for slot in clashing:
            content = _content(
                catalog,
                [find(one, slot) for one in (below_root, root, other.root)],
                (our_done.get(slot, Done()), their_done.get(slot, Done())),
            )
            if content is not None:
                taken[slot] = content
    return catalog.tries.update(root, taken)


def _content(catalog: Catalog, hashes: Sequence[str | None], done: tuple[Done, Done]) -> str | None:
    base, ours, theirs = (None if one is None else load_entry(catalog, one) for one in hashes)
    if not _is_table(ours) or not _is_table(theirs) or ours is None or theirs is None:
        return None
    our_state = load_state(catalog, ours.content)
    merged = merge_states(
        load_state(catalog, base.content) if base is not None and _is_table(base) else None,
        our_state,
        load_state(catalog, theirs.content),
        done[0].operations,
        done[1].operations,
        ids=TableAllocator(catalog, our_state.table_id).snapshot_ids(),
        manifests=catalog.objects,
    )
    if isinstance(merged, TableConflict):
        return None
    provenance = merged_provenance(ours.provenance, theirs.provenance)
    return put_entry(catalog, table_entry(catalog, ours.key, merged, provenance))


def _is_table(entry: Entry | None) -> bool:
    return entry is not None and entry.kind == "table"
