# SPDX-License-Identifier: Apache-2.0
"""What the names in a FROM clause stand for: shared by the normal form and by inference."""

from __future__ import annotations

import re

from sqlglot import exp

from mainstem.sql.marker import REF_NAMESPACE
from mainstem.types import dataclass

_NAMED = (exp.Alias, exp.Subquery)
_FILE_NAME = re.compile(
    r"://|[/\\]|\.(csv|tsv|txt|parquet|json|jsonl|ndjson|xlsx|arrow|feather|db|duckdb)(\.(gz|zst))?$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableName:
    """One mention of a table that is not a CTE; offsets count characters of the query's text."""

    parts: tuple[str, ...]
    """As written, outermost first: `("raw", "flights")`."""
    start: int
    end: int
    """Offset behind the last character."""
    is_aliased: bool
    is_ref: bool = False
    """Written by a template's `ref`: the marker namespace is not part of `parts`."""

    @property
    def name(self) -> str:
        """The parts joined by dots."""
        return ".".join(self.parts)


def sources_of(node: exp.Expr | None) -> list[tuple[str, exp.Expr]]:
    """List the relations of a SELECT's FROM and joins as (name without case, node), in order."""
    found: list[tuple[str, exp.Expr]] = []
    _add_sources(node, found)
    return found


def _add_sources(node: exp.Expr | None, found: list[tuple[str, exp.Expr]]) -> None:
    if node is None:
        return
    if isinstance(node, exp.Select):
        source = node.args.get("from_")
        if source is not None:
            _add_sources(source.this, found)
        for clause in ("joins", "laterals"):
            for item in node.args.get(clause) or ():
                _add_sources(item.this if isinstance(item, exp.Join) else item, found)
        return
    if isinstance(node, exp.Paren) or (
        isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table)
    ):
        _add_sources(node.this, found)
        if node.alias:
            found.append((node.alias.casefold(), node))
    else:
        found.append((name_of(node).casefold(), node))
    for join in node.args.get("joins") or ():
        _add_sources(join.this, found)


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
    return str(item.alias) if isinstance(item, _NAMED) else ""


def table_parts(table: exp.Table) -> tuple[exp.Identifier, ...]:
    """Give the identifiers of a table name, outermost first; empty for table functions."""
    arguments = table.args
    name, namespace = arguments.get("this"), arguments.get("db")
    if namespace is None and isinstance(name, exp.Identifier):
        return (name,)  # as most are written: a database stands before a namespace only
    parts = [arguments.get("catalog"), namespace, name]
    named = [part for part in parts if part is not None and part != ""]
    flat: list[exp.Expr] = []
    for part in named:
        flat.extend(part.flatten() if isinstance(part, exp.Dot) else (part,))
    if not all(isinstance(part, exp.Identifier) for part in flat):
        return ()
    return tuple(part for part in flat if isinstance(part, exp.Identifier))


def table_name(parts: tuple[exp.Identifier, ...], *, is_aliased: bool) -> TableName:
    """Note a table by the identifiers of its name."""
    names = tuple([part.name for part in parts])
    is_ref = len(names) > 1 and names[0] == REF_NAMESPACE
    start = parts[0].meta.get("start", 0)
    return TableName(
        parts=names[1:] if is_ref else names,
        start=start,
        end=parts[-1].meta.get("end", start) + 1,
        is_aliased=is_aliased,
        is_ref=is_ref,
    )


def is_file_name(parts: tuple[exp.Identifier, ...]) -> bool:
    """Tell whether DuckDB would read a single quoted name as a file."""
    return len(parts) == 1 and bool(parts[0].quoted) and bool(_FILE_NAME.search(parts[0].name))
