# SPDX-License-Identifier: Apache-2.0
"""From names to assets: what a model's inputs mean in the whole project."""

from __future__ import annotations

from dataclasses import replace

from mainstem.errors import CycleFound, MainstemError, UserError
from mainstem.graph import Asset, Names
from mainstem.models.definition import Reference, SqlModel
from mainstem.types import AssetKey, changed


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
