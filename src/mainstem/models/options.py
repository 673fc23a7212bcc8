# SPDX-License-Identifier: Apache-2.0
"""Options of SQL models: checked where they are written, merged, and read (GRAMMAR 4).

In-file wins over property files, those over the folder tree of mainstem.yml; tags and checks
add up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from functools import lru_cache
from typing import Any

from mainstem.config import PROPERTY_FILE, Document, Keys, problems_of
from mainstem.errors import ConfigInvalid, InternalError, MainstemError, ModelInvalid, Where
from mainstem.types import LayoutColumn, dataclass, did_you_mean, nearest

_LAYOUT = re.compile(
    r"\s*(?:(?P<transform>[a-z_]+)\s*\(\s*(?P<inner>[^()]+?)\s*\)|(?P<column>[^()]+?))\s*\Z"
)
_TRANSFORMS = ("identity", "year", "month", "day", "hour")
_DBT_NAMES = {"unique_key": "key", "incremental_strategy": "strategy", "schema": "namespace"}
_SEED_OPTIONS = ("column_types", "delimiter", "quote_columns")
_DBT_STRATEGIES = {
    "delete+insert": "delete_insert",
    "merge": "upsert",
    "insert_overwrite": "replace_partitions",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Options of one place, with what is needed to point at them."""

    values: Mapping[str, Any]
    document: Document | None = None
    path: tuple[str | int, ...] = ()
    file: str = ""

    def where(self, name: str) -> Where:
        """Give the place of one option."""
        if self.document is None:
            return Where(file=self.file)
        return self.document.where((*self.path, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """All options of a model, and where each was written."""

    values: Mapping[str, Any] = field(default_factory=dict)
    homes: Mapping[str, Written] = field(default_factory=dict)
    file: str = ""

    def where(self, name: str) -> Where:
        """Give the place where an option was written."""
        home = self.homes.get(name)
        return home.where(name) if home is not None else Where(file=self.file)


def merge(layers: Iterable[Written], *, file: str) -> Merged:
    """Merge options, weakest first; tags add up."""
    values: dict[str, Any] = {}
    homes: dict[str, Written] = {}
    tags: dict[str, None] = {}
    for layer in layers:
        for name, value in layer.values.items():
            if value is None:
                continue
            if name == "tags":
                tags |= dict.fromkeys(names_in(value))
            values[name] = value
            homes[name] = layer
    if tags:
        values["tags"] = list(tags)
    return Merged(values=values, homes=homes, file=file)


def header_problems(document: Document) -> list[ConfigInvalid]:
    """Find unknown options and wrong types in a header."""
    return list(problems_of(document, _header_shape())) if document.value else []


def config_options(
    values: Mapping[str, Any], *, file: str, is_seed: bool = False
) -> Mapping[str, Any]:
    """Translate what `config(...)` was called with: dbt's names are taken too.

    Raises:
        ModelInvalid: An option that is not known (A2031).
    """
    known = _header_shape().keys
    translated: dict[str, Any] = {}
    for written, value in values.items():
        name = _DBT_NAMES.get(written, written)
        if name not in known and not (is_seed and name in _SEED_OPTIONS):
            raise ModelInvalid(
                "A2031",
                f"config() does not know `{written}`.",
                hint=did_you_mean(written, known) or f"Known: {', '.join(known)}.",
                where=Where(file=file),
                known=nearest(written, known) or known,
            )
        is_strategy = name == "strategy" and isinstance(value, str)
        translated[name] = _DBT_STRATEGIES.get(value, value) if is_strategy else value
    return translated


def names_in(value: object) -> tuple[str, ...]:
    """Read a list of names, or one that stands alone."""
    if value is None:
        return ()
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else (str(value),)


def layout_in(merged: Merged, problems: list[MainstemError]) -> tuple[LayoutColumn, ...]:
    """Read `partition_by:`."""
    columns: list[LayoutColumn] = []
    for text in names_in(merged.values.get("partition_by")):
        match = _LAYOUT.match(text)
        transform = (match["transform"] or "identity") if match else ""
        if match is None or transform not in _TRANSFORMS:
            problems.append(
                ModelInvalid(
                    "A2032",
                    f"`partition_by` has `{text}`; allowed is a column, or one of "
                    f"{', '.join(name + '(column)' for name in _TRANSFORMS[1:])}.",
                    hint=did_you_mean(transform, _TRANSFORMS),
                    where=merged.where("partition_by"),
                )
            )
            continue
        column = (match["inner"] or match["column"]).strip().strip('"')
        columns.append(LayoutColumn(column=column, transform=transform))  # type: ignore[arg-type]  # checked above
    return tuple(columns)


@lru_cache(maxsize=1)
def _header_shape() -> Keys:
    items = PROPERTY_FILE.keys["models"].shape
    known = getattr(items, "of", None)
    if not isinstance(known, Keys):
        raise InternalError("A9004", "the table of property keys has another shape than expected.")
    keys = {name: key for name, key in known.keys.items() if name not in {"name", "config"}}
    return Keys(title="a model's header", keys=keys)
