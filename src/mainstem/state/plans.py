# SPDX-License-Identifier: Apache-2.0
"""Stored plans: every run executes one, and can be asked later what it was."""

from __future__ import annotations

from dataclasses import fields

import orjson

from mainstem.database import Transaction
from mainstem.graph import ColumnChange, Plan, PlannedAsset
from mainstem.types import AssetKey


def save_plan(transaction: Transaction, run_id: int, plan: Plan) -> None:
    """Store the plan of a run; assets without work only by their count."""
    document = {
        "project": plan.project,
        "environment": plan.environment,
        "branch": plan.branch,
        "base_commit": plan.base_commit,
        "git": plan.git,
        "options": dict(plan.options),
        "assets": [_plain(item) for item in plan.assets if item.action not in {"fresh", "keep"}],
        "columns": [_plain(item) for item in plan.columns],
    }
    transaction.execute(
        "insert into plan (run_id, document) values (?, ?)",
        (run_id, orjson.dumps(document, default=str).decode()),
    )


def plan_of(transaction: Transaction, run_id: int) -> Plan | None:
    """Give the plan of a run, without the assets that it left alone."""
    rows = transaction.execute("select document from plan where run_id = ?", (run_id,))
    if not rows:
        return None
    document = orjson.loads(rows[0][0])
    assets = tuple(
        PlannedAsset(
            **{
                **item,
                "key": AssetKey.parse(item["key"]),
                "details": tuple(item.get("details", ())),
            }
        )
        for item in document.pop("assets")
    )
    columns = tuple(
        ColumnChange(
            **{
                **item,
                "key": AssetKey.parse(item["key"]),
                "breaks": tuple(item.get("breaks", ())),
                "may_break": tuple(item.get("may_break", ())),
            }
        )
        for item in document.pop("columns")
    )
    return Plan(**document, assets=assets, columns=columns)


def _plain(item: PlannedAsset | ColumnChange) -> dict[str, object]:
    values = {field.name: getattr(item, field.name) for field in fields(item)}
    return {**values, "key": str(item.key)}
