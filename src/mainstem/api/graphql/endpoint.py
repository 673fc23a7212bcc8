# SPDX-License-Identifier: Apache-2.0
"""`/graphql`: one operation in a JSON object, answered as JSON; subscriptions as an event stream.

Event streams follow the graphql-sse protocol in "distinct connections" mode: `next` events with a
result each, then `complete`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from importlib import import_module
from typing import TYPE_CHECKING, Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mainstem.api.door import principal_of
from mainstem.api.graphql.operation import Operation, of_body, of_query
from mainstem.api.host import Host
from mainstem.api.problem import Problem
from mainstem.api.role import Principal
from mainstem.api.settings import ApiSettings
from mainstem.api.work import Deadline, Workbench
from mainstem.errors import EngineUnavailable, UserError

if TYPE_CHECKING:
    from mainstem.api.graphql.schema import Schema

_KEEP_ALIVE_S = 15.0


class GraphQL:
    """The route."""

    def __init__(self, host: Host, bench: Workbench, settings: ApiSettings) -> None:
        self._host = host
        self._bench = bench
        self._settings = settings
        self._streams = 0

    async def answer(self, request: Request) -> Response:
        """Answer one operation."""
        principal = principal_of(request.scope)
        if isinstance(principal, Problem):
            return principal.response()
        is_stream = "text/event-stream" in request.headers.get("accept", "")
        if request.method == "GET":
            if not is_stream:
                raise UserError(
                    "A8112",
                    "GET is for subscriptions alone.",
                    hint="Send queries and mutations by POST, as JSON.",
                )
            operation = of_query(request)
        else:
            operation = await of_body(request)
        if is_stream:
            return await self._stream(operation, principal)
        document = await self._bench.run(lambda end: self._execute(operation, principal, end))
        return Response(document, media_type="application/json")

    def warm(self) -> None:
        """Make the schema before somebody asks."""
        self._schema()

    def _schema(self) -> Schema:
        # strawberry takes half a second of CPU time to import: the first answers do without.
        module = import_module("mainstem.api.graphql.schema")
        found: Schema = module.schema(self._settings)
        return found

    def _context(self, principal: Principal, deadline: Deadline) -> Any:
        return import_module("mainstem.api.graphql.context").Context(
            host=self._host,
            project=self._host.project,
            principal=principal,
            deadline=deadline,
            settings=self._settings,
        )

    def _execute(self, operation: Operation, principal: Principal, deadline: Deadline) -> bytes:
        """Execute a query or a mutation; in a thread."""
        module = import_module("mainstem.api.graphql.schema")
        with self._context(principal, deadline) as context:
            return _document(module.execute(self._schema(), operation, context))

    async def _stream(self, operation: Operation, principal: Principal) -> Response:
        if self._streams >= self._settings.streams:
            raise EngineUnavailable(
                "A8110", f"{self._streams} subscriptions are open, and no more are allowed."
            )
        # The schema is made in a thread: it must not hold up who is served already.
        schema = await asyncio.to_thread(self._schema)
        return StreamingResponse(
            self._events(schema, operation, principal),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _events(
        self, schema: Schema, operation: Operation, principal: Principal
    ) -> AsyncGenerator[bytes, None]:
        self._streams += 1
        deadline = Deadline()
        try:
            with self._context(principal, deadline) as context:
                found = await schema.subscribe(
                    operation.query,
                    variable_values=dict(operation.variables),
                    context_value=context,
                    operation_name=operation.name,
                )
                if hasattr(found, "__aiter__"):
                    async with aclosing(_with_pauses(found)) as results:
                        async for result in results:
                            # Whatever was read for it is let go: the next event may be hours away.
                            context.renew()
                            yield (
                                _event("next", _document(result))
                                if result is not None
                                else b":\n\n"
                            )
                else:
                    yield _event("next", _document(found))
            yield _event("complete", b"")
        finally:
            self._streams -= 1


async def _with_pauses(results: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
    """Give results, and nothing when none came for a while: connections that are quiet are cut."""
    waiting = asyncio.ensure_future(anext(results, _Over))
    try:
        while True:
            done, _pending = await asyncio.wait({waiting}, timeout=_KEEP_ALIVE_S)
            if not done:
                yield None
                continue
            result = waiting.result()
            if result is _Over:
                return
            yield result
            waiting = asyncio.ensure_future(anext(results, _Over))
    finally:
        waiting.cancel()


class _Over:
    """Stands for the end of a stream."""


def _event(name: str, data: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


def _document(result: Any) -> bytes:
    told = import_module("mainstem.api.graphql.schema").told
    found: dict[str, Any] = {}
    if result.errors:
        found["errors"] = [told(error) for error in result.errors]
    if result.data is not None or not result.errors:
        found["data"] = result.data
    return orjson.dumps(found, option=orjson.OPT_NON_STR_KEYS, default=str)
