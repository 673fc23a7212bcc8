# SPDX-License-Identifier: Apache-2.0
"""A check with its names resolved: which tables it reads, and how it names them in SQL."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, Protocol

from mainstem.engines import quote_key
from mainstem.errors import MainstemError, SqlInvalid, Where
from mainstem.types import AssetKey, CheckSpec, dataclass

_THIS = re.compile(r"\{\{\s*this\s*\}\}")
_NAMED = re.compile(
    r"\{\{\s*(?:ref\(\s*['\"](?P<ref>[^'\"]+)['\"]\s*\)"
    r"|source\(\s*['\"](?P<source>[^'\"]+)['\"]\s*,\s*['\"](?P<table>[^'\"]+)['\"]\s*\))\s*\}\}"
)


class Resolve(Protocol):
    """Gives the asset that a name means; `Graph.resolve` is one."""

    def __call__(self, name: str, *, namespace: str, where: Where | None) -> AssetKey:
        """Resolve a name as an asset of `namespace` uses it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a check looks at."""

    spec: CheckSpec
    reads: tuple[AssetKey, ...]
    """The asset first, then what it is compared with."""
    other: AssetKey | None = None
    """Of `relationships` and of `row_count: {equal_to: ASSET}`."""
    other_column: str = ""
    query: str = ""
    """Of `sql`: with full names."""

    @property
    def table(self) -> str:
        """The checked asset's name in SQL."""
        return quote_key(self.spec.asset)


def target_of(spec: CheckSpec, resolve: Resolve) -> Target:
    """Resolve the names in a check.

    Raises:
        AssetNotFound: A name is no asset.
        SqlInvalid: The query of a `sql` check does not parse.
    """
    where = Where(file=spec.file, line=spec.line, asset=str(spec.asset))

    def find(name: str) -> AssetKey:
        return resolve(name, namespace=spec.asset.namespace, where=where)

    match spec.name:
        case "relationships":
            name, _, column = str(spec.arguments["to"]).rpartition(".")
            other = find(name)
            return Target(
                spec=spec, reads=_distinct(spec.asset, other), other=other, other_column=column
            )
        case "row_count" if isinstance(spec.arguments.get("equal_to"), str):
            other = find(spec.arguments["equal_to"])
            return Target(spec=spec, reads=_distinct(spec.asset, other), other=other)
        case "sql":
            return _query(spec, resolve, where)
        case _:
            return Target(spec=spec, reads=(spec.asset,))


def _query(spec: CheckSpec, resolve: Resolve, where: Where) -> Target:
    text = _THIS.sub(lambda _: quote_key(spec.asset), str(spec.arguments["sql"]))
    text = _NAMED.sub(
        lambda found: quote_key(
            resolve(
                found["ref"] or f"{found['source']}.{found['table']}",
                namespace=spec.asset.namespace,
                where=where,
            )
        ),
        text,
    )
    if "{{" in text or "{%" in text:
        raise SqlInvalid(
            "A4006",
            f"check {spec.id} uses Jinja that checks do not have.",
            hint="`{{ this }}`, `{{ ref('name') }}` and `{{ source('name', 'table') }}` work.",
            where=where,
        )
    try:
        query = _sql().parse(text)
    except SqlInvalid as error:
        raise SqlInvalid(
            error.code, f"check {spec.id}: {error.summary}", hint=error.hint, where=where
        ) from error
    names = {
        table.name.casefold(): resolve(table.name, namespace=spec.asset.namespace, where=where)
        for table in query.tables
    }
    return Target(
        spec=spec,
        reads=_distinct(spec.asset, *names.values()),
        query=_sql().qualify(query, names),
    )


def _distinct(*keys: AssetKey) -> tuple[AssetKey, ...]:
    return tuple(dict.fromkeys(keys))


def place_of(spec: CheckSpec, error: MainstemError) -> str:
    """Say where a check is written, for a result that could not be had."""
    place = f"{spec.file}:{spec.line}" if spec.file else str(spec.asset)
    return f"{error.summary} ({place})"


def _sql() -> Any:
    """Import what parses SQL, for SQL only: sqlglot is a tenth of loading a CSV file."""
    return import_module("mainstem.sql")
