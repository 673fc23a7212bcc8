# SPDX-License-Identifier: Apache-2.0
"""Hooks: what they launch, and whether a request is genuine. Pure; secrets come in as arguments."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Literal

import orjson

from mainstem.automation.job import place, target_of
from mainstem.automation.target import Target
from mainstem.config import Settings, names_of
from mainstem.errors import ConfigInvalid, MainstemError, Where
from mainstem.types import dataclass, duration_of

Scheme = Literal["mainstem", "github", "stripe", "slack"]

TOLERANCE = timedelta(minutes=5)
MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A URL that others call."""

    name: str
    secrets: tuple[str, ...]
    """As written, with `${NAME}`."""
    target: Target
    scheme: Scheme = "mainstem"
    tolerance: timedelta = TOLERANCE
    dedup_header: str = ""
    dedup_json: str = ""
    max_bytes: int = MAX_BYTES
    vars: Mapping[str, str] = field(default_factory=dict)
    """Variable of the run to its place in the body."""
    enabled: bool = True
    description: str = ""
    where: Where = field(default_factory=Where)


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature covers, as a scheme lays it out."""

    content: bytes
    signatures: tuple[str, ...]
    """Hex; one that fits is enough."""
    at: datetime | None
    """When it was signed, if the scheme says."""


def hooks_of(settings: Settings, problems: list[MainstemError]) -> list[Hook]:
    """Read `hooks:` of mainstem.yml; what is wrong with one is noted."""
    found = []
    for name, declared in settings.hooks.items():
        try:
            found.append(_hook(name, declared.options, settings))
        except ConfigInvalid as error:
            problems.append(error)
    return found


def refusal(
    hook: Hook, secrets: Iterable[str], headers: Mapping[str, str], body: bytes, now: datetime
) -> str:
    """Say why a request is not taken; empty if it is genuine.

    Signatures are compared in constant time, each secret with each, whatever was found before.

    Args:
        hook: Which one was called.
        secrets: Resolved; an empty one is none.
        headers: With names in lower case.
        body: As it came.
        now: Of the clock.
    """
    usable = [secret for secret in secrets if secret]
    if not usable:
        return "the hook has no secret"
    signed = _SCHEMES[hook.scheme](headers, body)
    if signed is None:
        return f"there is no signature of the scheme {hook.scheme}"
    fits = False
    for secret in usable:
        expected = hmac.new(secret.encode(), signed.content, sha256).hexdigest()
        for signature in signed.signatures:
            fits = hmac.compare_digest(expected.encode(), signature.encode()) or fits
    if not fits:
        return "the signature does not fit"
    if signed.at is not None and abs(now - signed.at) > hook.tolerance:
        return "it was signed too long ago"
    return ""


def dedup_key(hook: Hook, headers: Mapping[str, str], body: bytes) -> str:
    """Give what makes two deliveries one: the sender's identity, or else the signed content.

    Stripe and Slack sign what they send again with another time, so the content is no identity.
    """
    if hook.dedup_header:
        found = headers.get(hook.dedup_header.lower(), "")
    elif hook.dedup_json:
        found = _text(value_at(body, hook.dedup_json))
    elif hook.scheme == "github":
        found = headers.get("x-github-delivery", "")
    elif hook.scheme in _IDENTITIES:
        found = _text(value_at(body, _IDENTITIES[hook.scheme]))
    else:
        found = ""
    if found:
        return found[:500].replace("\x00", "\ufffd")  # PostgreSQL has no NUL in texts
    signed = _SCHEMES[hook.scheme](headers, body)
    return sha256(signed.content if signed is not None else body).hexdigest()


def value_at(body: bytes, path: str) -> Any:
    """Give what stands at a place of a JSON document, `$.order.lines.0.id`; nothing if none."""
    try:
        value: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    for part in path.removeprefix("$").strip(".").split("."):
        if not part:
            continue
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _hook(name: str, options: Mapping[str, Any], settings: Settings) -> Hook:
    base, owner = f"hooks.{name}", f"hook `{name}`"
    dedup = options.get("dedup") or {}
    if dedup.get("header") and dedup.get("json"):
        raise ConfigInvalid(
            "A2213",
            f"`dedup` of {owner} has both `header` and `json`.",
            hint="Keep the one that the sender repeats when it sends again.",
            where=place(settings, base, "dedup"),
        )
    written = options.get("tolerance")
    tolerance = TOLERANCE if written is None else duration_of(written)
    assert tolerance is not None, "checked by its shape"
    return Hook(
        name=name,
        secrets=names_of(options.get("secret")),
        target=target_of(options, owner, settings, base),
        scheme=options.get("scheme") or "mainstem",
        tolerance=tolerance,
        dedup_header=dedup.get("header") or "",
        dedup_json=dedup.get("json") or "",
        max_bytes=options.get("max_bytes") or MAX_BYTES,
        vars=options.get("vars") or {},
        enabled=options.get("enabled") is not False,
        description=options.get("description") or "",
        where=Where(file=settings.file, line=settings.lines.get(base, 0)),
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _with_time(header: str) -> Callable[[Mapping[str, str], bytes], Signed | None]:
    """Read `t=1700000000,v1=hex` (Stripe's form): signed are the time, a dot, and the body."""

    def read(headers: Mapping[str, str], body: bytes) -> Signed | None:
        pairs = [part.strip().partition("=") for part in headers.get(header, "").split(",")]
        times = [value for name, _, value in pairs if name == "t"]
        at = _time(times[0]) if times else None
        if at is None:
            return None
        signatures = tuple(value for name, _, value in pairs if name == "v1")
        return Signed(f"{times[0]}.".encode() + body, signatures, at) if signatures else None

    return read


def _github(headers: Mapping[str, str], body: bytes) -> Signed | None:
    kind, _, signature = headers.get("x-hub-signature-256", "").partition("=")
    return Signed(body, (signature,), None) if kind == "sha256" and signature else None


def _slack(headers: Mapping[str, str], body: bytes) -> Signed | None:
    time = headers.get("x-slack-request-timestamp", "")
    kind, _, signature = headers.get("x-slack-signature", "").partition("=")
    at = _time(time)
    if at is None or kind != "v0" or not signature:
        return None
    return Signed(f"v0:{time}:".encode() + body, (signature,), at)


def _time(text: str) -> datetime | None:
    if not text.isascii() or not text.isdigit() or len(text) > 11:
        return None
    return datetime.fromtimestamp(int(text), UTC)


_IDENTITIES: Mapping[Scheme, str] = {"stripe": "$.id", "slack": "$.event_id"}
"""Where senders put what their events are known by."""
_SCHEMES: Mapping[Scheme, Callable[[Mapping[str, str], bytes], Signed | None]] = {
    "mainstem": _with_time("mainstem-signature"),
    "stripe": _with_time("stripe-signature"),
    "github": _github,
    "slack": _slack,
}
