# SPDX-License-Identifier: Apache-2.0
"""Rewrite SQL by splicing its text: what the owner wrote stays, character for character.

Nothing is printed from a tree, so no dialect detail can get lost on the way to the engine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.tokenizer_core import Token, TokenType

from mainstem.errors import InternalError
from mainstem.sql.marker import NEWER_THAN, REF_NAMESPACE, RUN_STARTED_AT, quoted
from mainstem.sql.query import Query
from mainstem.types import AssetKey

Splice = tuple[int, int, str]
"""Start, end and replacement."""

_RUN_TIME = re.compile(re.escape(RUN_STARTED_AT) + r"([+-]\d+)_([0-9a-f]*)__")
_TIMESTAMP_CALLS = frozenset({"now", "get_current_timestamp", "transaction_timestamp"})
_LOCAL_CALLS = frozenset({"current_localtimestamp", "localtimestamp"})
_DATE_CALLS = frozenset({"today", "current_date"})
_TIME_CALLS = frozenset({"get_current_time", "current_time", "localtime", "current_localtime"})
_BARE = frozenset(
    {"current_timestamp", "current_date", "current_time", "localtime", "localtimestamp"}
)
_NOT_A_CALL_AFTER = frozenset({TokenType.DOT, TokenType.ALIAS})
_TRAILING = frozenset({TokenType.SEMICOLON})


def table_name(key: AssetKey) -> str:
    """Write an asset's name for SQL: `namespace.name`, quoted where needed."""
    return f"{quoted(key.namespace)}.{quoted(key.name)}"


def qualify(
    query: Query, names: Mapping[str, AssetKey], *, ephemeral: Mapping[AssetKey, str] | None = None
) -> str:
    """Replace the names of tables by full asset keys, and ephemeral models by their queries.

    Args:
        query: Parsed query.
        names: The asset for each table name of the query, without case.
        ephemeral: Qualified SQL of the ephemeral models among them.

    Returns:
        The query's text without trailing semicolon; names that are not in `names` stay.
    """
    inlined = ephemeral or {}
    splices: list[Splice] = []
    used: dict[AssetKey, None] = {}
    for table in query.tables:
        key = names.get(table.name.casefold())
        if key is None:
            # The marker must not reach the engine.
            name = ".".join(quoted(part) for part in table.parts)
            splices.extend([(table.start, table.end, name)] if table.is_ref else [])
        elif key in inlined:
            used[key] = None
            alias = "" if table.is_aliased else f" as {quoted(table.parts[-1])}"
            splices.append((table.start, table.end, f"{_cte_name(key)}{alias}"))
        else:
            splices.append((table.start, table.end, table_name(key)))
    splices.extend(_column_splices(query, names, inlined))
    text = spliced(query.text, splices)
    return inline(text, {_cte_name(key): inlined[key] for key in used})


def inline(sql: str, ctes: Mapping[str, str]) -> str:
    """Put queries in front of a query as CTEs, and drop trailing semicolons."""
    tokens = _tokens(sql)
    while tokens and tokens[-1].token_type in _TRAILING:
        tokens.pop()
    if not tokens:
        return sql
    # A trailing comment may follow the last token and must not swallow what comes behind.
    sql = sql[: tokens[-1].end + 1] + "\n" * ("--" in sql[tokens[-1].end + 1 :])
    if not ctes:
        return sql.rstrip("\n")
    clauses = ", ".join(f"{name} as (\n{body}\n)" for name, body in ctes.items())
    if tokens[0].token_type is not TokenType.WITH:
        start = tokens[0].start
        return f"{sql[:start]}with {clauses}\n{sql[start:]}"
    is_recursive = len(tokens) > 1 and tokens[1].token_type is TokenType.RECURSIVE
    end = tokens[1 if is_recursive else 0].end + 1
    return f"{sql[:end]} {clauses}, {sql[end:]}"


def pin_time(sql: str, when: datetime) -> str:
    """Replace `now()`, `current_date` and their like by one moment.

    Args:
        sql: A query.
        when: The run's logical time, aware.
    """
    tokens = _tokens(sql)
    splices: list[Splice] = []
    for index, token in enumerate(tokens):
        name = token.text.casefold()
        value = _pinned(name, when) if token.token_type is not TokenType.STRING else ""
        if not value or sql[token.start] in "\"'":
            continue
        if index and tokens[index - 1].token_type in _NOT_A_CALL_AFTER:
            continue
        kinds = [following.token_type for following in tokens[index + 1 : index + 3]]
        if kinds == [TokenType.L_PAREN, TokenType.R_PAREN]:
            splices.append((token.start, tokens[index + 2].end + 1, value))
        elif name in _BARE and kinds[:1] != [TokenType.L_PAREN]:
            splices.append((token.start, token.end + 1, value))
    return spliced(sql, splices)


def expand(
    sql: str,
    *,
    when: datetime,
    newer_than: Callable[[str, str], str] = lambda _column, _back: "true",
) -> str:
    """Fill in what templates left open: `newer_than(...)` and `run_started_at`.

    Args:
        sql: Rendered SQL.
        when: The run's logical time.
        newer_than: Gives the condition for a column expression and a lookback (may be empty).
    """

    def moment(match: re.Match[str]) -> str:
        shifted = when.astimezone(UTC) + timedelta(seconds=int(match[1]))
        return shifted.strftime(bytes.fromhex(match[2]).decode())

    filled = _RUN_TIME.sub(moment, sql)
    if NEWER_THAN not in filled:
        return filled
    tokens = _tokens(filled)
    splices: list[Splice] = []
    for index, token in enumerate(tokens):
        if token.text == NEWER_THAN and token.token_type is not TokenType.STRING:
            end, arguments = _call_arguments(filled, tokens, index + 1)
            lookback = arguments[1].strip()[1:-1] if len(arguments) > 1 else ""
            splices.append((token.start, end, newer_than(arguments[0].strip(), lookback)))
    return spliced(filled, splices)


def spliced(text: str, splices: Iterable[Splice]) -> str:
    """Apply replacements that do not overlap."""
    for start, end, replacement in sorted(set(splices), reverse=True):
        text = f"{text[:start]}{replacement}{text[end:]}"
    return text


def _cte_name(key: AssetKey) -> str:
    return '"' + f"__ephemeral__{key.folded}".replace('"', '""') + '"'


def _column_splices(
    query: Query, names: Mapping[str, AssetKey], inlined: Mapping[AssetKey, str]
) -> Iterable[Splice]:
    """Give splices for columns qualified by a table's full or `ref`'d name."""
    has_refs = any(table.is_ref for table in query.tables)
    if not has_refs and not inlined:
        return
    for column in query.tree.find_all(exp.Column):
        parts = [column.args.get(part) for part in ("catalog", "db", "table")]
        written = [part for part in parts if isinstance(part, exp.Identifier)]
        if len(written) < 2:
            continue
        is_ref = written[0].name == REF_NAMESPACE
        name = ".".join(part.name for part in (written[1:] if is_ref else written))
        key = names.get(name.casefold())
        if key is None or not (is_ref or key in inlined):
            continue
        start, end = written[0].meta["start"], written[-1].meta["end"] + 1
        yield (start, end, quoted(written[-1].name) if key in inlined else table_name(key))


def _pinned(name: str, when: datetime) -> str:
    moment = when.astimezone(UTC).replace(tzinfo=None)
    if name in _TIMESTAMP_CALLS or name == "current_timestamp":
        return f"(timestamptz '{moment.isoformat(sep=' ')}+00')"
    if name in _LOCAL_CALLS:
        return f"(timestamp '{moment.isoformat(sep=' ')}')"
    if name in _DATE_CALLS:
        return f"(date '{moment.date().isoformat()}')"
    return f"(time '{moment.time().isoformat()}')" if name in _TIME_CALLS else ""


def _call_arguments(sql: str, tokens: list[Token], opening: int) -> tuple[int, list[str]]:
    """Split the arguments of a call whose bracket is at `opening`; gives its end as well."""
    depth, start, arguments = 0, tokens[opening].end + 1, list[str]()
    for token in tokens[opening:]:
        if token.token_type in {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}:
            depth += 1
        elif token.token_type in {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}:
            depth -= 1
            if depth == 0:
                return token.end + 1, [*arguments, sql[start : token.start]]
        elif token.token_type is TokenType.COMMA and depth == 1:
            arguments.append(sql[start : token.start])
            start = token.end + 1
    raise InternalError("A9003", "a rendered newer_than() has no closing bracket.", details=sql)


def _tokens(sql: str) -> list[Token]:
    return list(DuckDB().tokenize(sql))
