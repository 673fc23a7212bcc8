# SPDX-License-Identifier: Apache-2.0
"""Answers HTTP in a thread of its own: uvicorn, bound to a socket that is open already."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import Any

import uvicorn

from mainstem.errors import EngineUnavailable

_JOIN_S = 5.0
_TICK_S = 1.0


class _Server(uvicorn.Server):
    """Wakes once a second, for the date of its answers; uvicorn's looks ten times."""

    _ends: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    async def main_loop(self) -> None:
        over = asyncio.Event()
        self._ends = (asyncio.get_running_loop(), over)
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await over.wait()

    def end(self) -> None:
        """Let the loop end; from any thread."""
        self.should_exit = True
        if self._ends is not None:
            loop, over = self._ends
            with contextlib.suppress(RuntimeError):  # it has ended
                loop.call_soon_threadsafe(over.set)


class Listener:
    """One application on one socket.

    Args:
        application: An ASGI application.
        bound: A socket that is bound; closed by whoever bound it.
    """

    def __init__(self, application: Any, bound: socket.socket) -> None:
        self._server = _Server(
            uvicorn.Config(
                application,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=2,
            )
        )
        # Not the main thread: signals are the program's, and stop runs before they stop answers.
        self._thread = threading.Thread(
            target=self._server.run, args=([bound],), name="http", daemon=True
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End answers under way within seconds, and listen no more."""
        self._server.end()
        self._thread.join(_JOIN_S)


def bind(host: str, port: int, *, tries: int = 20) -> socket.socket:
    """Bind the first free port from `port` on; 0 takes any.

    Raises:
        EngineUnavailable: The address is not this machine's, or all those ports are taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    last: OSError | None = None
    for candidate in range(port, port + tries if port else 1):
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, candidate))
            # Bound is not enough to see a server that listens on the same port.
            bound.listen(128)
        except OSError as error:
            bound.close()
            last = error
        else:
            return bound
    raise EngineUnavailable(
        "A6404",
        f"No port can be listened on at {host} from {port} on: {last}.",
        hint="Name another with --port, or 0 for any that is free.",
    ) from last
