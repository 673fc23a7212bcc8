# SPDX-License-Identifier: Apache-2.0
"""Which part of a query changed: a hash for each output column, and one for which rows there are.

Both are conservative: equal hashes mean equal columns and rows for equal inputs; different ones may
still mean the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from mainstem.sql.normal import Names, Walk, digest_of
from mainstem.sql.query import Query
from mainstem.sql.scope import written_name

_NOT_CLAUSES = frozenset({"expressions", "from_", "with_"})
_SHOWN = 60
"""Characters of an expression that stand for the name of a column without one."""


def change_parts(query: Query) -> dict[str, str]:
    """Hash a query part by part: `columns.<name>` for each output column, and `rows`."""
    select = query.shaping
    if select is None:
        return {"rows": query.normal_form}
    projections: list[exp.Expr] = select.expressions
    kept = _projections_that_shape_rows(select, projections)
    cut = [item for item in projections if id(item) not in kept] if kept else projections
    outline = query.outline
    written = outline if outline is not None and outline.is_free else _Apart(query.tree, select)
    parts = {"rows": digest_of(written.without(cut))}
    by_alias: dict[str, exp.Expr] = {
        name.casefold(): item for item in projections if (name := written_name(item))
    }
    for item in projections:
        # An expression may use the aliases of others: their definition is part of its own.
        digest = digest_of(written.alone([*_aliases_used(item, by_alias), item]))
        key = f"columns.{_name(item)}"
        parts[key] = digest if key not in parts else parts[key] + digest
    return parts


def column_lines(query: Query) -> dict[str, int]:
    """Give the line of each output column that is written out, `*` left out."""
    select = query.shaping
    lines: dict[str, int] = {}
    for item in select.expressions if select is not None else ():
        name = _name(item)
        identifier = item.args.get("alias")
        if not isinstance(identifier, exp.Identifier):
            identifier = _bare(item) or item.find(exp.Identifier)
        start = identifier.meta.get("start") if identifier is not None else None
        if start is not None and not name.endswith("*"):
            lines[name] = query.text.count("\n", 0, start) + 1
    return lines


class _Apart:
    """Writes a query anew for each of its parts: those in which names are counted on."""

    def __init__(self, tree: exp.Expr, select: exp.Select) -> None:
        self._tree = tree
        self._select = select
        self._names = Names()

    def without(self, cut: Sequence[exp.Expr]) -> list[str]:
        """Write all but some projections."""
        walk = _RowsWalk(self._select, cut={id(item) for item in cut})
        walk.emit(self._tree, Names())
        self._names = walk.names_of_select or self._names
        return walk.words

    def alone(self, items: Sequence[exp.Expr]) -> list[str]:
        """Write some projections; after `without`, which finds their names."""
        walk = Walk()
        for item in items:
            walk.emit(item, self._names)
        return walk.words


class _RowsWalk(Walk):
    """Leaves out projections of one SELECT, and keeps the names that it resolves with."""

    def __init__(self, select: exp.Select, cut: set[int]) -> None:
        super().__init__()
        self._select = select
        self._cut = cut
        self.names_of_select: Names | None = None

    def emit(self, node: exp.Expr, names: Names) -> None:
        """Write one node unless it is left out."""
        if node.parent is self._select and node.arg_key == "expressions":
            self.names_of_select = names
            if id(node) in self._cut:
                return
        super().emit(node, names)


def _projections_that_shape_rows(select: exp.Select, projections: list[exp.Expr]) -> set[int]:
    """Find the projections on which it depends which rows there are, or in what order."""
    if select.args.get("distinct") is not None:
        return {id(item) for item in projections}
    kept: set[int] = set()
    group = select.args.get("group")
    ordinals: set[int] = set()
    names: set[str] = set()
    for key, clause in select.args.items():
        if not clause or key in _NOT_CLAUSES:
            continue
        for node in clause if isinstance(clause, list) else [clause]:
            if isinstance(node, exp.Expr):
                ordinals |= _ordinals(node)
                names |= {column.name.casefold() for column in node.find_all(exp.Column)}
    groups_all = group is not None and not group.expressions
    for index, item in enumerate(projections, start=1):
        shapes = index in ordinals or (bool(names) and written_name(item).casefold() in names)
        if _is_leaf(_plain(item)):
            shapes = shapes or groups_all
        else:
            is_aggregate = item.find(exp.AggFunc) is not None
            shapes = shapes or (groups_all and not is_aggregate) or _unnests(item)
            shapes = shapes or (group is None and is_aggregate)
        if shapes:
            kept.add(id(item))
    return kept


def _is_leaf(inner: exp.Expr) -> bool:
    """Tell plain columns and constants apart, as most projections are: nothing is below them."""
    if isinstance(inner, exp.Column):
        return isinstance(inner.args["this"], exp.Identifier)
    return isinstance(inner, exp.Literal)


def _plain(item: exp.Expr) -> exp.Expr:
    """Give an expression without the name that it was given."""
    inner: exp.Expr = item.args["this"] if isinstance(item, exp.Alias) else item
    return inner


def _bare(item: exp.Expr) -> exp.Identifier | None:
    """Give the name of a column that stands alone, without the relation that it is of."""
    if isinstance(item, exp.Column) and len(item.args) == 1:
        name = item.args["this"]
        return name if isinstance(name, exp.Identifier) else None
    return None


def _unnests(item: exp.Expr) -> bool:
    return item.find(exp.Unnest, exp.Explode) is not None or "unnest" in {
        call.name.casefold() for call in item.find_all(exp.Anonymous)
    }


def _ordinals(clause: exp.Expr) -> set[int]:
    """Give the numbers by which GROUP BY and ORDER BY name projections."""
    if not isinstance(clause, exp.Group | exp.Order):
        return set()
    items = [item.this if isinstance(item, exp.Ordered) else item for item in clause.expressions]
    return {int(item.name) for item in items if isinstance(item, exp.Literal) and item.is_int}


def _aliases_used(item: exp.Expr, by_alias: dict[str, exp.Expr]) -> list[exp.Expr]:
    plain = _plain(item)
    if not by_alias or isinstance(plain, exp.Literal):
        return []
    bare = _bare(plain)
    if bare is not None and by_alias.get(bare.name.casefold(), item) is item:
        return []
    found: dict[int, exp.Expr] = {}
    open_items = [item]
    while open_items:
        for column in open_items.pop().find_all(exp.Column):
            used = by_alias.get(column.name.casefold()) if not column.table else None
            if used is not None and used is not item and id(used) not in found:
                found[id(used)] = used
                open_items.append(used)
    return list(found.values())


def _name(item: exp.Expr) -> str:
    bare = _bare(item)
    if bare is not None:
        return bare.name
    if isinstance(item, exp.Alias) and (alias := item.alias):
        return str(alias)
    if isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
        return f"{item.table}.*"
    if item.is_star:
        return "*"
    name = written_name(item) or (item.name if isinstance(item, exp.Column | exp.Dot) else "")
    if name:
        return name
    try:
        return str(item.sql("duckdb", comments=False))[:_SHOWN]
    except RecursionError:  # a long chain of operators: printing goes down once for each
        return str(item.key)
