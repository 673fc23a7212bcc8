# SPDX-License-Identifier: Apache-2.0
"""Which settings and variables are secret, and what they are: to be masked wherever text is kept.

Asked when a run begins. A variable that is not set is no secret yet; nothing is raised for it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from mainstem.config.settings import Environment, Settings
from mainstem.config.variable import Variables, references
from mainstem.errors import ConfigInvalid

_SECRET_NAME = re.compile(
    r"passw|secret|token|credential|private|api_?key|access_?key|passphrase|auth|^pwd$|dsn|^key$",
    re.IGNORECASE,
)
# Of a whole process, names are not chosen by the project: GIT_AUTHOR_NAME and PWD hide nothing.
_SECRET_VARIABLE = re.compile(
    r"passw|secret|token|credential|private_?key|api_?key|access_?key|passphrase|_pwd$|(^|_)dsn$",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"[a-z][a-z0-9+.\-]*://[^/@:\s]*:([^/@\s]+)@", re.IGNORECASE)
_DSN_PASSWORD = re.compile(r"\bpassword\s*=\s*(?:'([^']*)'|([^\s;']+))", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Tell whether a setting (by its dotted name), variable or `file:...` holds a secret."""
    last = name.rpartition(".")[2] if not name.startswith("file:") else name
    # An alert's address is what lets anyone write to the channel.
    return bool(_SECRET_NAME.search(last)) or (name.startswith("alerts.") and last == "url")


def secret_values(
    settings: Settings, environment: Environment, variables: Variables
) -> frozenset[str]:
    """Give all secrets that the project can resolve, and those of the process by their names.

    Passwords within URLs count whatever the setting is called. Secret files are read.
    """
    found: set[str] = set()
    for name, value in variables.values.items():
        if _SECRET_VARIABLE.search(name):
            found.update(_of_value(value))
        else:
            found.update(_passwords(value))
    for path, text in _settings(settings, environment):
        found.update(_of_setting(path, text, variables))
    return frozenset(value for value in found if value)


def secrets_in(options: Mapping[str, str], variables: Variables) -> frozenset[str]:
    """Give the secrets that options hold which are not in mainstem.yml: by name, or referred to."""
    found = {
        value for name, text in options.items() for value in _of_setting(name, text, variables)
    }
    return frozenset(value for value in found if value)


def _settings(settings: Settings, environment: Environment) -> Iterator[tuple[str, str]]:
    yield "lake.database", environment.lake.database
    yield "lake.warehouse", environment.lake.warehouse
    yield from _texts("vars", environment.vars)
    for name, connection in environment.connections.items():
        yield from _texts(f"connections.{name}", connection.options)
    for name, alert in settings.alerts.items():
        yield from _texts(f"alerts.{name}", alert.options)
    yield from _texts("telemetry", settings.telemetry)
    yield from _texts("openlineage", settings.openlineage)
    for name, job in settings.jobs.items():
        yield from _texts(f"jobs.{name}", job.options)


def _of_setting(path: str, text: str, variables: Variables) -> Iterator[str]:
    names = references(text)
    for name in names:
        # Each reference by itself: in `https://${HOST}/?key=${API_KEY}` only one is secret.
        if name.startswith("file:") or is_secret_name(name):
            yield from _of_value(_resolved(f"${{{name}}}", variables))
    whole = _resolved(text, variables)
    if is_secret_name(path):
        yield from _of_value(whole)
    yield from _passwords(whole)


def _resolved(text: str, variables: Variables) -> str:
    with contextlib.suppress(ConfigInvalid):
        return variables.expand(text)
    return ""


def _of_value(value: str) -> Iterator[str]:
    inner = tuple(_passwords(value))
    # Of a URL the password is secret, and not the host; an address without one is wholly so.
    yield from inner or (value,)


def _passwords(value: str) -> Iterator[str]:
    if "://" in value:
        for match in _URL_PASSWORD.finditer(value):
            yield match[1]
            yield unquote(match[1])
    if "=" in value:
        for match in _DSN_PASSWORD.finditer(value):
            yield match[1] or match[2]


def _texts(path: str, value: Any) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield path, value
        case Mapping():
            for key, item in value.items():
                yield from _texts(f"{path}.{key}", item)
        case list() | tuple():
            for item in value:
                yield from _texts(path, item)
        case int() | float() if not isinstance(value, bool):
            yield path, str(value)
        case _:
            pass
