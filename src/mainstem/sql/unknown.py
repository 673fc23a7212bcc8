# SPDX-License-Identifier: Apache-2.0
"""Names in a query that do not exist or are not clear: each with place and suggestion."""

from __future__ import annotations

from sqlglot import exp

from mainstem.errors import SqlInvalid
from mainstem.sql.marker import REF_NAMESPACE
from mainstem.sql.place import where_at
from mainstem.sql.query import Query
from mainstem.sql.relation import Relation, Scope
from mainstem.types import nearest


class Problems:
    """Collects what is wrong with the names of one query; one problem for each place."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self.found: dict[int, SqlInvalid] = {}

    def require_unambiguous(self, node: exp.Column, scope: Scope) -> None:
        """Note a bare column that several relations have (A2044)."""
        if node.args.get("table") is not None or not scope.is_known:
            return
        name = node.name.casefold()
        holders = [
            one for one in scope.relations if one.find(name) is not None and name not in one.merged
        ]
        if (
            len(holders) < 2
            or any(not one.is_in_star for one in holders)
            or name in scope.alias_names
        ):
            return
        shown = " and ".join(dict.fromkeys(one.shown or one.name for one in holders))
        self._add(
            node.this,
            "A2044",
            f"column `{node.name}` is in {shown}.",
            hint=f"Say which one: {holders[0].name}.{node.name}.",
        )

    def unknown_column(
        self, node: exp.Expr, name: str, relations: list[Relation], scope: Scope
    ) -> None:
        """Note a column that none of `relations` has (A2041)."""
        known = [column.name for one in relations for column in one.columns or ()]
        known += sorted(scope.alias_names)
        close = nearest(name, known)
        named = [one for one in relations if one.shown]
        place = " or ".join(dict.fromkeys(one.shown for one in named)) or "this query"
        only = relations[0] if len(relations) == 1 else None
        hint = ""
        if only is not None and only.columns is not None and only.is_complete:
            count = len(only.columns)
            more = f": mainstem show {only.asset}" if only.asset is not None else ""
            listed = "" if more else f" ({', '.join(one.name for one in only.columns)})"
            hint = f"{only.shown} has {count} column{'s' if count != 1 else ''}{listed}{more}"
        self._add(
            node, "A2041", f"column `{name}` does not exist in {place}.", hint=hint, known=close
        )

    def unknown_relation(self, node: exp.Expr, identifier: exp.Expr, scope: Scope) -> None:
        """Note a qualifier that names no relation (A2043)."""
        known = [one.name for one in scope.relations if one.name]
        close = nearest(identifier.name, known)
        if identifier.name == REF_NAMESPACE:
            self._add(
                identifier,
                "A2043",
                "`ref` names a table, and stands where a column or a value is expected.",
                hint="Write it behind `from` or `join`.",
            )
            return
        self._add(
            identifier,
            "A2043",
            f"`{identifier.name}` in `{node.sql('duckdb')}` is neither a table of this query nor a "
            "column.",
            hint=f"The query reads {', '.join(known)}." if known else "The query reads no table.",
            known=close,
        )

    def _add(
        self,
        node: exp.Expr,
        code: str,
        summary: str,
        *,
        hint: str = "",
        known: list[str] | None = None,
    ) -> None:
        start = node.meta.get("start", 0)
        length = node.meta.get("end", start) + 1 - start
        where = where_at(self._query.text, start, file=self._query.file, length=length)
        self.found.setdefault(
            start, SqlInvalid(code, summary, hint=hint, where=where, known=known or ())
        )
