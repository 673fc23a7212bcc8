# SPDX-License-Identifier: Apache-2.0
"""Make an asset of a SQL model: pure, so that `project` may cache the result file by file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from mainstem.errors import CycleFound, MainstemError, ModelInvalid, SqlInvalid, Where, united
from mainstem.graph import Asset
from mainstem.models.definition import Reference, SqlModel
from mainstem.models.options import Merged
from mainstem.models.properties import Properties
from mainstem.models.settled import Settled, settle
from mainstem.models.sql_draft import (
    Draft,
    move_to_template,
)
from mainstem.sql import (
    Query,
    Statement,
    change_parts,
    column_lines,
    place_at,
    place_of,
    query_of,
    release,
    relocate,
    where_at,
    where_of,
)
from mainstem.types import changed

_LOOKBACK = re.compile(r"__newer_than__\([^()]*, '")


class Understood(NamedTuple):
    """What the file of a SQL model says, and what its queries mean."""

    draft: Draft
    queries: tuple[Query, ...]
    """One for each of its statements."""


def understand(draft: Draft) -> Understood:
    """Look at the queries of a SQL model.

    Raises:
        SqlInvalid: One is nested too deeply.
    """
    return Understood(draft, tuple([_query(one, draft.body) for one in draft.statements]))


def sql_asset(understood: Understood) -> Asset:
    """Make an asset of a SQL model; the trees of its queries are gone afterwards.

    Returns:
        The asset with `inputs` still empty: `resolve_inputs` fills them in, since what a bare name
        means depends on the whole project. `definition` is a `SqlModel`.

    Raises:
        UserError: What is wrong with it; several faults come as an `ErrorGroup`.
    """
    draft, queries = understood
    volatile = next((query.volatile for query in queries if query.volatile), "")
    problems: list[MainstemError] = []
    settled = settle(draft.merged, volatile, problems)
    problems.extend(_contradictions(draft, queries, settled))
    if problems:
        raise united(problems)
    asset = _asset(draft, queries, settled)
    for query in queries:
        release(query)
    return asset


def _query(statement: Statement, body: str) -> Query:
    try:
        return query_of(statement)
    except SqlInvalid as error:
        move_to_template(error, statement.text, body)
        raise


def _contradictions(
    draft: Draft, queries: Sequence[Query], settled: Settled
) -> list[MainstemError]:
    """Find what templates and options say against each other."""
    key, path, main, sql = draft.key, draft.path, queries[0], queries[-1].text
    own = next((table for table in main.tables if table.name.casefold() == key.folded), None)
    if own is not None and settled.materialized != "incremental":
        where = where_at(main.text, own.start, file=path, length=own.end - own.start)
        return [
            CycleFound(
                "A2005",
                f"{key} reads itself, and is materialized as {settled.materialized}.",
                hint="Only an incremental model can read the rows that it has.",
                where=relocate(where, draft.body),
            )
        ]
    reads_newer = "__newer_than__(" in sql
    looks_back = reads_newer and _LOOKBACK.search(sql)
    if looks_back and settled.materialized == "incremental" and settled.strategy == "append":
        return [
            ModelInvalid(
                "A2033",
                "newer_than() with a lookback reads rows again, and without `key` they would be "
                "added twice.",
                hint="Give the model a `key:`, or leave out the lookback.",
                where=_where_word(draft.body, "lookback", path),
            )
        ]
    reads_own_table = draft.rendered.asks_incremental or reads_newer
    if reads_own_table and settled.materialized != "incremental":
        word = "is_incremental" if draft.rendered.asks_incremental else "newer_than"
        return [
            ModelInvalid(
                "A2033",
                f"{word}() is used, but the model is materialized as {settled.materialized}.",
                hint="Set `materialized: incremental` in the header.",
                where=_where_word(draft.body, word, path),
            )
        ]
    return []


def _where_word(body: str, word: str, path: str) -> Where:
    return where_at(body, max(body.find(word), 0), file=path, length=len(word))


def _asset(draft: Draft, queries: Sequence[Query], settled: Settled) -> Asset:
    main, *others = queries
    properties = draft.properties
    parts = change_parts(queries[-1])
    parts["config"] = settled.digest
    model = SqlModel(
        sql=main.text,
        incremental_sql=others[0].text if others else "",
        template=draft.body if draft.body != main.text else "",
        references=_references(draft, queries),
        strategy=settled.strategy,
        contract=settled.contract,
        checks=(*settled.checks, *(properties.checks if properties is not None else ())),
        after=_after(draft.merged, settled) if settled.deps else (),
        used=draft.rendered.used,
    )
    return changed(
        settled.asset,
        key=draft.key,
        code_version=_digest(
            [main.normal_form, settled.digest, *(other.normal_form for other in others)]
        ),
        # The rendered texts, not the file's: a macro that it uses may have changed.
        code_text_hash=_digest([model.sql, model.incremental_sql, settled.digest]),
        file=draft.path,
        line=1,
        columns=_columns(settled, column_lines(main), properties),
        change_summary=parts,
        definition=model,
    )


def _references(draft: Draft, queries: Iterable[Query]) -> tuple[Reference, ...]:
    path, body = draft.path, draft.body
    found: dict[str, Reference] = {}
    for query in queries:
        for table in query.tables:
            name = table.name
            folded = name.casefold()
            if folded in found or folded == draft.key.folded:
                continue
            place = place_at(query.text, table.start, table.end - table.start)
            if body != query.text:
                shown = _shown(where_of(path, place), table.is_ref)
                place = place_of(relocate(shown, body))
            found[folded] = Reference(name=name, file=path, place=place)
    return tuple(found.values())


def _after(merged: Merged, settled: Settled) -> tuple[Reference, ...]:
    where = merged.where("deps")
    place = place_of(where)
    return tuple(Reference(name=name, file=where.file, place=place) for name in settled.deps)


def _shown(where: Where, is_ref: bool) -> Where:  # noqa: FBT001  # private, read at its one call
    """Underline the last part of a `ref`'d name: the marker is not in the template."""
    if not is_ref:
        return where
    word = where.excerpt[where.column - 1 : where.column - 1 + where.length]
    last = word.rpartition(".")[2]
    quote = 1 if last.startswith('"') else 0  # the template's name had no SQL quotes
    start = where.column + len(word) - len(last) + quote
    return replace(where, column=start, length=len(last) - 2 * quote)


def _columns(
    settled: Settled, lines: Mapping[str, int], properties: Properties | None
) -> dict[str, dict[str, Any]]:
    columns: dict[str, dict[str, Any]] = {name: {"line": line} for name, line in lines.items()}
    spelled = {name.casefold(): name for name in columns}
    described = properties.columns if properties is not None else {}
    for name, options in (*described.items(), *settled.columns.items()):
        own = columns.setdefault(spelled.setdefault(name.casefold(), name), {})
        own |= options
    return columns


def _digest(parts: list[str]) -> str:
    return blake2b(orjson.dumps(parts), digest_size=16).hexdigest()
