# SPDX-License-Identifier: Apache-2.0
"""Columns, types and lineage of a query without data, and names in it that do not exist.

Asked for at plan, lineage and compile, and before a model is built; never on the loading path.
Where something cannot be known (a file, a table function, a column expression), any name is let
through: an error of this module is an error of the query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field

from mainstem.errors import SqlInvalid
from mainstem.sql.binder import Binder
from mainstem.sql.query import Query
from mainstem.sql.relation import Column, Origin, Scope, unique
from mainstem.sql.types_of import HUGEINT, UNKNOWN
from mainstem.types import AssetKey, Field, Primitive, Schema, Type, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """What a query gives, as far as it can be known without data."""

    columns: tuple[str, ...] | None
    """Names of the output in order; `None` if one is unknown, or is left to the engine."""
    types: Mapping[str, Type] = field(default_factory=dict)
    """Of the columns whose type is known."""
    schema: Schema | None = None
    """Names and types, if all of them are known."""
    shape: Schema | None = None
    """The same with the type `unknown` where it is not known: for queries that read this one."""
    lineage: Mapping[str, tuple[Origin, ...]] = field(default_factory=dict)
    """For each output column with a name the columns of assets that it is computed from, sorted."""
    reads: frozenset[Origin] = frozenset()
    """All columns that the query mentions anywhere, filters and joins included."""
    problems: tuple[SqlInvalid, ...] = ()
    """Unknown and ambiguous columns, unknown relations: each with place and suggestion."""


def infer(
    query: Query,
    schemas: Mapping[str, Schema],
    *,
    resolve: Callable[[str], AssetKey | None],
) -> Inference:
    """Infer what a query gives.

    Args:
        query: Parsed query.
        schemas: Columns of the inputs by folded asset key; what is missing is unknown.
        resolve: Tells which asset a table name, as written, means.
    """
    binder = Binder(query, schemas, resolve)
    try:
        columns = unique(binder.bind(query.tree, Scope()))
    except RecursionError:  # nested too deeply to look into, though it parsed
        return Inference(columns=None)
    problems = tuple(binder.problems.found.values())
    reads = frozenset(binder.reads)
    if columns is None:
        return Inference(columns=None, problems=problems, reads=reads)
    lineage = {
        column.name: tuple(sorted(column.origins, key=lambda origin: (origin[0], origin[1])))
        for column in columns
        if column.name
    }
    if not all(column.name for column in columns):
        return Inference(columns=None, lineage=lineage, problems=problems, reads=reads)
    big = any(word in query.text.casefold() for word in ("hugeint", "int128", "factorial"))
    types = {
        column.name: of for column in columns if (of := _stored(column, is_big=big)) is not None
    }
    fields = tuple(
        Field(name=column.name, type=types.get(column.name, UNKNOWN)) for column in columns
    )
    shape = Schema(fields=fields)
    return Inference(
        columns=tuple(column.name for column in columns),
        types=types,
        schema=shape if len(types) == len(columns) else None,
        shape=shape,
        lineage=lineage,
        reads=reads,
        problems=problems,
    )


def _stored(column: Column, *, is_big: bool) -> Type | None:
    """Give the storage type: sums of integers are kept as long (SEMANTICS, "Types")."""
    if column.type == HUGEINT:
        return None if is_big else Primitive("long")
    return column.type
