# SPDX-License-Identifier: Apache-2.0
"""Parse one SELECT: its tables, its normal form and why it may be volatile.

Nothing is resolved here; `models` and `project` know which names are assets.
"""

from __future__ import annotations

import logging
import re
from dataclasses import field
from itertools import pairwise

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.parser import Parser
from sqlglot.tokenizer_core import TokenType
from sqlglot.tokens import Tokenizer

from mainstem.errors import SqlInvalid
from mainstem.sql.normal import Outline, normalise
from mainstem.sql.place import where_at
from mainstem.sql.scope import TableName
from mainstem.sql.shaping import shaping_select
from mainstem.types import dataclass

_ROWS = (exp.Query, exp.Values, exp.Pivot)
"""Kinds of statements that give rows."""
_TWO_COMMAS = re.compile(r",\s*,")

_IDLE: dict[str, list[tuple[Tokenizer, Parser]]] = {}
"""By dialect; as many as there ever were threads that parsed at once."""

# sqlglot warns on stderr about statements that it keeps as text; they become our own error.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A SELECT as a tree, at which nobody looked yet."""

    text: str
    file: str
    tree: exp.Expr = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A parsed SELECT."""

    text: str
    tables: tuple[TableName, ...]
    normal_form: str
    """Hash that white space, comments, table aliases, case and quoting of names do not change."""
    volatile: str
    """Why the same inputs may give other rows; empty if they do not."""
    is_select: bool
    file: str = ""
    tree: exp.Expr = field(repr=False, compare=False)
    shaping: exp.Select | None = field(default=None, repr=False, compare=False)
    """The SELECT in it whose projections are the output; nothing: no single one is."""
    outline: Outline | None = field(default=None, repr=False, compare=False)
    """Of that one."""


def parse(sql: str, *, file: str = "", dialect: str = "duckdb", line_offset: int = 0) -> Query:
    """Parse one SELECT statement (or VALUES, FROM, set operation), and look at what it says.

    Args:
        sql: The statement; a trailing semicolon is allowed.
        file: For errors.
        dialect: The dialect it is written in.
        line_offset: Lines of the file above the statement.

    Raises:
        SqlInvalid: It does not parse (A2010), or is not exactly one SELECT (A2011).
    """
    shifted = "\n" * line_offset + sql if line_offset else sql
    return query_of(read_statement(shifted, file=file, dialect=dialect))


def read_statement(sql: str, *, file: str = "", dialect: str = "duckdb") -> Statement:
    """Parse one SELECT statement: the first half of `parse`."""
    return Statement(text=sql, file=file, tree=_tree(sql, file, dialect))


def query_of(statement: Statement) -> Query:
    """Look at what a statement says: the second half of `parse`."""
    text, file, tree = statement.text, statement.file, statement.tree
    shaping = shaping_select(tree)
    try:
        normal = normalise(tree, shaping)
    except RecursionError:
        raise _too_deep(text, file) from None
    return Query(
        text=text,
        tables=tuple(normal.tables),
        normal_form=normal.digest(),
        volatile=normal.volatile,
        is_select=True,
        file=file,
        tree=tree,
        shaping=shaping,
        outline=normal.outline if shaping is not None else None,
    )


def release(query: Query) -> None:
    """Take the tree of a query apart, which nobody will look at again.

    Its nodes know their parents: only the collector of cycles would free it, and late.
    """
    for node in query.tree.bfs():
        node.parent = None


def _tree(sql: str, file: str, dialect: str) -> exp.Expr:
    try:
        statements = [one for one in _parsed(sql, dialect) if one is not None]
    except ParseError as error:
        raise _syntax_error(sql, file, error) from None
    except RecursionError:
        raise _too_deep(sql, file) from None
    except SqlglotError as error:
        raise SqlInvalid(
            "A2010",
            f"the SQL cannot be read: {_unclosed(sql) or str(error).splitlines()[0]}",
            hint="Look for a quote, bracket or comment that is not closed.",
            where=where_at(sql, len(sql.rstrip()) - 1, file=file),
        ) from None
    statements = [one for one in statements if not isinstance(one, exp.Semicolon)]
    if not statements:
        raise SqlInvalid(
            "A2011",
            "there is no SQL in this file.",
            hint="A model is one SELECT statement.",
            where=where_at(sql, 0, file=file),
        )
    if len(statements) > 1 or not isinstance(statements[0], _ROWS):
        found = f"{len(statements)} statements" if len(statements) > 1 else _kind(statements[0])
        raise SqlInvalid(
            "A2011",
            f"expected one SELECT statement, found {found}.",
            hint="A model only says what its rows are; Mainstem creates and fills the table.",
            where=where_at(sql, len(sql) - len(sql.lstrip()), file=file),
        )
    _refuse_empty_items(sql, file)
    return statements[0]


def _parsed(sql: str, dialect: str) -> list[exp.Expr | None]:
    """Parse with what an earlier call left: making a tokenizer takes longer than a short query."""
    idle = _IDLE.setdefault(dialect, [])
    try:
        tokenizer, parser = idle.pop()
    except IndexError:
        grammar = Dialect.get_or_raise(dialect)
        tokenizer, parser = grammar.tokenizer(), grammar.parser()
    found: list[exp.Expr | None] = parser.parse(tokenizer.tokenize(sql), sql)
    parser.reset()
    idle.append((tokenizer, parser))  # not after an error, whatever state that leaves
    return found


def _refuse_empty_items(sql: str, file: str) -> None:
    """Find `a,, b`, which sqlglot reads as `a, b` and the engine refuses."""
    if sql.count(",") < 2 or not _TWO_COMMAS.search(sql):
        return
    tokens = list(DuckDB().tokenize(sql))
    for token, following in pairwise(tokens):
        if token.token_type is following.token_type is TokenType.COMMA:
            raise SqlInvalid(
                "A2010",
                "the SQL does not parse: unexpected `,`.",
                hint="There is nothing between two commas: remove one of them.",
                where=where_at(sql, following.start, file=file),
            )


def _too_deep(sql: str, file: str) -> SqlInvalid:
    return SqlInvalid(
        "A2010",
        "the SQL cannot be read: it is nested too deeply.",
        hint="Part it into several CTEs or models.",
        where=where_at(sql, len(sql) - len(sql.lstrip()), file=file),
    )


def _kind(statement: exp.Expr) -> str:
    if isinstance(statement, exp.Command):
        return f"`{str(statement.this).lower()}`"
    return f"`{statement.key.lower()}`"


def _syntax_error(sql: str, file: str, error: ParseError) -> SqlInvalid:
    first = error.errors[0] if error.errors else {}
    word = first.get("highlight") or ""
    before = first.get("start_context") or ""
    # The context ends where the unexpected word starts; sqlglot's own column is that of its end.
    offset = sql.find(f"{before}{word}")
    offset = offset + len(before) if offset >= 0 else 0
    description = (first.get("description") or str(error)).split(" but got <Token")[0].rstrip(".")
    near = f"unexpected `{word}`" if word else "unexpected end"
    if description.startswith("Required keyword"):
        near = f"something is missing after `{word}`"
    is_plain = description.startswith(("Invalid expression", "Required keyword"))
    expected = "" if is_plain else f" ({description.lower()})"
    return SqlInvalid(
        "A2010",
        f"the SQL does not parse: {near}{expected}.",
        hint="Look at the word marked and at the one before it: a missing comma or bracket?",
        where=where_at(sql, offset, file=file, length=len(word) or 1),
    )


def _unclosed(sql: str) -> str:
    for quote, name in (("'", "single quote"), ('"', "double quote")):
        if sql.count(quote) % 2:
            return f"a {name} is not closed"
    return ""
