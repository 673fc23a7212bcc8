# SPDX-License-Identifier: Apache-2.0
"""A canonical 32-way hash trie from text to hash: equal contents, equal root, whatever the history.

A subtree with at most `LEAF_SIZE` entries is one leaf, a larger one has kids by five bits of the
key's hash; deletes collapse, so the shape depends on the contents alone. Nodes are addressed by
content, so a change writes only the path to it and a comparison skips what is equal. Knows nothing
of tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b

import orjson

from mainstem.lake.objects import Cache, Objects, hash_of

LEAF_SIZE = 32
_BITS = 5
_DEEPEST = 12
"""64 bits of hash give twelve levels; below, a leaf takes any number of entries."""

Entries = dict[str, str]
Kids = dict[int, tuple[str, int]]
"""Slot to hash and number of entries of the subtree."""
Difference = dict[str, tuple[str | None, str | None]]


class Node:
    """A leaf (`entries`) or an inner node (`kids`); never changed once built."""

    __slots__ = ("count", "entries", "kids")

    def __init__(self, entries: Entries | None, kids: Kids | None) -> None:
        self.entries = entries
        self.kids = kids
        self.count = (
            len(entries)
            if entries is not None
            else sum(count for _, count in (kids or {}).values())
        )

    def to_bytes(self) -> bytes:
        """Write it canonically."""
        if self.entries is not None:
            return orjson.dumps({"e": self.entries}, option=orjson.OPT_SORT_KEYS)
        kids = self.kids or {}
        return orjson.dumps({"k": [[slot, *kids[slot]] for slot in sorted(kids)]})

    @classmethod
    def from_bytes(cls, body: bytes) -> Node:
        """Read it."""
        value = orjson.loads(body)
        if "e" in value:
            return cls(value["e"], None)
        return cls(None, {slot: (child, count) for slot, child, count in value["k"]})


EMPTY_ROOT = hash_of(Node({}, None).to_bytes())


class Trie:
    """The tries of one transaction; `nodes` is shared by all transactions of a lake."""

    __slots__ = ("_nodes", "_objects")

    def __init__(self, objects: Objects, nodes: Cache[Node]) -> None:
        self._objects = objects
        self._nodes = nodes

    def find(self, root: str, key: str) -> str | None:
        """Look one key up."""
        node, depth = self._load(root), 0
        while node.kids is not None:
            kid = node.kids.get(_slot(key, depth))
            if kid is None:
                return None
            node, depth = self._load(kid[0]), depth + 1
        return node.entries.get(key) if node.entries else None

    def items(self, root: str) -> Entries:
        """Give all entries, in no order; a level of the trie costs one query."""
        found: Entries = {}
        level = [root]
        while level:
            below: list[str] = []
            for node in self._load_many(level):
                if node.entries is not None:
                    found.update(node.entries)
                else:
                    below.extend(child for child, _ in (node.kids or {}).values())
            level = below
        return found

    def update(self, root: str, changes: Mapping[str, str | None]) -> str:
        """Set and (with `None`) remove keys; gives the new root."""
        if not changes:
            return root
        return self._store(self._updated(self._load(root), changes, 0))

    def diff(self, before: str, after: str) -> Difference:
        """Give the keys that differ with both values; what is equal is not read."""
        if before == after:
            return {}
        a, b = self._load(before), self._load(after)
        if a.kids is None or b.kids is None:
            return _differences(self._entries(a), self._entries(b))
        found: Difference = {}
        for slot in a.kids.keys() | b.kids.keys():
            x, y = a.kids.get(slot), b.kids.get(slot)
            if x is None and y is not None:
                found.update((key, (None, value)) for key, value in self.items(y[0]).items())
            elif y is None and x is not None:
                found.update((key, (value, None)) for key, value in self.items(x[0]).items())
            elif x is not None and y is not None and x[0] != y[0]:
                found.update(self.diff(x[0], y[0]))
        return found

    def hashes(self, root: str, seen: set[str]) -> Entries:
        """Add the hashes of all nodes not yet in `seen` to it, and give the entries below those."""
        found: Entries = {}
        level = [] if root in seen else [root]
        while level:
            seen.update(level)
            below: list[str] = []
            for node in self._load_many(level):
                if node.entries is not None:
                    found.update(node.entries)
                else:
                    below.extend(c for c, _ in (node.kids or {}).values() if c not in seen)
            level = below
        return found

    def _updated(self, node: Node, changes: Mapping[str, str | None], depth: int) -> Node:
        if node.kids is None:
            return self._built(_applied(node.entries or {}, changes), depth)
        fresh: dict[int, Node] = {}
        for slot, part in _by_slot(changes, depth).items():
            kid = node.kids.get(slot)
            below = self._load(kid[0]) if kid is not None else Node({}, None)
            fresh[slot] = self._updated(below, part, depth + 1)
        kept = {slot: kid for slot, kid in node.kids.items() if slot not in fresh}
        total = sum(count for _, count in kept.values()) + sum(n.count for n in fresh.values())
        if total <= LEAF_SIZE:
            entries: Entries = {}
            for child, _ in kept.values():
                entries.update(self.items(child))
            for below in fresh.values():
                entries.update(self._entries(below))
            return Node(entries, None)
        for slot, below in fresh.items():
            if below.count:
                kept[slot] = (self._store(below), below.count)
        return Node(None, kept)

    def _built(self, entries: Entries, depth: int) -> Node:
        if len(entries) <= LEAF_SIZE or depth >= _DEEPEST:
            return Node(entries, None)
        kids: Kids = {}
        for slot, part in _by_slot(entries, depth).items():
            kids[slot] = (self._store(self._built(part, depth + 1)), len(part))
        return Node(None, kids)

    def _entries(self, node: Node) -> Entries:
        if node.entries is not None:
            return node.entries
        found: Entries = {}
        for child, _ in (node.kids or {}).values():
            found.update(self.items(child))
        return found

    def _store(self, node: Node) -> str:
        content_hash = self._objects.put(node.to_bytes())
        self._nodes.keep(content_hash, node)
        return content_hash

    def _load(self, content_hash: str) -> Node:
        node = self._nodes.get(content_hash)
        if node is None:
            if content_hash == EMPTY_ROOT:
                node = Node({}, None)
            else:
                node = Node.from_bytes(self._objects.get(content_hash))
            self._nodes.keep(content_hash, node)
        return node

    def _load_many(self, hashes: list[str]) -> list[Node]:
        if len(hashes) == 1:
            return [self._load(hashes[0])]
        missing = [one for one in hashes if self._nodes.get(one) is None]
        loaded = {
            found: self._nodes.keep(found, Node.from_bytes(body))
            for found, body in self._objects.get_many(missing)
        }
        return [loaded[one] if one in loaded else self._load(one) for one in hashes]


@lru_cache(maxsize=65536)
def _bits(key: str) -> int:
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big")


def _slot(key: str, depth: int) -> int:
    return (_bits(key) >> (_BITS * depth)) & 31


def _by_slot(entries: Mapping[str, str | None], depth: int) -> dict[int, dict[str, str]]:
    groups: dict[int, dict[str, str | None]] = {}
    for key, value in entries.items():
        groups.setdefault(_slot(key, depth), {})[key] = value
    return groups  # type: ignore[return-value]  # values are `None` only where callers pass changes


def _applied(entries: Entries, changes: Mapping[str, str | None]) -> Entries:
    result = dict(entries)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = value
    return result


def _differences(a: Entries, b: Entries) -> Difference:
    found: Difference = {}
    for key, value in a.items():
        other = b.get(key)
        if other != value:
            found[key] = (value, other)
    for key, value in b.items():
        if key not in a:
            found[key] = (None, value)
    return found
