# SPDX-License-Identifier: Apache-2.0
"""What a URL says: how to connect, in which schema, and how to name it without its secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from urllib.parse import quote, unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from mainstem.errors import ConfigInvalid
from mainstem.types import dataclass

_SEARCH_PATH = re.compile(r"-c\s*search_path=(\"[^\"]+\"|[^\s,]+)")
DEFAULT_SCHEMA = "mainstem"
"""Not `public`, where tables of others may be, and where most roles may not make any."""
_DEFAULTS: Mapping[str, str] = {
    "fallback_application_name": "mainstem",
    "client_encoding": "utf8",
    "connect_timeout": "10",
    # A host that is gone is noticed in a minute, not in the two hours of the system.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One lake in one PostgreSQL database."""

    parameters: Mapping[str, str] = field(repr=False)
    """For libpq; the password may be among them."""
    schema: str
    url: str
    """Without password."""


def address_of(url: str) -> Address:
    """Read a URL `postgresql://user:password@host:port/database?schema=name`.

    All parameters of libpq are taken, `options=-csearch_path=name` as well as `schema=name`.

    Raises:
        ConfigInvalid: It cannot be read.
    """
    base, _, query = url.partition("?")
    asked, others = "", []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name == "schema":
            asked = unquote(value)
        else:
            others.append(part)
    try:
        found = conninfo_to_dict(f"{base}?{'&'.join(others)}" if others else base)
    except psycopg.Error:
        # Without its cause: libpq quotes what it cannot read, and that may be the password.
        raise _unreadable() from None
    ports = str(found.get("port", "")).split(",")
    if "@" in str(found.get("host", "")) or not all(port.isdigit() for port in ports if port):
        raise _unreadable()  # Part of a password was taken for the host or port.
    parameters = {**_DEFAULTS, **{name: str(value) for name, value in found.items()}}
    if not asked:
        in_path = _SEARCH_PATH.search(parameters.get("options", ""))
        asked = in_path[1].strip('"') if in_path else DEFAULT_SCHEMA
    return Address(parameters=parameters, schema=asked, url=_without_password(parameters, asked))


def _unreadable() -> ConfigInvalid:
    return ConfigInvalid(
        "A5007",
        "The URL of the database, which begins with postgresql://, cannot be read.",
        hint="Write postgresql://user:password@host:5432/database?schema=name, with %40 for an `@` "
        "and %2F for a `/` within the password.",
        known=("postgresql://",),
    )


def _without_password(parameters: Mapping[str, str], schema: str) -> str:
    host, user = parameters.get("host", ""), parameters.get("user", "")
    more = {"schema": schema}
    if host.startswith("/"):
        host, more["host"] = "", host
    port = parameters.get("port", "")
    if port and not host:
        port, more["port"] = "", port
    query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in more.items() if value)
    return (
        f"postgresql://{quote(user, safe='') + '@' if user else ''}{host}"
        f"{':' + port if port else ''}/{quote(parameters.get('dbname', ''), safe='')}"
        f"{'?' + query if query else ''}"
    )
