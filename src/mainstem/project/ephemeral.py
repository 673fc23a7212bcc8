# SPDX-License-Identifier: Apache-2.0
"""Checks of ephemeral models: they have no rows of their own, so their readers answer for them.

In a run the checks of an ephemeral model are gates of whatever is built from it; what fails holds
the reader. Outside a run they are evaluated as if the model were a view.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mainstem import models  # what parses SQL is imported for SQL only
from mainstem.engines import register_all
from mainstem.graph import Asset, Graph
from mainstem.runs import Gate
from mainstem.types import AssetKey, CheckResult, Clock, Engine, Relation, ViewRef

if TYPE_CHECKING:
    from mainstem.runs import CancelToken

Relations = Callable[[AssetKey], Relation]


class InlinedGate:
    """A gate of an ephemeral model, on behalf of one of its readers."""

    def __init__(self, gate: Gate, reader: AssetKey, views: EphemeralViews) -> None:
        self.check_id = gate.check_id
        self.asset = reader
        self.reads = tuple(dict.fromkeys(key for one in gate.reads for key in views.behind(one)))
        self.quarantines = False
        self._gate = gate
        self._views = views

    def evaluate(self, relation: Relations, cancel: CancelToken) -> CheckResult:
        """Judge the ephemeral model's rows; the result is the reader's."""
        found = self._gate.evaluate(self._views.seen(relation), cancel)
        said = f"{self._gate.asset}: {found.message}" if found.message else found.message
        return replace(found, asset=self.asset, message=said)


class EphemeralViews:
    """The ephemeral models of a project as views.

    Args:
        graph: The project.
        engine: Tells their columns; a function, since it is made when first needed.
        clock: For `now()` in them.
    """

    def __init__(self, graph: Graph, engine: Callable[[], Engine], clock: Clock) -> None:
        self._graph = graph
        self._engine = engine
        self._clock = clock

    def read_by(self, asset: Asset) -> list[Asset]:
        """Give the ephemeral models that are part of an asset, through others too."""
        found: dict[AssetKey, Asset] = {}
        pending = list(asset.inputs) if asset.materialized != "ephemeral" else []
        while pending:
            above = self._graph.assets.get(pending.pop())
            if above is not None and above.materialized == "ephemeral" and above.key not in found:
                found[above.key] = above
                pending.extend(above.inputs)
        return list(found.values())

    def behind(self, key: AssetKey) -> tuple[AssetKey, ...]:
        """Give what a key reads if it is ephemeral; else itself."""
        asset = self._graph.assets.get(key)
        if asset is None or asset.materialized != "ephemeral":
            return (key,)
        return self._graph.effective[key].inputs

    def seen(self, relation: Relations) -> Relations:
        """Let a function that gives relations give ephemeral models, too."""

        def with_ephemeral(key: AssetKey) -> Relation:
            asset = self._graph.assets.get(key)
            if asset is None or asset.materialized != "ephemeral":
                return relation(key)
            return self._view(asset, relation)

        return with_ephemeral

    def _view(self, asset: Asset, relation: Relations) -> ViewRef:
        compiled = models.compiled_sql(asset, self._graph.assets)
        sql: str = _sql().expand(compiled.sql, when=self._clock.now())
        with self._engine().session() as session:
            register_all(session, compiled.reads, relation)
            schema = session.describe(sql)
        return ViewRef(key=asset.key, sql=sql, schema=schema, inputs=compiled.reads)


def _sql() -> Any:
    """Import what parses SQL, for SQL only: sqlglot is a tenth of loading a CSV file."""
    return import_module("mainstem.sql")
