# SPDX-License-Identifier: Apache-2.0
"""Promises of freshness in the database: how each asset stands, and which became late or well."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from mainstem.automation.freshness import Freshness, Promise, freshness_of
from mainstem.database import Transaction
from mainstem.state import from_us, to_us
from mainstem.types import AssetKey, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An asset with a promise, as it stands."""

    key: AssetKey
    promise: str
    freshness: Freshness
    change: Literal["", "late", "recovered"] = ""
    """What it became since it was judged last."""


def judge_promises(
    transaction: Transaction,
    promises: Mapping[AssetKey, Promise],
    updated: Mapping[AssetKey, datetime],
    *,
    pending: Mapping[AssetKey, datetime],
    branch: str,
    now: datetime,
) -> list[Standing]:
    """Judge all promises, and remember how they stand.

    A promise that is new, or was edited, is not broken for the time before.

    Args:
        transaction: Of the caller.
        promises: By asset.
        updated: When each was brought up to date last.
        pending: Of partitioned ones: since when a partition is waited for.
        branch: Where.
        now: Of the clock.
    """
    known = {
        asset: (text, since, status, due)
        for asset, text, since, status, due in transaction.execute(
            "select asset, promise, since, status, due_at from promise_state where branch = ?",
            (branch,),
        )
    }
    found = []
    for key, promise in promises.items():
        text, since, status, due = known.get(key.folded, ("", 0, "", 0))
        is_same = text == promise.text
        begun = from_us(since) if is_same else now
        at = updated.get(key)
        freshness = freshness_of(promise, at, since=begun, now=now, pending_since=pending.get(key))
        change: Literal["", "late", "recovered"] = ""
        if freshness.status == "late" and not (is_same and status == "late"):
            change = "late"
        elif freshness.status == "fresh" and status == "late":
            change = "recovered"
        found.append(Standing(key=key, promise=promise.text, freshness=freshness, change=change))
        if not is_same or freshness.status != status or to_us(freshness.due_at) != due:
            transaction.execute(
                "insert into promise_state (branch, asset, promise, since, status, due_at, "
                "updated_at) values (?, ?, ?, ?, ?, ?, ?) on conflict (branch, asset) do update "
                "set promise = excluded.promise, since = excluded.since, "
                "status = excluded.status, due_at = excluded.due_at, "
                "updated_at = excluded.updated_at",
                (
                    branch,
                    key.folded,
                    promise.text,
                    to_us(begun),
                    freshness.status,
                    to_us(freshness.due_at),
                    None if at is None else to_us(at),
                ),
            )
    return found


def standings(
    transaction: Transaction,
    promises: Mapping[AssetKey, Promise],
    updated: Mapping[AssetKey, datetime],
    *,
    pending: Mapping[AssetKey, datetime],
    branch: str,
    now: datetime,
) -> list[Standing]:
    """Tell how promises stand now, and write nothing."""
    since = {
        asset: from_us(begun)
        for asset, begun in transaction.execute(
            "select asset, since from promise_state where branch = ?", (branch,)
        )
    }
    return [
        Standing(
            key=key,
            promise=promise.text,
            freshness=freshness_of(
                promise,
                updated.get(key),
                since=since.get(key.folded, now),
                now=now,
                pending_since=pending.get(key),
            ),
        )
        for key, promise in promises.items()
    ]
