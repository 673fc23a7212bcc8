# SPDX-License-Identifier: Apache-2.0
"""The catalog within one transaction: what every function of this package's upper half takes.

Holds the transaction, the objects and tries as it sees them, and the caches that all transactions
of a lake share. Made by `Lake`; knows no tables and no rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import Any

from mainstem.database import Transaction
from mainstem.lake.objects import Cache, Objects
from mainstem.lake.trie import Node, Trie
from mainstem.lake.values import Commit, Entry
from mainstem.types import AssetKey, Clock, dataclass

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Caches:
    """What transactions of one lake share; all of it is content-addressed, so never stale.

    A server that runs for months fills each of them: full, they are some 40 MB.
    """

    nodes: Cache[Node] = field(default_factory=lambda: Cache(8_000))
    entries: Cache[Entry] = field(default_factory=lambda: Cache(20_000))
    commits: Cache[Commit] = field(default_factory=lambda: Cache(4_000))
    states: Cache[Any] = field(default_factory=lambda: Cache(600))
    """Table states by hash."""
    contents: Cache[Mapping[AssetKey, Entry]] = field(default_factory=lambda: Cache(16))
    """All relations of a commit by root hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The catalog as one transaction sees it."""

    transaction: Transaction
    objects: Objects
    tries: Trie
    caches: Caches
    warehouse: str
    """Absolute folder of the data files."""
    now: datetime
    """One time for all that the transaction writes."""


def open_catalog(
    transaction: Transaction, *, caches: Caches, warehouse: str, clock: Clock
) -> Catalog:
    """Look at the catalog through a transaction."""
    now = clock.now()
    objects = Objects(transaction, microseconds(now))
    return Catalog(
        transaction=transaction,
        objects=objects,
        tries=Trie(objects, caches.nodes),
        caches=caches,
        warehouse=warehouse,
        now=now,
    )


def microseconds(when: datetime) -> int:
    """Give a time as the database keeps it: microseconds since 1970, UTC."""
    return (when - _EPOCH) // _MICROSECOND


def time_of(value: int) -> datetime:
    """Read a time from the database."""
    return _EPOCH + timedelta(microseconds=value)
