# SPDX-License-Identifier: Apache-2.0
"""What runs of a resolved SQL model: with full names, and ephemeral models inlined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mainstem.errors import SqlInvalid, Where
from mainstem.graph import Asset
from mainstem.models.definition import SqlModel
from mainstem.sql import infer, parse, qualify, relocate
from mainstem.types import AssetKey, Schema, dataclass


def unknown_names(asset: Asset, schemas: Mapping[str, Schema]) -> tuple[SqlInvalid, ...]:
    """Find columns and relations in a resolved model that do not exist.

    Args:
        asset: The model.
        schemas: Columns of its inputs by folded key; what is missing is unknown and let through.
    """
    model = asset.definition
    assert isinstance(model, SqlModel), "only SQL models have a query"
    found: dict[tuple[int, int, str], SqlInvalid] = {}
    for sql in (model.sql, model.incremental_sql):
        query = parse(sql, file=asset.file) if sql else None
        if query is None:
            continue
        inferred = infer(query, schemas, resolve=lambda name: model.names.get(name.casefold()))
        for problem in inferred.problems:
            where = problem.where or Where(file=asset.file)
            if model.template:
                where = relocate(where, model.template)
            problem.where = replace(where, asset=str(asset.key))
            found.setdefault((where.line, where.column, problem.summary), problem)
    return tuple(found.values())


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
