# SPDX-License-Identifier: Apache-2.0
"""Property files, `models/**/*.yml`: dbt's shape, plus `assets:` for anything else (GRAMMAR 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from mainstem.config import PROPERTY_FILE, load_yaml, problems_of
from mainstem.errors import MainstemError, ModelInvalid, Where, united
from mainstem.models.definition import RawCheck
from mainstem.models.described import checks_of, columns_of
from mainstem.models.options import Written, config_options, names_in
from mainstem.types import AssetKey, dataclass, nearest

_LATER = ("unit_tests", "snapshots", "macros", "exposures", "metrics", "semantic_models", "groups")
_NOT_OPTIONS = {"name", "key", "config", "checks", "tests", "data_tests"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Properties:
    """What property files say of one asset."""

    name: str
    """`namespace.name` below `assets:` and `sources:`, else the bare name, as written."""
    section: str
    """`models`, `seeds`, `sources` or `assets`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    checks: tuple[RawCheck, ...] = ()
    where: Where = field(default_factory=Where)
    written: Written = field(default_factory=lambda: Written(values={}))

    @property
    def description(self) -> str:
        """The asset's description."""
        return str(self.options.get("description") or "").strip()

    @property
    def tags(self) -> tuple[str, ...]:
        """The asset's tags."""
        return names_in(self.options.get("tags"))

    @property
    def owner(self) -> str:
        """Who owns it."""
        return str(self.options.get("owner") or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyIndex:
    """All properties of a project, found by what they describe."""

    entries: tuple[Properties, ...] = ()

    def of(self, key: AssetKey, *, section: str) -> Properties | None:
        """Find what is said of an asset; several entries are taken together.

        Args:
            key: The asset.
            section: Where a bare name means it: `models` or `seeds`; `assets` and `sources` always
                count.
        """
        found = [entry for entry in self.entries if _describes(entry, key, section)]
        if len(found) <= 1:
            return found[0] if found else None
        return _combined(found)

    def unused(self, keys: Mapping[AssetKey, str]) -> list[MainstemError]:
        """Find entries that describe nothing.

        Args:
            keys: All assets of the project, with the section where bare names mean them.
        """
        problems: list[MainstemError] = []
        names = [str(key) for key in keys]
        for entry in self.entries:
            if any(_describes(entry, key, section) for key, section in keys.items()):
                continue
            if entry.section == "sources":
                continue  # a table of the lake that no asset of this project fills
            bare = [key.name for key, section in keys.items() if section == entry.section]
            close = nearest(entry.name, names if "." in entry.name else bare)
            problems.append(
                ModelInvalid(
                    "A2035",
                    f"`{entry.name}` is described below `{entry.section}:`, but there is no such "
                    f"{'asset' if entry.section == 'assets' else entry.section[:-1]}.",
                    hint=f"Did you mean `{close[0]}`?" if close else "Remove it, or add the file.",
                    where=entry.where,
                    known=close,
                )
            )
        return problems


def load_properties(text: str, path: str) -> tuple[Properties, ...]:
    """Read a property file.

    Raises:
        ConfigInvalid: It is not YAML, has unknown keys or wrong types (`ErrorGroup` for several).
    """
    document = load_yaml(text, path)
    if document.value is None:
        return ()
    problems: list[MainstemError] = list(problems_of(document, PROPERTY_FILE))
    if problems:
        raise united(problems)
    found: list[Properties] = []
    for section in ("models", "seeds", "assets"):
        for index, entry in enumerate(document.value.get(section) or ()):
            name = str(entry["key" if section == "assets" else "name"])
            if section == "assets":
                AssetKey.parse(name)
            written = Written(values=entry, document=document, path=(section, index), file=path)
            found.append(_properties(name, section, written))
    for index, source in enumerate(document.value.get("sources") or ()):
        namespace = source.get("schema") or source["name"]
        for number, table in enumerate(source.get("tables") or ()):
            place = ("sources", index, "tables", number)
            written = Written(values=table, document=document, path=place, file=path)
            name = f"{namespace}.{table.get('identifier') or table['name']}"
            found.append(_properties(name, "sources", written))
    return tuple(found)


def _properties(name: str, section: str, written: Written) -> Properties:
    nested = written.values.get("config")
    is_seed = section == "seeds"
    options = (
        config_options(nested, file=written.file, is_seed=is_seed)
        if isinstance(nested, dict)
        else {}
    )
    options = {
        **options,
        **{name: value for name, value in written.values.items() if name not in _NOT_OPTIONS},
    }
    shown = {name: value for name, value in options.items() if name not in {"columns", "schema"}}
    return Properties(
        name=name,
        section=section,
        options=shown,
        columns=columns_of(written),
        checks=checks_of(written),
        where=written.where("key" if section == "assets" else "name"),
        written=Written(
            values={**shown, "columns": written.values.get("columns")},
            document=written.document,
            path=written.path,
            file=written.file,
        ),
    )


def _describes(entry: Properties, key: AssetKey, section: str) -> bool:
    folded = entry.name.casefold()
    if entry.section in {"assets", "sources"}:
        return folded == key.folded
    return entry.section == section and folded in {key.name.casefold(), key.folded}


def _combined(entries: list[Properties]) -> Properties:
    options: dict[str, Any] = {}
    columns: dict[str, dict[str, Any]] = {}
    for entry in entries:
        options |= entry.options
        for name, described in entry.columns.items():
            columns.setdefault(name, {}).update(described)
    tags = list(dict.fromkeys(tag for entry in entries for tag in entry.tags))
    first = entries[0]
    listed = [{"name": name, **described} for name, described in columns.items()]
    values = {**options, "columns": listed, **({"tags": tags} if tags else {})}
    return Properties(
        name=first.name,
        section=first.section,
        options={**options, **({"tags": tags} if tags else {})},
        columns=columns,
        checks=tuple(check for entry in entries for check in entry.checks),
        where=first.where,
        written=Written(
            values=values,
            document=first.written.document,
            path=first.written.path,
            file=first.where.file,
        ),
    )
