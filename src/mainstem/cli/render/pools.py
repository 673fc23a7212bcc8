# SPDX-License-Identifier: Apache-2.0
"""Pools as lines, and as a document: what they allow, and who holds it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mainstem.cli.render.grid import grid
from mainstem.cli.render.look import Look
from mainstem.cli.render.words import moment
from mainstem.project import PoolState


def pool_lines(pools: Sequence[PoolState], look: Look, *, now: datetime) -> list[str]:
    """List pools with who holds their slots."""
    rows = [
        (pool.name, pool.taken, "" if pool.slots is None else pool.slots, _rate(pool), _note(pool))
        for pool in pools
    ]
    lines = grid(("pool", "taken", "slots", "rate", "note"), rows, look=look)
    for pool in pools:
        lines += [
            f"{pool.name}: run {slot.holder.run_id} {slot.holder.asset}, since "
            f"{moment(slot.taken_at, now)}"
            for slot in pool.holders
        ]
    return lines


def pools_document(pools: Sequence[PoolState]) -> list[dict[str, Any]]:
    """Give pools as plain values."""
    return [
        {
            "name": pool.name,
            "slots": pool.slots,
            "declared_slots": None if pool.declared is None else pool.declared.slots,
            "rate_per_s": 0.0 if pool.declared is None else pool.declared.rate_per_s,
            "taken": pool.taken,
            "changed": pool.changed,
            "holders": pool.holders,
        }
        for pool in pools
    ]


def _rate(pool: PoolState) -> str:
    if pool.declared is None or not pool.declared.rate_per_s:
        return ""
    return f"{pool.declared.rate_per_s:g}/s"


def _note(pool: PoolState) -> str:
    if pool.changed is None:
        return ""
    declared = None if pool.declared is None else pool.declared.slots
    return f"set by {pool.changed.by}; mainstem.yml says {declared or 'none'}"
