# SPDX-License-Identifier: Apache-2.0
"""What the names in a FROM clause stand for: shared by the normal form and by inference."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlglot import exp

_FILE_NAME = re.compile(
    r"://|[/\\]|\.(csv|tsv|txt|parquet|json|jsonl|ndjson|xlsx|arrow|feather|db|duckdb)(\.(gz|zst))?$",
    re.IGNORECASE,
)


def sources_of(node: exp.Expr | None) -> Iterator[tuple[str, exp.Expr]]:
    """List the relations of a SELECT's FROM and joins as (name without case, node), in order."""
    if node is None:
        return
    if isinstance(node, exp.Select):
        source = node.args.get("from_")
        if source is not None:
            yield from sources_of(source.this)
        for clause in ("joins", "laterals"):
            for item in node.args.get(clause) or ():
                yield from sources_of(item.this if isinstance(item, exp.Join) else item)
        return
    if isinstance(node, exp.Paren) or (
        isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table)
    ):
        yield from sources_of(node.this)
        if node.alias:
            yield node.alias.casefold(), node
    else:
        yield name_of(node).casefold(), node
    for join in node.args.get("joins") or ():
        yield from sources_of(join.this)


def name_of(node: exp.Expr) -> str:
    """Give the name by which columns refer to a relation; empty if it has none."""
    pivots = node.args.get("pivots")
    if pivots and pivots[-1].alias:
        return str(pivots[-1].alias)
    alias = node.args.get("alias")
    if alias is not None and alias.name:
        return str(alias.name)
    if isinstance(node, exp.Table):
        inner = node.this
        if isinstance(inner, exp.Identifier):
            return str(inner.this)
        if isinstance(inner, exp.Anonymous):
            return str(inner.name)
        return str(inner.sql_name()) if isinstance(inner, exp.Func) else ""
    if isinstance(node, exp.Lateral):
        return name_of(node.this) if node.this is not None else ""
    return "unnest" if isinstance(node, exp.Unnest) else ""


def written_name(item: exp.Expr) -> str:
    """Give the name that a projection was given with `as`; empty if none."""
    # A window without alias has the name of its WINDOW clause in the same argument.
    return str(item.alias) if isinstance(item, exp.Alias | exp.Subquery) else ""


def table_parts(table: exp.Table) -> tuple[exp.Identifier, ...]:
    """Give the identifiers of a table name, outermost first; empty for table functions."""
    parts = [table.args.get("catalog"), table.args.get("db"), table.this]
    named = [part for part in parts if part is not None and part != ""]
    flat: list[exp.Expr] = []
    for part in named:
        flat.extend(part.flatten() if isinstance(part, exp.Dot) else (part,))
    if not all(isinstance(part, exp.Identifier) for part in flat):
        return ()
    return tuple(part for part in flat if isinstance(part, exp.Identifier))


def is_file_name(parts: tuple[exp.Identifier, ...]) -> bool:
    """Tell whether DuckDB would read a single quoted name as a file."""
    return len(parts) == 1 and bool(parts[0].quoted) and bool(_FILE_NAME.search(parts[0].name))
