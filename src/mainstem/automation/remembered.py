# SPDX-License-Identifier: Apache-2.0
"""What conditions remember between turns, in the database: facts of assets, and how far they are.

Sets are stored as text, by what they say: `missing`, `built`, or the digest of a part of a
condition, so that a condition that was edited forgets only what it held.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime

import orjson

from mainstem.automation.world import AssetWorld
from mainstem.database import Transaction
from mainstem.errors import SelectionInvalid
from mainstem.graph import PartitionSet
from mainstem.state import from_us, to_us
from mainstem.types import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was known of an asset at the last turn."""

    version: str = ""
    code: str = ""
    sets: Mapping[str, PartitionSet] = field(default_factory=dict)
    """Never empty ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """How far the conditions of a branch are."""

    number: int
    """Tells a server that keeps conditions in memory whether another one moved on."""
    at: datetime
    ended_at: datetime
    """Until when the ends of runs were heard."""
    commit: str
    """What facts were last compared with."""


def last_turn(transaction: Transaction, branch: str) -> Turn | None:
    """Give the last turn of a branch; nothing at the very first."""
    rows = transaction.execute(
        "select turn, at, ended_at, commit_id from condition_turn where branch = ?", (branch,)
    )
    if not rows:
        return None
    number, at, ended_at, commit = rows[0]
    return Turn(number=number, at=from_us(at), ended_at=from_us(ended_at), commit=commit)


def save_turn(transaction: Transaction, branch: str, turn: Turn) -> None:
    """Write how far conditions are."""
    transaction.execute(
        "insert into condition_turn (branch, turn, at, ended_at, commit_id) "
        "values (?, ?, ?, ?, ?) on conflict (branch) do update set turn = excluded.turn, "
        "at = excluded.at, ended_at = excluded.ended_at, commit_id = excluded.commit_id",
        (branch, turn.number, to_us(turn.at), to_us(turn.ended_at), turn.commit),
    )


def load_facts(transaction: Transaction, branch: str, world: AssetWorld) -> dict[str, Facts]:
    """Read the facts of all assets; of one whose partitions are others now nothing is known."""
    found = {}
    for asset, text in transaction.execute(
        "select asset, facts from condition_asset where branch = ?", (branch,)
    ):
        document = orjson.loads(text)
        definition = world.existing(asset).definition
        try:
            sets = {
                name: PartitionSet.parse(some, definition, is_stored=True)
                for name, some in document["sets"].items()
            }
        except SelectionInvalid:
            continue
        sets = {name: some for name, some in sets.items() if some}
        found[asset] = Facts(version=document["version"], code=document["code"], sets=sets)
    return found


def save_facts(transaction: Transaction, branch: str, changed: Iterable[tuple[str, Facts]]) -> None:
    """Write the facts of assets of which they changed."""
    transaction.executemany(
        "insert into condition_asset (branch, asset, facts) values (?, ?, ?) "
        "on conflict (branch, asset) do update set facts = excluded.facts",
        [(branch, asset, _document(facts)) for asset, facts in changed],
    )


def _document(facts: Facts) -> str:
    sets = {name: some.text(is_stored=True) for name, some in sorted(facts.sets.items())}
    document = {"version": facts.version, "code": facts.code, "sets": sets}
    return orjson.dumps(document).decode()
