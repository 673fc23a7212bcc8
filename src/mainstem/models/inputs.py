# SPDX-License-Identifier: Apache-2.0
"""Make a step's inputs readable in a session, views with all that is behind them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from mainstem.runs import StepContext
from mainstem.sql import pin_time
from mainstem.types import AssetKey, Session, ViewRef


def register_inputs(session: Session, context: StepContext, keys: Iterable[AssetKey]) -> None:
    """Register tables and views, inputs of views first; each once.

    A view's `now()` is pinned to the run's logical time, so that it agrees with every other step.

    Raises:
        AssetNotFound: An input was never built.
    """
    registered: set[AssetKey] = set()
    for key in keys:
        _register(session, context, key, registered)


def _register(
    session: Session, context: StepContext, key: AssetKey, registered: set[AssetKey]
) -> None:
    if key in registered:
        return
    registered.add(key)
    relation = context.relation(key)
    if isinstance(relation, ViewRef):
        for name in relation.inputs:
            _register(session, context, name, registered)
        relation = replace(relation, sql=pinned(session, relation.sql, context.logical_time))
    session.register(relation)


def pinned(session: Session, sql: str, when: datetime) -> str:
    """Pin the time of a query; output columns keep the names that they have without."""
    fixed = pin_time(sql, when)
    if fixed == sql:
        return sql
    names = session.describe(sql).names
    if session.describe(fixed).names == names:
        return fixed
    # DuckDB names a column after its expression: `now()` would be called by the time.
    columns = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    return f"select * from (\n{fixed}\n) as pinned({columns})"
