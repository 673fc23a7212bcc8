# SPDX-License-Identifier: Apache-2.0
"""Bind queries to relations: FROM clauses, CTEs, stars, set operations, and then each column."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from sqlglot import exp

from mainstem.sql.marker import REF_NAMESPACE
from mainstem.sql.query import Query
from mainstem.sql.relation import (
    Column,
    Origin,
    Relation,
    Scope,
    by_name,
    common_names,
    found_in,
    origins_of,
    rename,
    unique,
)
from mainstem.sql.scope import is_file_name, name_of, table_parts, written_name
from mainstem.sql.types_of import UNKNOWN, common_type, type_of
from mainstem.sql.unknown import Problems
from mainstem.types import AssetKey, Field, Schema, Struct, Type

_ANY_COLUMN = frozenset({"rowid", "filename", "file_row_number", "file_index"})
_PLAIN_CLAUSES = ("where", "group", "having", "qualify", "order", "windows", "limit", "offset")


class Binder:
    """Binds one query; collects problems and the columns of assets that are read."""

    def __init__(
        self,
        query: Query,
        schemas: Mapping[str, Schema],
        resolve: Callable[[str], AssetKey | None],
    ) -> None:
        self._query = query
        self._schemas = schemas
        self._resolve = resolve
        self.problems = Problems(query)
        self.reads: set[Origin] = set()

    def bind(self, node: exp.Expr, outer: Scope) -> list[Column] | None:
        """Give the output columns of a query; `None` if they cannot be known."""
        scope = Scope(outer=outer)
        self._bind_ctes(node, scope)
        if isinstance(node, exp.Select):
            return self._bind_select(node, scope)
        if isinstance(node, exp.SetOperation):
            return self._bind_set_operation(node, scope)
        if isinstance(node, exp.Subquery):
            if isinstance(node.this, exp.Query):
                columns = self.bind(node.this, scope)
                return None if node.args.get("pivots") else columns
            return None
        if isinstance(node, exp.Values):
            return self._bind_values(node)
        return None

    def _bind_ctes(self, node: exp.Expr, scope: Scope) -> None:
        clause = node.args.get("with_")
        if clause is None:
            return
        is_recursive = bool(clause.args.get("recursive"))
        for cte in clause.expressions:
            name = cte.alias
            renamed = _alias_columns(cte)
            if is_recursive and isinstance(cte.this, exp.SetOperation):
                anchor = rename(self.bind(cte.this.this, scope), renamed)
                scope.ctes[name.casefold()] = Relation(
                    name=name.casefold(), columns=anchor, shown=name
                )
            columns = unique(rename(self.bind(cte.this, scope), renamed))
            scope.ctes[name.casefold()] = Relation(
                name=name.casefold(), columns=columns, shown=name
            )

    def _add_sources(self, node: exp.Expr | None, scope: Scope) -> None:
        """Add a relation and what is joined to it."""
        if node is None:
            return
        joins = node.args.get("joins") or ()
        if isinstance(node, exp.Paren) or (
            isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table)
        ):
            self._add_sources(node.this, scope)
        else:
            scope.relations.append(self._relation(node, scope))
        for join in joins:
            self._add_join(join, scope)

    def _add_join(self, join: exp.Expr, scope: Scope) -> None:
        before = list(scope.relations)
        self._add_sources(join.this, scope)
        added = scope.relations[len(before) :]
        if str(join.args.get("kind") or "").upper() in {"SEMI", "ANTI"}:
            for relation in added:
                relation.is_in_star = False
        using = [str(part.name) for part in join.args.get("using") or ()]
        if str(join.args.get("method") or "").upper() == "NATURAL":
            using = common_names(before, added)
        for name in using:
            self._merge(name, before, added, join, scope)
        condition = join.args.get("on")
        if condition is not None:
            self.expression(condition, scope)

    def _merge(
        self,
        name: str,
        before: list[Relation],
        added: list[Relation],
        join: exp.Expr,
        scope: Scope,
    ) -> None:
        """Make one column of two that USING or NATURAL equates."""
        left = next(
            (one for one in before if one.find(name) and name.casefold() not in one.merged), None
        )
        right = next((one for one in added if one.find(name)), None)
        for side, found in ((before, left), (added, right)):
            if found is None and all(one.is_complete for one in side):
                node = next((part for part in join.args["using"] if part.name == name), join)
                self.problems.unknown_column(node, name, side, scope)
        if left is not None and right is not None:
            one, other = left.find(name), right.find(name)
            assert one is not None, "found above"
            assert other is not None, "found above"
            self.reads |= one.origins | other.origins
            both = replace(one, origins=one.origins | other.origins)
            columns = left.columns or []
            left.columns = [both if column is one else column for column in columns]
            right.merged.add(name.casefold())

    def _relation(self, node: exp.Expr, scope: Scope) -> Relation:
        name = name_of(node).casefold()
        renamed = _alias_columns(node)
        if node.args.get("pivots"):
            self._inside_of_pivot(node, scope)
            return Relation(name=name, columns=None, shown=name)
        if isinstance(node, exp.Table):
            found = self._table(node, scope)
            return replace(found, name=name, columns=rename(found.columns, renamed), merged=set())
        if isinstance(node, exp.Lateral):
            inner = node.this
            columns = self.bind(inner, scope) if isinstance(inner, exp.Query) else None
            if columns is None:
                self.expression(inner, scope)
            return Relation(name=name, columns=unique(rename(columns, renamed)), shown=name)
        if isinstance(node, exp.Query | exp.Values):
            # DuckDB's subqueries in FROM see the relations to their left, as if LATERAL.
            columns = unique(rename(self.bind(node, scope), renamed))
            return Relation(name=name, columns=columns, shown=name or "the subquery")
        for argument in node.args.get("expressions") or ():
            self.expression(argument, scope)
        return Relation(name=name, columns=None, shown=name)

    def _inside_of_pivot(self, node: exp.Expr, scope: Scope) -> None:
        """Note what a pivoted relation reads; its own columns are left alone."""
        if isinstance(node, exp.Table):
            self.reads |= self._table(node, scope).origins
        elif isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query):
            self.bind(node.this, scope)

    def _table(self, node: exp.Table, scope: Scope) -> Relation:
        parts = table_parts(node)
        if not parts or is_file_name(parts):
            return Relation(name="", columns=None, shown="")
        if len(parts) == 1:
            cte = scope.cte(parts[0].name.casefold())
            if cte is not None:
                return cte
        is_ref = len(parts) > 1 and parts[0].name == REF_NAMESPACE
        names = [part.name for part in (parts[1:] if is_ref else parts)]
        key = self._resolve(".".join(names))
        schema = self._schemas.get(key.folded) if key is not None else None
        path = tuple(name.casefold() for name in names)
        shown = str(key) if key is not None else ".".join(names)
        if key is None or schema is None:
            return Relation(name="", columns=None, shown=shown, asset=key, path=path)
        columns = [
            Column(field.name, _known_type(field), frozenset({(key, field.name)}))
            for field in schema.fields
        ]
        return Relation(name="", columns=columns, shown=shown, asset=key, path=path)

    def _bind_select(self, node: exp.Select, scope: Scope) -> list[Column] | None:
        source = node.args.get("from_")
        if source is not None:
            self._add_sources(source.this, scope)
        for join in node.args.get("joins") or ():
            self._add_join(join, scope)
        for lateral in node.args.get("laterals") or ():
            scope.relations.append(self._relation(lateral, scope))
        scope.alias_names = {
            name.casefold() for item in node.expressions if (name := written_name(item))
        }
        output: list[Column] | None = []
        for item in node.expressions:
            columns = self._projection(item, scope)
            output = None if columns is None or output is None else [*output, *columns]
            for column in columns or ():
                if written_name(item):
                    scope.aliases[column.name.casefold()] = column
        for key in _PLAIN_CLAUSES:
            clause = node.args.get(key)
            for part in clause if isinstance(clause, list) else [clause]:
                if isinstance(part, exp.Expr):
                    self.expression(part, scope)
        distinct = node.args.get("distinct")
        if distinct is not None and distinct.args.get("on") is not None:
            self.expression(distinct.args["on"], scope)
        return output

    def _projection(self, item: exp.Expr, scope: Scope) -> list[Column] | None:
        inner = item.unalias()
        if isinstance(inner, exp.Star):
            return self._star(inner, [one for one in scope.relations if one.is_in_star], scope)
        if isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star):
            return self._qualified_star(inner, scope)
        found = self.expression(inner, scope)
        if _makes_many(inner):
            return None
        name = written_name(item)
        if isinstance(inner, exp.Column) and not name:
            return [replace(found, name=found.name or inner.name)]
        # Without a name the engine prints the expression, in its own way.
        return [replace(found, name=name)]

    def _qualified_star(self, node: exp.Column, scope: Scope) -> list[Column] | None:
        name = node.table.casefold()
        around: Scope | None = scope
        while around is not None:
            relation = next((one for one in around.relations if one.name == name), None)
            if relation is not None:
                return self._star(node.this, [relation], scope, keeps_merged=True)
            around = around.outer
        found = self._lookup(exp.column(name), scope)
        if found is not None and isinstance(found.type, Struct):
            return [Column(one.name, one.type, found.origins) for one in found.type.fields]
        if found is None and scope.is_known:
            self.problems.unknown_relation(node, node.args["table"], scope)
        return None

    def _star(
        self,
        star: exp.Expr,
        relations: list[Relation],
        scope: Scope,
        *,
        keeps_merged: bool = False,
    ) -> list[Column] | None:
        excluded = {_last_name(part) for part in star.args.get("except_") or ()}
        replaced = {one.alias.casefold(): one for one in star.args.get("replace") or ()}
        renamed = {_last_name(one.this): one.alias for one in star.args.get("rename") or ()}
        self._require(star, relations, scope)
        if any(relation.columns is None for relation in relations):
            for one in replaced.values():
                self.expression(one.this, scope)
            return None
        output = []
        for relation in relations:
            for column in relation.columns or ():
                folded = column.name.casefold()
                if folded in excluded or (folded in relation.merged and not keeps_merged):
                    continue
                self.reads |= column.origins
                if folded in replaced:
                    found = self.expression(replaced[folded].this, scope)
                    output.append(replace(found, name=column.name))
                else:
                    output.append(replace(column, name=renamed.get(folded, column.name)))
        return output

    def _require(self, star: exp.Expr, relations: list[Relation], scope: Scope) -> None:
        """Find names in EXCLUDE, REPLACE and RENAME that are no column."""
        if not all(relation.is_complete for relation in relations):
            return
        parts = [*(star.args.get("except_") or ())]
        parts += [one.this for one in star.args.get("rename") or ()]
        parts += [one.args["alias"] for one in star.args.get("replace") or ()]
        for part in parts:
            name = part.name
            if not any(relation.find(name) for relation in relations):
                identifier = part.find(exp.Identifier) or part
                self.problems.unknown_column(identifier, name, relations, scope)

    def _bind_set_operation(self, node: exp.SetOperation, scope: Scope) -> list[Column] | None:
        left, right = self.bind(node.this, scope), self.bind(node.expression, scope)
        if left is None or right is None:
            return None
        if node.args.get("by_name"):
            return by_name(left, right)
        if len(left) != len(right):
            return left
        return [
            Column(one.name, common_type((one.type, other.type)), one.origins | other.origins)
            for one, other in zip(left, right, strict=True)
        ]

    def _bind_values(self, node: exp.Values) -> list[Column] | None:
        rows = [row for row in node.expressions if isinstance(row, exp.Tuple)]
        if not rows:
            return None
        width = len(rows[0].expressions)
        columns = []
        for index in range(width):
            cells = [row.expressions[index] for row in rows if index < len(row.expressions)]
            of = common_type(self._type(cell, Scope()) for cell in cells)
            columns.append(Column(f"col{index}", of))
        return columns

    def expression(self, node: exp.Expr, scope: Scope) -> Column:
        """Bind all columns of an expression; gives its type and origins, without a name."""
        origins: set[Origin] = set()
        for part in _parts(node):
            if isinstance(part, exp.Column):
                found = self._column(part, scope)
                origins |= found.origins if found is not None else set()
            elif isinstance(part, exp.Dot):
                found = self._lookup(exp.column(str(part.this.this)), scope)
                origins |= found.origins if found is not None else set()
            else:
                origins |= origins_of(self.bind(part, scope) or ())
        self.reads |= origins
        name = ""
        if isinstance(node, exp.Column):
            bound = self._lookup(node, scope)
            name = bound.name if bound is not None else ""
        return Column(name, self._type(node, scope), frozenset(origins))

    def _type(self, node: exp.Expr, scope: Scope) -> Type | None:
        if isinstance(node, exp.Column):
            found = self._lookup(node, scope)
            return found.type if found is not None else None
        if isinstance(node, exp.Query):
            columns = Binder(self._query, self._schemas, self._resolve).bind(node, scope)
            return columns[0].type if columns else None
        return type_of(node, lambda child: self._type(child, scope))

    def _column(self, node: exp.Column, scope: Scope) -> Column | None:
        """Bind one column, or note that there is none."""
        if isinstance(node.this, exp.Star):
            return None
        found = self._lookup(node, scope)
        if found is not None:
            self.problems.require_unambiguous(node, scope)
            return found
        if node.name.casefold() in _ANY_COLUMN:
            return None
        qualifier = node.args.get("table")
        relation = self._relation_named(qualifier.name.casefold(), scope) if qualifier else None
        if relation is not None and relation.is_complete:
            self.problems.unknown_column(node.this, node.name, [relation], scope)
        elif not scope.is_known:
            return None
        elif qualifier is not None:
            first = node.args.get("catalog") or node.args.get("db") or qualifier
            self.problems.unknown_relation(node, first, scope)
        else:
            self.problems.unknown_column(node.this, node.name, scope.relations, scope)
        return None

    def _lookup(self, node: exp.Column, scope: Scope) -> Column | None:
        """Find what a column means, looking outwards; `None` if nothing fits."""
        parts = [node.args.get(name) for name in ("catalog", "db", "table", "this")]
        names = [part.name.casefold() for part in parts if part is not None]
        if names[0] == REF_NAMESPACE.casefold():
            names = names[1:]
        around: Scope | None = scope
        while around is not None:
            found = found_in(around, names)
            if found is not None:
                return found
            around = around.outer
        return None

    def _relation_named(self, name: str, scope: Scope) -> Relation | None:
        around: Scope | None = scope
        while around is not None:
            for relation in around.relations:
                if relation.name == name:
                    return relation
            around = around.outer
        return None


def _known_type(field: Field) -> Type | None:
    return None if field.type == UNKNOWN else field.type


def _parts(node: exp.Expr) -> Iterator[exp.Expr]:
    """Give the columns and the queries of an expression, not what is inside those queries."""
    hidden: set[str] = set()
    open_nodes: list[exp.Expr] = [node]
    while open_nodes:
        current = open_nodes.pop()
        if isinstance(current, exp.Query):
            yield current
            continue
        if isinstance(current, exp.Comprehension):
            names = [current.args.get("expression"), current.args.get("position")]
            hidden |= {one.name.casefold() for one in names if isinstance(one, exp.Expr)}
        if isinstance(current, exp.Column):
            first = (
                current.args.get("catalog") or current.args.get("db") or current.args.get("table")
            )
            if (first or current).name.casefold() not in hidden:
                yield current
            continue
        if isinstance(current, exp.Dot) and isinstance(current.this, exp.Identifier):
            yield current
        if isinstance(current, exp.Columns):
            continue
        open_nodes.extend(reversed(list(current.iter_expressions())))


def _makes_many(node: exp.Expr) -> bool:
    """Tell whether a projection may give several columns: COLUMNS(...), unnest of a struct."""
    return (
        node.find(exp.Columns) is not None
        or isinstance(node, exp.Explode | exp.Unnest)
        or (
            node.find(exp.Star) is not None
            and not isinstance(node, exp.Query)
            and not node.find(exp.Count)
        )
    )


def _last_name(node: exp.Expr) -> str:
    return str(node.name).casefold()


def _alias_columns(node: exp.Expr) -> list[str]:
    alias = node.args.get("alias")
    columns = alias.args.get("columns") if isinstance(alias, exp.TableAlias) else None
    return [str(column.name) for column in columns or ()]
