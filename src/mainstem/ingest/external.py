# SPDX-License-Identifier: Apache-2.0
"""Tables that others make and report: what a file of `type: external` says, as assets.

Their rows are the reports (ADR 0027), so their columns are always the same.
"""

from __future__ import annotations

from typing import Any

from mainstem.config import Document, names_of
from mainstem.graph import Asset
from mainstem.types import AssetKey, Field, Primitive, Schema, dataclass

REPORT_SCHEMA = Schema(
    fields=(
        Field(name="reported_at", type=Primitive("timestamptz")),
        Field(name="data_version", type=Primitive("string")),
        Field(name="address", type=Primitive("string")),
        Field(name="row_count", type=Primitive("long")),
        Field(name="reported_by", type=Primitive("string")),
        Field(name="metadata", type=Primitive("string")),
    )
)
"""One row for each version that was reported; `metadata` is JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalTable:
    """Something that is made elsewhere; Mainstem knows its versions, not its rows."""

    source: str
    """Name of the ingest file."""


def external_assets(document: Document) -> list[Asset]:
    """Make an asset of each table of a file whose keys were checked."""
    source: dict[str, Any] = document.value
    stem = document.file.rpartition("/")[2].rpartition(".")[0]
    shared = names_of(source.get("tags"))
    assets = []
    for name, written in source["tables"].items():
        options = written or {}
        assets.append(
            Asset(
                key=AssetKey(source.get("into") or stem, options.get("as") or name),
                kind="external",
                materialized="table",
                description=options.get("description") or source.get("description") or "",
                owner=options.get("owner") or source.get("owner") or "",
                tags=tuple(dict.fromkeys((*shared, *names_of(options.get("tags"))))),
                freshness=options.get("freshness") or {},
                file=document.file,
                line=document.line(("tables", name)),
                schema=REPORT_SCHEMA,
                definition=ExternalTable(source=stem),
            )
        )
    return assets
