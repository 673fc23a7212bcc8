# SPDX-License-Identifier: Apache-2.0
"""Sensors: what they look at, how often, and what they launch. Read when a project is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta
from typing import Any, Literal

from mainstem.automation.job import place, target_of
from mainstem.automation.target import Target
from mainstem.config import Settings, names_of
from mainstem.errors import ConfigInvalid, MainstemError, ModelInvalid, Where
from mainstem.types import dataclass, duration_of

EVERY = timedelta(seconds=30)
TIMEOUT = timedelta(seconds=60)
_SHORTEST = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """Something that is looked at again and again."""

    name: str
    kind: Literal["python", "files", "table"]
    every: timedelta = EVERY
    timeout: timedelta = TIMEOUT
    target: Target | None = None
    """What it launches; nothing: its run requests select by themselves."""
    enabled: bool = True
    description: str = ""
    files: tuple[str, ...] = ()
    """Of `files`: globs, relative to the project."""
    table: str = ""
    """Of `table`: an asset."""
    branch: str = ""
    """Of `table`: where it is looked at; that of the environment if empty."""
    function: Any = None
    """Of `python`: what `models` found."""
    where: Where = field(default_factory=Where)


def sensors_of(settings: Settings, problems: list[MainstemError]) -> list[Sensor]:
    """Read `sensors:` of mainstem.yml; what is wrong with one is noted."""
    found = []
    for name, declared in settings.sensors.items():
        try:
            found.append(_of_settings(name, declared.options, settings))
        except ConfigInvalid as error:
            problems.append(error)
    return found


def python_sensor(function: Any, settings: Settings) -> Sensor:
    """Read the options of a function decorated with `@sensor`.

    Args:
        function: What `models` found: has `name`, `options`, `file`, `line`, `doc`.
        settings: For jobs.

    Raises:
        ModelInvalid: An option has no meaning (A7103).
    """
    options: Mapping[str, Any] = function.options
    where = Where(file=function.file, line=function.line)
    try:
        has_target = options.get("job") or options.get("select")
        owner = f"sensor `{function.name}`"
        target = target_of(options, owner, settings, "") if has_target else None
        every = _duration(options, "every", EVERY, owner)
        timeout = _duration(options, "timeout", TIMEOUT, owner)
    except ConfigInvalid as error:
        raise ModelInvalid(
            error.code, error.summary, hint=error.hint, where=where, known=error.known
        ) from error
    return Sensor(
        name=function.name,
        kind="python",
        every=every,
        timeout=timeout,
        target=target,
        enabled=options.get("enabled") is not False,
        description=str(options.get("description") or function.doc),
        function=function,
        where=where,
    )


def _of_settings(name: str, options: Mapping[str, Any], settings: Settings) -> Sensor:
    base, owner = f"sensors.{name}", f"sensor `{name}`"
    when = options.get("when") or {}
    files, table = names_of(when.get("files")), when.get("table") or ""
    if bool(files) == bool(table):
        raise ConfigInvalid(
            "A2210",
            f"`when` of {owner} has {'both' if files else 'neither'} `files` "
            f"{'and' if files else 'nor'} `table`.",
            hint='Write when: {files: "landing/*.csv"}, or when: {table: raw.orders}.',
            where=place(settings, base, "when"),
        )
    for pattern in files:
        if why := _unreadable(pattern):
            raise ConfigInvalid(
                "A2210",
                f"`files` of {owner} cannot be `{pattern}`: {why}.",
                hint="`*` stands for any letters of one name, `**` alone for folders at any depth:"
                " landing/**/*.csv",
                where=place(settings, base, "when"),
            )
    try:
        every = _duration(options, "every", EVERY, owner)
    except ConfigInvalid as error:
        error.where = place(settings, base, "every")
        raise
    return Sensor(
        name=name,
        kind="files" if files else "table",
        every=every,
        target=target_of(options, owner, settings, base),
        enabled=options.get("enabled") is not False,
        description=options.get("description") or "",
        files=files,
        table=table,
        branch=when.get("branch") or "",
        where=Where(file=settings.file, line=declared_line(settings, base)),
    )


def _unreadable(pattern: str) -> str:
    """Say why a glob matches nothing, whatever there is; empty if it may."""
    parts = pattern.strip("/").split("/")
    if parts == [""]:
        return "it names nothing"
    if any("**" in part and part != "**" for part in parts):
        return "`**` stands beside other letters"
    return ""


def declared_line(settings: Settings, base: str) -> int:
    """Give the line of something in mainstem.yml by its dotted name."""
    return settings.lines.get(base, 0)


def _duration(options: Mapping[str, Any], key: str, default: timedelta, owner: str) -> timedelta:
    written = options.get(key)
    if written is None:
        return default
    found = duration_of(written)
    if found is None or found < _SHORTEST:
        raise ConfigInvalid(
            "A2203",
            f"`{key}` of {owner} is `{written}`; allowed is a second or more.",
            hint="Write it as 30s, 15m or 1h.",
        )
    return found
