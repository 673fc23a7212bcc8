# SPDX-License-Identifier: Apache-2.0
"""Answers HTTP in a thread of its own: uvicorn, bound to a socket that is open already."""

from __future__ import annotations

import socket
import threading
from typing import Any

import uvicorn

from mainstem.errors import EngineUnavailable

_JOIN_S = 5.0


class Listener:
    """One application on one socket.

    Args:
        application: An ASGI application.
        bound: A socket that is bound; closed by whoever bound it.
    """

    def __init__(self, application: Any, bound: socket.socket) -> None:
        self._server = uvicorn.Server(
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
        self._server.should_exit = True
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
