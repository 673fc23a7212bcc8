# SPDX-License-Identifier: Apache-2.0
"""Content-addressed bytes in the database: trie nodes, entries, table states, manifests, views.

Every read from disk is compared with its hash, so a damaged page is never taken for data. Called
by the rest of the catalog; satisfies `table_state.ManifestStore`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any, Generic, TypeVar

from mainstem.database import Transaction
from mainstem.errors import StorageFailed

_Value = TypeVar("_Value")
_AT_ONCE = 500


def hash_of(content: bytes) -> str:
    """Give the address of some bytes: 32 hex digits."""
    return blake2b(content, digest_size=16).hexdigest()


class Cache(Generic[_Value]):
    """A bounded cache that threads share; values are immutable, so a lost race costs nothing."""

    __slots__ = ("_limit", "_lock", "_values")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: dict[Any, _Value] = {}
        self._lock = threading.Lock()

    def get(self, key: Any) -> _Value | None:
        """Give what was kept for a key."""
        return self._values.get(key)

    def keep(self, key: Any, value: _Value) -> _Value:
        """Keep a value; the oldest half goes when the cache is full."""
        values = self._values
        if len(values) >= self._limit:
            with self._lock:
                for old in list(values)[: self._limit // 2]:
                    values.pop(old, None)
        values[key] = value
        return value


class Objects:
    """The objects as one transaction sees them."""

    __slots__ = ("_now_us", "_transaction")

    def __init__(self, transaction: Transaction, now_us: int) -> None:
        self._transaction = transaction
        self._now_us = now_us

    def get(self, content_hash: str) -> bytes:
        """Give the bytes that were put.

        Raises:
            StorageFailed: They are gone, or are not what was put.
        """
        rows = self._transaction.execute(
            "select body from lake_object where hash = ?", (bytes.fromhex(content_hash),)
        )
        if not rows:
            raise _damaged(content_hash, "is missing")
        body: bytes = rows[0][0]
        if hash_of(body) != content_hash:
            raise _damaged(content_hash, "is not what was written")
        return body

    def get_many(self, hashes: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Give many at once, in any order.

        Raises:
            StorageFailed: One is gone, or is not what was put.
        """
        wanted = list(dict.fromkeys(hashes))
        for start in range(0, len(wanted), _AT_ONCE):
            part = wanted[start : start + _AT_ONCE]
            marks = ",".join("?" * len(part))
            rows = self._transaction.execute(
                f"select hash, body from lake_object where hash in ({marks})",
                [bytes.fromhex(one) for one in part],
            )
            for raw, body in rows:
                found = raw.hex()
                if hash_of(body) != found:
                    raise _damaged(found, "is not what was written")
                yield found, body
            if len(rows) != len(part):
                there = {raw.hex() for raw, _ in rows}
                raise _damaged(next(one for one in part if one not in there), "is missing")

    def put(self, content: bytes) -> str:
        """Keep bytes and give their hash, the same for the same bytes."""
        digest = blake2b(content, digest_size=16)
        self._transaction.execute(
            "insert into lake_object (hash, created_at, body) values (?, ?, ?) "
            "on conflict (hash) do nothing",
            (digest.digest(), self._now_us, content),
        )
        return digest.hexdigest()


def _damaged(content_hash: str, what: str) -> StorageFailed:
    return StorageFailed(
        "A5009",
        f"The catalog's object {content_hash} {what}.",
        hint="The database file is damaged: restore the last backup of it; `mainstem doctor` "
        "tells which tables are affected.",
    )
