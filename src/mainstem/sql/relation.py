# SPDX-License-Identifier: Apache-2.0
"""Relations as inference sees them: columns with types and origins, and the scopes they are in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from mainstem.sql.types_of import common_type, field_type
from mainstem.types import AssetKey, Struct, Type

Origin = tuple[AssetKey, str]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a relation."""

    name: str
    """Empty: the engine will name it."""
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
    def is_complete(self) -> bool:
        """Whether all columns and their names are known."""
        return self.columns is not None and all(column.name for column in self.columns)

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
        here = all(relation.is_complete for relation in self.relations)
        return here and (self.outer is None or self.outer.is_known)


def origins_of(columns: Iterable[Column]) -> frozenset[Origin]:
    """Join the origins of columns."""
    return frozenset().union(*(column.origins for column in columns))


def found_in(scope: Scope, names: list[str]) -> Column | None:
    """Find a column in the relations of one scope: by relation first, then as a struct's field."""
    # schema.table.column..., table.column..., column...
    for relation in scope.relations:
        path = relation.path
        if len(names) > len(path) > 1 and tuple(names[: len(path)]) == path:
            column = relation.find(names[len(path)])
            if column is not None:
                return inside(column, names[len(path) + 1 :])
    if len(names) > 1:
        for relation in scope.relations:
            if relation.name == names[0]:
                column = relation.find(names[1])
                if column is not None:
                    return inside(column, names[2:])
    for relation in scope.relations:
        column = relation.find(names[0])
        if column is not None and names[0] not in relation.merged:
            return inside(column, names[1:])
    alias = scope.aliases.get(names[0])
    if alias is not None:
        return inside(alias, names[1:])
    if names[0] in scope.alias_names:
        return Column("")
    if len(names) == 1:
        for relation in scope.relations:
            if relation.name == names[0]:
                return Column("", None, relation.origins)
    return None


def inside(column: Column, names: list[str]) -> Column:
    """Go into the fields of a struct."""
    of = column.type
    for name in names:
        of = field_type(of, name) if isinstance(of, Struct) else None
    return replace(column, name=names[-1], type=of) if names else column


def unique(columns: list[Column] | None) -> list[Column] | None:
    """Tell that names which repeat make the columns unknown: the engine renames or refuses them."""
    if columns is None:
        return None
    names = [column.name.casefold() for column in columns if column.name]
    return columns if len(set(names)) == len(names) else None


def rename(columns: list[Column] | None, names: list[str]) -> list[Column] | None:
    """Rename columns by position, as `as t(a, b)` does."""
    if not names:
        return None if columns is None else list(columns)
    if columns is None:
        return [Column(name) for name in names]
    given = [replace(column, name=name) for column, name in zip(columns, names, strict=False)]
    return [*given, *columns[len(names) :]]


def common_names(left: list[Relation], right: list[Relation]) -> list[str]:
    """Give the names that both sides of a NATURAL join have."""
    return [
        column.name
        for relation in right
        for column in relation.columns or ()
        if any(one.find(column.name) for one in left)
    ]


def by_name(left: list[Column], right: list[Column]) -> list[Column]:
    """Match the columns of UNION BY NAME."""
    others = {column.name.casefold(): column for column in right}
    output = []
    for column in left:
        other = others.pop(column.name.casefold(), None)
        if other is None:
            output.append(column)
        else:
            of = common_type((column.type, other.type))
            output.append(Column(column.name, of, column.origins | other.origins))
    return [*output, *others.values()]
