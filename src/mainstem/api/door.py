# SPDX-License-Identifier: Apache-2.0
"""The door: every request is looked at, its caller identified, its body measured, its end logged.

Plain ASGI around the routes, so that no route can forget any of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mainstem.api.guard import Asked, bearer_of, is_local, refusal, shown_path
from mainstem.api.latency import Latencies
from mainstem.api.problem import Problem, refused
from mainstem.api.role import Principal, Role
from mainstem.api.settings import Access, ApiSettings
from mainstem.api.tokens import live_token
from mainstem.database import Database
from mainstem.types import Clock

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)


class BodyTooLarge(Exception):  # only between the door and its own `receive`
    """More came than a body may have, though its length had not been told."""


class Door:
    """Middleware; `scope["principal"]` is the caller behind it, or nothing if nobody said who."""

    def __init__(
        self,
        app: App,
        *,
        settings: ApiSettings,
        database: Callable[[], Database],
        clock: Clock,
        latencies: Latencies,
        limit_of: Callable[[str], int],
    ) -> None:
        self._app = app
        self._settings = settings
        self._limit_of = limit_of
        self._database = database
        self._clock = clock
        self._latencies = latencies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or not."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, status, actor = self._clock.monotonic_s(), 500, "-"
        asked = _asked(scope)
        limit = self._limit_of(asked.path)

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._latencies.note(asked.path, status, self._clock.monotonic_s() - started)
                message = {**message, "headers": _with_ours(message["headers"])}
            await send(message)

        try:
            problem = refusal(asked, self._settings) or _oversized(asked, limit)
            principal: Principal | Problem | None = None
            if problem is None:
                principal = await self._identify(asked)
            if isinstance(principal, Problem):
                problem, principal = principal, None
            if problem is not None:
                await problem.response()(scope, receive, sending)
                return
            actor = principal.name if principal is not None else "-"
            scope["principal"] = principal
            limited = _limited(receive, limit)
            try:
                await self._app(scope, limited, sending)
            except BodyTooLarge:
                await _too_large(limit).response()(scope, receive, sending)
        finally:
            self._settings.log(
                Access(
                    method=shown_path(asked.method),
                    path=shown_path(asked.path),
                    status=status,
                    elapsed_s=self._clock.monotonic_s() - started,
                    actor=actor,
                    address=asked.address,
                )
            )

    async def _identify(self, asked: Asked) -> Principal | Problem | None:
        token = bearer_of(asked)
        if token is None:
            is_free = is_local(asked) and not self._settings.require_token
            return (
                Principal(name="local", role=Role.ADMIN, address=asked.address) if is_free else None
            )
        found = await asyncio.to_thread(live_token, self._database(), token, now=self._clock.now())
        if found is None:
            return refused(
                "A8107",
                "The token is wrong, has expired or was revoked.",
                "See them: mainstem token list",
            )
        return Principal(
            name=found.name,
            role=Role[found.role.upper()],
            address=asked.address,
            token_id=found.id,
        )


def principal_of(scope: Scope, role: Role = Role.VIEWER) -> Principal | Problem:
    """Give the caller if it may do what takes a role, or say why not."""
    found: Principal | None = scope.get("principal")
    if found is None:
        return refused(
            "A8107",
            "This needs a token.",
            "Send `Authorization: Bearer ...`; an admin makes one: mainstem token create NAME",
        )
    if found.role < role:
        return refused("A8108", f"This needs the role {role.word}.")
    return found


def _asked(scope: Scope) -> Asked:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    client = scope.get("client")
    return Asked(
        method=scope["method"],
        path=scope["path"],
        query=scope.get("query_string", b"").decode("latin-1"),
        headers=headers,
        address=client[0] if client else "",
    )


def _oversized(asked: Asked, limit: int) -> Problem | None:
    told = asked.headers.get("content-length", "0")
    fits = told.isascii() and told.isdigit() and int(told) <= limit
    return None if fits else _too_large(limit)


def _too_large(limit: int) -> Problem:
    return refused("A8104", f"The body of a request may have {limit:,} bytes at most.")


def _limited(receive: Receive, limit: int) -> Receive:
    taken = 0

    async def receiving() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > limit:
                raise BodyTooLarge
        return message

    return receiving


def _with_ours(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    given = {name.lower() for name, _value in headers}
    return [*headers, *((name, value) for name, value in _HEADERS if name not in given)]
