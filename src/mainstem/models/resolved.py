# SPDX-License-Identifier: Apache-2.0
"""From names to assets: what a model's inputs mean in the whole project, and the SQL that runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mainstem.errors import MainstemError, UserError
from mainstem.graph import Asset, Names
from mainstem.models.definition import SqlModel
from mainstem.sql import parse, qualify
from mainstem.types import AssetKey


def resolve_inputs(asset: Asset, names: Names) -> tuple[Asset, tuple[MainstemError, ...]]:
    """Fill in the inputs of a SQL model.

    Args:
        asset: As loaded.
        names: All asset keys of the project, and the lake's tables that it may read.

    Returns:
        The asset with `inputs`, `after` and the model's `names`; and what could not be resolved.
    """
    model = asset.definition
    if not isinstance(model, SqlModel):
        return asset, ()
    problems: list[MainstemError] = []
    meaning: dict[str, AssetKey] = {asset.key.folded: asset.key}
    inputs: dict[AssetKey, None] = {}
    after: dict[AssetKey, None] = {}
    both = ((model.references, inputs), (model.after, after))
    for references, found in both:
        for reference in references:
            try:
                where = replace(reference.where, asset=str(asset.key))
                key = names.resolve(reference.name, namespace=asset.key.namespace, where=where)
            except UserError as error:
                problems.append(error)
                continue
            if found is inputs:
                meaning[reference.name.casefold()] = key
            if key != asset.key:
                found[key] = None
    resolved = replace(model, names=meaning)
    return (
        replace(asset, inputs=tuple(inputs), after=tuple(after), definition=resolved),
        tuple(problems),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledSql:
    """SQL of a model with full names and ephemeral models inlined; times are still open."""

    key: AssetKey
    sql: str
    incremental_sql: str
    """What an increment runs; equal to `sql` if the template makes no difference."""
    reads: tuple[AssetKey, ...]
    """Tables and views behind it, those of ephemeral models included."""


def compiled_sql(asset: Asset, assets: Mapping[AssetKey, Asset]) -> CompiledSql:
    """Compile a resolved SQL model.

    Args:
        asset: The model, after `resolve_inputs`.
        assets: The project's, to look up ephemeral models.
    """
    model = asset.definition
    assert isinstance(model, SqlModel), "only SQL models are compiled"
    inlined: dict[AssetKey, str] = {}
    reads: dict[AssetKey, None] = {}
    for key in asset.inputs:
        source = assets.get(key)
        if source is not None and source.materialized == "ephemeral":
            inner = compiled_sql(source, assets)
            inlined[key] = inner.sql
            reads |= dict.fromkeys(inner.reads)
        else:
            reads[key] = None
    sql = qualify(parse(model.sql, file=asset.file), model.names, ephemeral=inlined)
    incremental = model.incremental_sql
    return CompiledSql(
        key=asset.key,
        sql=sql,
        incremental_sql=qualify(parse(incremental, file=asset.file), model.names, ephemeral=inlined)
        if incremental
        else sql,
        reads=tuple(reads),
    )
