# SPDX-License-Identifier: Apache-2.0
"""What SQL models and seeds are once loaded: frozen, picklable, cached file by file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from mainstem.errors import Where
from mainstem.sql import Place, Used, where_of
from mainstem.types import AssetKey, dataclass

Strategy = Literal["append", "upsert", "delete_insert", "replace_partitions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RawCheck:
    """One entry of `checks:` as written; `mainstem.checks` gives it a meaning."""

    entry: Any
    column: str = ""
    """Column below which it stands."""
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A name of an input as a model wrote it, with its place."""

    name: str
    file: str
    place: Place

    @property
    def where(self) -> Where:
        """As errors have it."""
        return where_of(self.file, self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlModel:
    """A SQL model: definition of assets of the kind `sql`."""

    sql: str
    """Rendered, with placeholders for what a run knows (`mainstem.sql.template`)."""
    incremental_sql: str = ""
    """The same with `is_incremental()` true, if it differs."""
    template: str = ""
    """The file's text without its header, if Jinja changed it: errors show its lines."""
    references: tuple[Reference, ...] = ()
    names: Mapping[str, AssetKey] = field(default_factory=dict)
    """Meaning of each name without case; empty until the project resolved it."""
    strategy: Strategy = "append"
    contract: tuple[tuple[str, str], ...] = ()
    """Promised columns and their DuckDB types; empty: none."""
    checks: tuple[RawCheck, ...] = ()
    after: tuple[Reference, ...] = ()
    """`deps:` as written."""
    used: tuple[Used, ...] = ()
    """Values from outside that the template read; a cached model is valid while they are equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """A CSV file of the project: definition of assets of the kind `seed`."""

    path: str
    """Relative to the project folder."""
    digest: str
    columns: Mapping[str, str] = field(default_factory=dict)
    """Declared types by column."""
    null_values: tuple[str, ...] = ("",)
    delimiter: str = ""
    checks: tuple[RawCheck, ...] = ()
