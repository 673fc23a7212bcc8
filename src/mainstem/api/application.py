# SPDX-License-Identifier: Apache-2.0
"""The ASGI application: routes, with the door before all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mainstem.api.door import Door
from mainstem.api.graphql.endpoint import GraphQL
from mainstem.api.host import Alone, Host
from mainstem.api.latency import Latencies
from mainstem.api.problem import HIDDEN, problem_of, refused
from mainstem.api.rest.data import Data
from mainstem.api.rest.health import Health
from mainstem.api.rest.hooks import Hooks
from mainstem.api.rest.metrics import Metrics
from mainstem.api.settings import ApiSettings
from mainstem.api.work import Workbench
from mainstem.errors import MainstemError
from mainstem.project import Project

if TYPE_CHECKING:
    from mainstem.database import Database


def application(
    server_or_project: Host | Project, *, settings: ApiSettings | None = None
) -> Starlette:
    """Make the ASGI application.

    Args:
        server_or_project: What is served. A project alone can be read and changed; launching and
            whatever goes on by itself needs a server.
        settings: Whom it answers, and within which limits.
    """
    settings = settings or ApiSettings()
    host = Alone(server_or_project) if isinstance(server_or_project, Project) else server_or_project
    bench, latencies = Workbench(settings), Latencies()

    def database() -> Database:
        return host.project.services.database

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        # Beside the first answers: whoever asks GraphQL first finds it made, or waits for it.
        warming = asyncio.get_running_loop().run_in_executor(None, graphql.warm)
        yield
        await warming
        bench.close()

    graphql = GraphQL(host, bench, settings)
    health = Health(host=host, bench=bench)
    metrics = Metrics(host=host, bench=bench, latencies=latencies)
    data = Data(host=host, bench=bench, patience_s=settings.timeout_s)
    return Starlette(
        routes=[
            Route("/health", health.answer, methods=["GET"]),
            Route("/health/live", health.answer, methods=["GET"]),
            Route("/health/ready", health.answer, methods=["GET"]),
            Route("/metrics", metrics.answer, methods=["GET"]),
            Route("/graphql", graphql.answer, methods=["GET", "POST"]),
            Route("/hooks/{name}", Hooks(host=host, bench=bench).answer, methods=["POST"]),
            Route("/api/data/{asset}", data.answer, methods=["GET"]),
        ],
        middleware=[
            Middleware(
                Door,
                settings=settings,
                database=database,
                clock=host.project.clock,
                latencies=latencies,
                limit_of=partial(_limit_of, host, settings),
            )
        ],
        exception_handlers={
            MainstemError: _told,
            HTTPException: _http,
            Exception: _hidden,
        },
        lifespan=lifespan,
    )


def _limit_of(host: Host, settings: ApiSettings, path: str) -> int:
    """Give the bytes that a body may have: of a hook as many as its `max_bytes` allow."""
    name = path.removeprefix("/hooks/")
    hook = None if name == path else host.project.automation.triggers.hooks.get(name)
    return max(settings.max_body_bytes, 0 if hook is None else hook.max_bytes)


async def _told(request: Request, error: Exception) -> Response:
    del request
    return problem_of(error).response()


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for nothing else"
    if error.status_code == 405:
        return refused("A8112", f"{request.method} is not for this address.").response()
    return refused("A8119", "There is nothing at this address.").response()


async def _hidden(request: Request, error: Exception) -> Response:
    # The error itself goes on to the server, which logs it.
    del request, error
    return HIDDEN.response()
