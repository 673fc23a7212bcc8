# SPDX-License-Identifier: Apache-2.0
"""Which requests are refused before anything looks at them: pure, from the request line alone.

Against DNS rebinding (a foreign name that resolves to this machine) the `Host`, against requests
that a foreign page makes in a user's browser the `Origin` and what browsers say in `Sec-Fetch-*`,
against leaks a token in the address.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import field
from urllib.parse import parse_qsl, unquote, urlsplit

from mainstem.api.problem import Problem, refused
from mainstem.api.settings import ApiSettings
from mainstem.api.tokens import LOOKS_LIKE_ONE
from mainstem.types import dataclass

_SECRET_PARAMETERS = {
    "token",
    "access_token",
    "auth",
    "authorization",
    "api_key",
    "apikey",
    "key",
    "bearer",
    "password",
    "secret",
}
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+)(:\d{1,5})?")
_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The outside of a request."""

    method: str
    path: str
    """Decoded."""
    query: str = ""
    """As sent."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case name; one that came twice has its values joined."""
    address: str = ""
    """The other end of the connection."""


def refusal(asked: Asked, settings: ApiSettings) -> Problem | None:
    """Say why a request is refused, or nothing."""
    # Probes of container platforms call by address; they learn whether we live, and no more.
    if asked.path.startswith("/health"):
        return None
    return _wrong_host(asked, settings) or _secret_in_url(asked) or _cross_site(asked, settings)


def is_local(asked: Asked) -> bool:
    """Tell whether the caller is on this machine, and nobody speaks for somebody else."""
    if any(name in asked.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(asked.address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def shown_path(path: str) -> str:
    """Give a path as a log may show it: one line, without control characters and tokens."""
    masked = re.sub(r"mst_[0-9a-f_]+", "mst_****", path)
    return _UNPRINTABLE.sub(lambda found: f"%{ord(found[0]) & 0xFF:02X}", masked)[:200]


def bearer_of(asked: Asked) -> str | None:
    """Give the token of the `Authorization` header, if there is such a header."""
    given = asked.headers.get("authorization")
    if given is None:
        return None
    scheme, _space, token = given.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _wrong_host(asked: Asked, settings: ApiSettings) -> Problem | None:
    host = asked.headers.get("host", "")
    found = _HOST.fullmatch(host)
    bound = f"[{settings.host}]" if ":" in settings.host else settings.host
    known = {name.lower() for name in (*_LOCAL, bound, *settings.hosts)}
    if found is not None and found[1].lower().rstrip(".") in known:
        return None
    return refused(
        "A8101",
        f"This server is not `{shown_path(host)}`.",
        "Call it by localhost or 127.0.0.1, or name the host under `api: hosts:` in mainstem.yml.",
    )


def _secret_in_url(asked: Asked) -> Problem | None:
    names = {name.lower() for name, _value in parse_qsl(asked.query, keep_blank_values=True)}
    text = f"{asked.path}?{unquote(asked.query)}"
    if names.isdisjoint(_SECRET_PARAMETERS) and not LOOKS_LIKE_ONE.search(text):
        return None
    return refused(
        "A8103",
        "A token does not belong in an address: those are logged and remembered along the way.",
        "Send it as a header, `Authorization: Bearer ...`. Revoke this one: mainstem token revoke",
    )


def _cross_site(asked: Asked, settings: ApiSettings) -> Problem | None:
    origin = asked.headers.get("origin")
    allowed = {origin.lower().rstrip("/") for origin in settings.origins}
    if origin is not None:
        if origin.lower() in allowed:
            return None
        is_own = _host_of(origin) == asked.headers.get("host", "").lower()
        return None if is_own else _foreign(origin)
    site = asked.headers.get("sec-fetch-site", "none")
    if site in {"none", "same-origin"}:
        return None
    # A link from elsewhere to a page; what programs call is not followed from there.
    is_page = asked.headers.get("sec-fetch-mode") == "navigate" and asked.method == "GET"
    if is_page and not asked.path.startswith(("/graphql", "/api/", "/hooks/", "/metrics")):
        return None
    return _foreign("another site")


def _host_of(origin: str) -> str | None:
    """Give the host of an origin, with its port.

    `null` is what sandboxed frames and files send: it has no host, so it is foreign.
    """
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:  # `http://[`
        return None


def _foreign(origin: str) -> Problem:
    return refused(
        "A8102",
        f"A page of {shown_path(origin)} may not call this server.",
        "If it is yours, name it under `api: origins:` in mainstem.yml.",
    )
