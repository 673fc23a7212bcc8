# SPDX-License-Identifier: Apache-2.0
"""Columns, types and lineage of a project's models, on the ground of what the lake has.

Sources and Python assets have the columns that they had when they were last built; SQL models have
those that their text gives. What was never built is unknown, and unknown columns are let through:
the engine will say what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mainstem.errors import AssetNotFound, MainstemError, SqlInvalid
from mainstem.graph import Asset, Graph
from mainstem.lake import Lake
from mainstem.models import SqlModel
from mainstem.project.problems import raise_problems
from mainstem.types import AssetKey, Schema

if TYPE_CHECKING:
    from mainstem.sql import Inference

Origins = Mapping[str, tuple[tuple[AssetKey, str], ...]]


class Analysis:
    """Answers about columns, worked out when asked and kept.

    Args:
        graph: The project.
        lake: Where tables are.
        at: The ref whose tables are the ground.
        coming: Assets whose columns may be others by the time they are read: they are unknown.
        columns_of: Gives the columns of a view of the lake: those it was defined with may be old.
    """

    def __init__(
        self,
        graph: Graph,
        lake: Lake,
        *,
        at: str,
        columns_of: Callable[[AssetKey], Schema],
        coming: frozenset[AssetKey] = frozenset(),
    ) -> None:
        self._columns_of = columns_of
        self._graph = graph
        self._coming = coming
        self._beyond = frozenset(graph.downstream(coming)) if coming else coming
        self._lake = lake
        self._commit = lake.resolve(at).id
        self._entries = lake.entries(self._commit)
        self._inferred: dict[AssetKey, Inference] = {}
        self._schemas: dict[AssetKey, Schema | None] = {}

    def schema_of(self, key: AssetKey) -> Schema | None:
        """Give an asset's columns as they would be built; `None` if they are not known."""
        if key not in self._schemas:
            asset = self._graph.assets.get(key)
            is_sql = asset is not None and isinstance(asset.definition, SqlModel)
            schema = self._inference(asset).schema if asset is not None and is_sql else None
            self._schemas[key] = schema if schema is not None else self._built(key)
        return self._schemas[key]

    def lineage_of(self, key: AssetKey) -> Origins:
        """Give for each column of a SQL model the columns that it is computed from."""
        asset = self._graph.assets.get(key)
        if asset is None or not isinstance(asset.definition, SqlModel):
            schema = self.schema_of(key)
            return {} if schema is None else dict.fromkeys(schema.names, ())
        return self._inference(asset).lineage

    def compares_unnamed(self, key: AssetKey) -> bool:
        """Tell whether a new column of an input could change a model that does not read it."""
        asset = self._graph.assets.get(key)
        if asset is None or not isinstance(asset.definition, SqlModel):
            return True
        unnamed: bool = _sql().compares_unnamed(_sql().parse(asset.definition.sql, file=asset.file))
        return unnamed

    def require(self, keys: Iterable[AssetKey]) -> None:
        """Find names in SQL models that do not exist.

        Raises:
            SqlInvalid: There are some (`ErrorGroup` for several).
        """
        problems: list[MainstemError] = []
        for key in keys:
            asset = self._graph.assets.get(key)
            if asset is not None and isinstance(asset.definition, SqlModel):
                model = asset.definition
                problems += [_in_file(found, model) for found in self._inference(asset).problems]
        raise_problems(problems)

    def _inference(self, asset: Asset) -> Inference:
        found = self._inferred.get(asset.key)
        if found is None:
            self._settle_inputs(asset)
            found = self._infer(asset)
            self._inferred[asset.key] = found
        return found

    def _settle_inputs(self, asset: Asset) -> None:
        """Inputs first, in building order: chains may be longer than Python's stack."""
        for key in self._graph.sorted(self._graph.upstream([asset.key])):
            above = self._graph[key]
            if isinstance(above.definition, SqlModel) and key not in self._inferred:
                self._inferred[key] = self._infer(above)
                self.schema_of(key)

    def _infer(self, asset: Asset) -> Inference:
        model = asset.definition
        assert isinstance(model, SqlModel), "asked for SQL models only"
        known = {
            key.folded: schema
            for key in (*asset.inputs, asset.key)
            if (schema := self._known(key, of=asset)) is not None
        }

        def meaning(name: str) -> AssetKey | None:
            return model.names.get(name.casefold())

        query = _sql().parse(model.sql, file=asset.file)
        inferred: Inference = _sql().infer(query, known, resolve=meaning)
        return inferred

    def _known(self, key: AssetKey, *, of: Asset) -> Schema | None:
        above = self._graph.assets.get(key)
        if key == of.key or above is None or not isinstance(above.definition, SqlModel):
            return self._built(key) if key == of.key else self.schema_of(key)
        shape = self._inference(above).shape
        if shape is not None:
            return shape
        # What was built tells the columns only while the model's text is that of then.
        entry = self._entries.get(key)
        is_as_built = (
            entry is not None
            and entry.provenance.code_version == above.code_version
            and key not in self._beyond
        )
        return self._built(key) if is_as_built else None

    def _built(self, key: AssetKey) -> Schema | None:
        if key not in self._entries or key in self._coming:
            return None
        try:
            if self._entries[key].kind == "view":
                return self._columns_of(key)
            return self._lake.relation(key, self._commit).schema
        except AssetNotFound:
            return None


def _in_file(problem: SqlInvalid, model: SqlModel) -> SqlInvalid:
    """Point at the model's own text where a template made the SQL."""
    if model.template and problem.where is not None:
        problem.where = _sql().relocate(problem.where, model.template)
    return problem


def _sql() -> Any:
    """Import what parses SQL, for SQL only: sqlglot is a tenth of loading a CSV file."""
    return import_module("mainstem.sql")
