# SPDX-License-Identifier: Apache-2.0
"""Contracts of models: the columns and types that were promised, compared with what comes out."""

from __future__ import annotations

from mainstem.errors import ContractBroken, Where
from mainstem.graph import Asset
from mainstem.models.definition import SqlModel
from mainstem.types import Schema, Session


def require_contract(session: Session, asset: Asset, schema: Schema) -> None:
    """Compare a result's columns with the contract; nothing is cast silently.

    Raises:
        ContractBroken: A column is missing, was not promised, or has another type; names all.
    """
    model = asset.definition
    if not isinstance(model, SqlModel) or not model.contract:
        return
    casts = ", ".join(f'cast(null as {of}) as "{name}"' for name, of in model.contract)
    promised = session.describe(f"select {casts}")
    faults = [_fault(field.name, str(field.type), schema) for field in promised]
    faults += [
        f"`{field.name}` ({field.type}) was not promised"
        for field in schema
        if promised.field(field.name) is None
    ]
    found = [fault for fault in faults if fault]
    if found:
        raise ContractBroken(
            "A2050",
            f"{asset.key} does not keep its contract: {'; '.join(found)}.",
            hint="Change the query (with a cast, for example) or the promise under `columns:`.",
            where=Where(file=asset.file, line=asset.line, asset=str(asset.key)),
        )


def _fault(name: str, promised: str, schema: Schema) -> str:
    field = schema.field(name)
    if field is None:
        return f"`{name}` ({promised}) is missing"
    if str(field.type) != promised:
        return f"`{name}` is {field.type}, promised was {promised}"
    return ""
