# SPDX-License-Identifier: Apache-2.0
"""Relations as inference sees them: columns with types and origins, and the scopes they are in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mainstem.types import AssetKey, Type

Origin = tuple[AssetKey, str]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a relation."""

    name: str
    type: Type | None = None
    """`None`: not known."""
    origins: frozenset[Origin] = frozenset()
    """Columns of assets that it is computed from."""


@dataclass(slots=True, kw_only=True)
class Relation:
    """What a FROM clause names."""

    name: str
    """By which columns refer to it, without case; empty if it has none."""
    columns: list[Column] | None
    """`None`: unknown, so any column may be there."""
    shown: str = ""
    """What errors call it: `raw.flights`."""
    asset: AssetKey | None = None
    path: tuple[str, ...] = ()
    """Its full name without case: `("raw", "flights")`."""
    is_in_star: bool = True
    """False for the right side of semi and anti joins."""
    merged: set[str] = field(default_factory=set)
    """Columns that a USING clause took over into an earlier relation."""

    def find(self, name: str) -> Column | None:
        """Find a column without case."""
        folded = name.casefold()
        return next((one for one in self.columns or () if one.name.casefold() == folded), None)

    @property
    def origins(self) -> frozenset[Origin]:
        """All columns together: what a whole row is computed from."""
        return origins_of(self.columns or ())


@dataclass(slots=True, kw_only=True)
class Scope:
    """The relations of one SELECT, and the scopes around it."""

    outer: Scope | None = None
    relations: list[Relation] = field(default_factory=list)
    ctes: dict[str, Relation] = field(default_factory=dict)
    aliases: dict[str, Column] = field(default_factory=dict)
    """Output columns named so far, without case: DuckDB lets other clauses use them."""
    alias_names: set[str] = field(default_factory=set)
    """All names given to output columns."""

    def cte(self, name: str) -> Relation | None:
        """Find a CTE here or in the scopes around."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.ctes:
                return scope.ctes[name]
            scope = scope.outer
        return None

    @property
    def is_known(self) -> bool:
        """Whether the columns of all relations, here and around, are known."""
        here = all(relation.columns is not None for relation in self.relations)
        return here and (self.outer is None or self.outer.is_known)


def origins_of(columns: Iterable[Column]) -> frozenset[Origin]:
    """Join the origins of columns."""
    return frozenset().union(*(column.origins for column in columns))
