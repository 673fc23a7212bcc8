# SPDX-License-Identifier: Apache-2.0
"""Composes a server with its HTTP face, hands it signals, and tells what it does until it ends."""

from __future__ import annotations

import ipaddress
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import FrameType

from mainstem.api import ApiSettings, list_tokens
from mainstem.cli.output import Output
from mainstem.cli.render.errors import error_lines
from mainstem.cli.render.plain import plain
from mainstem.cli.render.serve import event_lines
from mainstem.errors import ErrorGroup, UserError
from mainstem.service import Server, ServerEvent, Subscription
from mainstem.types import dataclass

_HEAR_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What the command line asked for."""

    folder: str
    environment: str | None
    host: str
    port: int
    with_http: bool
    watch_s: float | None
    is_for_good: bool
    """Ctrl-C cancels what runs; otherwise the next server begins it again."""


def serve(asked: Serving, output: Output) -> int:
    """Serve until a signal ends it; gives the exit code."""
    with _bound(asked) as bound:
        server = Server(asked.folder, environment=asked.environment, watch_s=asked.watch_s)
        with closing(server), server.subscribe() as events:
            with _answering(server, bound, asked, output), _signals(server, asked):
                server.start()
                _tell_project(server, output)
                while not server.wait(0):
                    _tell(events, server, output)
            _tell(events, server, output)
    return 0


@contextmanager
def _bound(asked: Serving) -> Iterator[socket.socket | None]:
    if not asked.with_http:
        yield None
        return
    if find_spec("uvicorn") is None or find_spec("starlette") is None:
        raise UserError(
            "A6405",
            "The web server is not installed.",
            hint='pip install "mainstem[serve]", or go without: mainstem serve --no-http',
        )
    with closing(import_module("mainstem.api").bind(asked.host, asked.port)) as bound:
        yield bound


@contextmanager
def _answering(
    server: Server, bound: socket.socket | None, asked: Serving, output: Output
) -> Iterator[None]:
    project = server.project
    where = f"{project.name} ({project.environment} · branch {project.branch})"
    if bound is None:
        output.note(f"Serving {where} without HTTP.")
        yield
        return
    _require_token(server, asked.host)
    port = bound.getsockname()[1]
    host = f"[{asked.host}]" if ":" in asked.host else asked.host
    address = f"http://{host}:{port}"
    api = import_module("mainstem.api")
    settings = ApiSettings.of(project.settings, host=asked.host)
    listener = api.Listener(api.application(server, settings=settings), bound)
    listener.start()
    server.announce(address)
    if asked.port not in {0, port}:
        output.note(f"Port {asked.port} is taken, so this is {port}.")
    output.note(f"Serving {where} at {address}")
    try:
        yield
    finally:
        listener.stop()


def _require_token(server: Server, host: str) -> None:
    if _is_loopback(host):
        return
    now = server.clock.now()
    living = [
        token
        for token in list_tokens(server.database)
        if token.revoked_at is None and (token.expires_at is None or token.expires_at > now)
    ]
    if not living:
        raise UserError(
            "A6403",
            f"`{host}` can be reached from other machines, and there is no token yet.",
            hint="Make one: mainstem token create NAME --role runner",
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _tell_project(server: Server, output: Output) -> None:
    problems = server.projects.problems
    if problems:
        output.lines(error_lines(ErrorGroup(problems), output.look, ending="nothing can run"))


def _tell(events: Subscription, server: Server, output: Output) -> None:
    for event in events.wait(_HEAR_S):
        if output.is_json:
            output.event(plain(event))
            continue
        lines = event_lines(event, output.look)
        if lines:
            output.timed(lines, event.at)
        if _is_broken(event):
            output.lines(error_lines(ErrorGroup(server.projects.problems), output.look))


def _is_broken(event: ServerEvent) -> bool:
    return event.topic == "project" and event.name == "broken"


@contextmanager
def _signals(server: Server, asked: Serving) -> Iterator[None]:
    """SIGTERM and Ctrl-C stop it, twice at once; SIGHUP reads the project's files again."""

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        server.stop(for_good=asked.is_for_good)

    def reload(number: int, frame: FrameType | None) -> None:
        del number, frame
        server.request_reload()

    handlers = {signal.SIGINT: stop, signal.SIGTERM: stop, signal.SIGHUP: reload}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
