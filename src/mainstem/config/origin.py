# SPDX-License-Identifier: Apache-2.0
"""What `mainstem config` prints: each setting, its resolved value, and the file that set it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mainstem.config.secret import is_secret_name
from mainstem.config.settings import Environment, Settings
from mainstem.config.variable import MASK, Variables, references
from mainstem.errors import ConfigInvalid
from mainstem.types import dataclass

_QUERY_PASSWORD = re.compile(r"(?<=[?&])((?:ssl)?password)=[^&\s]*", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(?<=://)([^/@:\s]*):([^/@\s]*)@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One line of the report."""

    name: str
    """Dotted: `connections.shop_db.password`."""
    value: str
    """Resolved; `****` if it is or may be secret; `not set: NAME` if a variable is missing."""
    origin: str
    """`mainstem.yml:12`, `default`, and behind it the variables: `mainstem.yml:12, .env PGHOST`."""


def report(settings: Settings, environment: Environment, variables: Variables) -> list[Setting]:
    """List the settings of one environment."""
    prefix = f"environments.{environment.name}"
    lines: list[Setting] = []

    def add(name: str, value: Any, *places: str, is_secret: bool = False) -> None:
        place = next((place for place in (*places, name) if place in settings.lines), "")
        origin = f"{settings.file}:{settings.lines[place]}" if place else "default"
        lines.append(_setting(name, value, origin, variables, is_secret=is_secret))

    add("name", settings.name)
    if settings.requires_mainstem:
        add("requires_mainstem", settings.requires_mainstem)
    for folder in settings.include:
        add("include", folder)
    add("environment", environment.name, "default_environment", prefix)
    add("branch", environment.branch, f"{prefix}.branch")
    add("from", environment.branch_from, f"{prefix}.from")
    add("protected", str(environment.protected).lower(), f"{prefix}.protected")
    add("ingest", environment.ingest, f"{prefix}.ingest")
    for key in ("database", "warehouse"):
        value = getattr(environment.lake, key) or "(in .mainstem)"
        add(f"lake.{key}", value, f"{prefix}.lake.{key}")
    for name, value in environment.vars.items():
        for path, leaf in _leaves(f"vars.{name}", value):
            places = (f"{prefix}.{path}", f"{prefix}.vars.{name}", f"vars.{name}")
            add(path, leaf, *places, is_secret=is_secret_name(path))
    for name, connection in environment.connections.items():
        base = f"connections.{name}"
        add(f"{base}.type", connection.type, f"{prefix}.{base}.type")
        for path, leaf in _leaves(base, connection.options):
            add(path, leaf, f"{prefix}.{path}", is_secret=is_secret_name(path))
    for folder, options in settings.models.items():
        for path, leaf in _leaves(f"models.{folder}", options):
            add(path, leaf, path, f"models.{folder}")
    for name, section in (
        ("retention", settings.retention),
        ("telemetry", settings.telemetry),
        ("openlineage", settings.openlineage),
    ):
        for path, leaf in _leaves(name, section):
            add(path, leaf, path, is_secret=is_secret_name(path))
    for kind, items in (("jobs", settings.jobs), ("alerts", settings.alerts)):
        for name, item in items.items():
            for path, leaf in _leaves(f"{kind}.{name}", item.options):
                add(path, leaf, path, f"{kind}.{name}", is_secret=is_secret_name(path))
    return lines


def _setting(
    name: str, value: Any, origin: str, variables: Variables, *, is_secret: bool
) -> Setting:
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    used = references(text)
    sources = []
    for reference in used:
        place = variables.origins.get(reference)
        is_file = reference.startswith("file:")
        sources.append(reference if is_file else f"{place or 'not set'} {reference}")
        is_secret = is_secret or is_file or is_secret_name(reference)
    try:
        shown = variables.expand(text)
    except ConfigInvalid as error:
        shown, is_secret = error.summary.partition(";")[0], False
    shown = _QUERY_PASSWORD.sub(rf"\1={MASK}", _URL_PASSWORD.sub(rf"\1:{MASK}@", shown))
    shown = MASK if is_secret and shown else shown
    return Setting(name=name, value=shown, origin=", ".join((origin, *sources)))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(f"{path}.{key}", item)
    elif isinstance(value, list):
        yield path, ", ".join(str(item) for item in value)
    else:
        yield path, value
