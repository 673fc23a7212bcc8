# SPDX-License-Identifier: Apache-2.0
"""Which SELECT of a query says what its output columns are."""

from __future__ import annotations

from sqlglot import exp

from mainstem.sql.scope import sources_of


def shaping_select(tree: exp.Expr) -> exp.Select | None:
    """Find the SELECT whose projections are the output: behind brackets and `select * from cte`."""
    ctes: dict[str, exp.Expr] = {}
    for _ in range(32):
        while isinstance(tree, exp.Subquery) and not _has_clauses(tree):
            tree = tree.this
        if not isinstance(tree, exp.Select):
            return None
        clause = tree.args.get("with_")
        for cte in clause.expressions if clause is not None else ():
            ctes[cte.alias.casefold()] = cte
        inner = _passed_through(tree, ctes)
        if inner is None:
            return tree
        tree = inner
    return None


def _passed_through(select: exp.Select, ctes: dict[str, exp.Expr]) -> exp.Expr | None:
    """Give the query that `select * from x` only repeats."""
    only = select.expressions
    if len(only) != 1 or type(only[0]) is not exp.Star or any(only[0].args.values()):
        return None
    if any(
        value for key, value in select.args.items() if key not in {"expressions", "from_", "with_"}
    ):
        return None
    sources = list(sources_of(select))
    if len(sources) != 1:
        return None
    name, node = sources[0]
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query):
        alias = node.args.get("alias")
        return None if alias is not None and alias.args.get("columns") else node.this
    if not isinstance(node, exp.Table) or node.args.get("db") or node.args.get("pivots"):
        return None
    cte = ctes.pop(node.name.casefold() or name, None)
    if cte is None or cte.args["alias"].args.get("columns") or node.args.get("alias"):
        return None
    inner = cte.this
    return inner if isinstance(inner, exp.Select) else None


def _has_clauses(node: exp.Subquery) -> bool:
    return any(value for key, value in node.args.items() if key not in {"this", "alias"})
