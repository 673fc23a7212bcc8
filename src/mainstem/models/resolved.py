# SPDX-License-Identifier: Apache-2.0
"""From names to assets: what a model's inputs mean in the whole project, and the SQL that runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mainstem.errors import CycleFound, MainstemError, SqlInvalid, UserError, Where
from mainstem.graph import Asset, Names
from mainstem.models.definition import Reference, SqlModel
from mainstem.sql import infer, parse, qualify, relocate
from mainstem.types import AssetKey, Schema, changed, dataclass


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
                key = _meaning(reference, asset.key, names)
            except UserError as error:
                error.where = replace(reference.where, asset=str(asset.key))
                problems.append(error)
                continue
            if found is inputs:
                meaning[reference.name.casefold()] = key
            if key != asset.key:
                found[key] = None
    resolved = changed(model, names=meaning)
    return (
        changed(asset, inputs=tuple(inputs), after=tuple(after), definition=resolved),
        tuple(problems),
    )


def _meaning(reference: Reference, own: AssetKey, names: Names) -> AssetKey:
    """Give the asset that a name means in a model; a bare name never means the model itself.

    So `staging/flights.sql` may say `from flights` and read `raw.flights`.
    """
    name = reference.name
    candidates = names.candidates(name, namespace=own.namespace)
    if len(candidates) == 1 and candidates[0] != own:
        return candidates[0]
    if candidates == [own]:
        others = [key for key in names.candidates(name) if key != own]
        if len(others) == 1:
            return others[0]
        raise CycleFound(
            "A2005",
            f"{own} reads itself: `{name}` is its own name.",
            hint=f"Write namespace.name: {', '.join(map(str, others))}."
            if others
            else "Only an incremental model may, and as {{ this }}.",
            where=reference.where,
        )
    return names.resolve(name, namespace=own.namespace, where=reference.where)


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
