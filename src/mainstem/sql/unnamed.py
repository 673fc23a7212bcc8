# SPDX-License-Identifier: Apache-2.0
"""Whether a new column of an input could change the rows of a query that does not name it.

Lineage tells which columns the output is computed from. That is not all: `distinct`, set
operations and natural joins compare whole rows, and a star hands them columns that nobody named.
"""

from __future__ import annotations

from sqlglot import exp

from mainstem.sql.query import Query

_COMPARES_ROWS = (exp.Distinct, exp.SetOperation)


def compares_unnamed(query: Query) -> bool:
    """Tell whether the query compares columns that it takes by a star or by a natural join."""
    tree = query.tree
    if any(
        str(join.args.get("method") or "").upper() == "NATURAL" for join in tree.find_all(exp.Join)
    ):
        return True
    if any(True for _found in tree.find_all(exp.Columns)):
        return True
    stars = any(not isinstance(star.parent, exp.Count) for star in tree.find_all(exp.Star))
    return stars and any(True for _found in tree.find_all(*_COMPARES_ROWS))
