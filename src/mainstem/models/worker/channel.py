# SPDX-License-Identifier: Apache-2.0
"""Whole messages over a socket: eight bytes of length, then a pickle."""

from __future__ import annotations

import pickle
import socket
import struct
import threading
from typing import Any

_LENGTH = struct.Struct("!Q")
_CHUNK = 1 << 18


class Channel:
    """One end of a conversation: one thread receives, any may send."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._buffer = bytearray()
        self._sending = threading.Lock()
        self.is_closed = False
        """The other end is gone; nothing more will come."""

    def send(self, message: object) -> None:
        """Send a message.

        Raises:
            OSError: The other end is gone.
        """
        body = pickle.dumps(message, protocol=5)
        with self._sending:  # threads of user code may log at the same time
            self.socket.sendall(_LENGTH.pack(len(body)) + body)

    def receive(self) -> Any:
        """Wait for a message.

        Raises:
            EOFError: The other end is gone.
        """
        while (message := self._next()) is None:
            chunk = self.socket.recv(_CHUNK)
            if not chunk:
                raise EOFError
            self._buffer += chunk
        return message[0]

    def available(self, *, to_the_end: bool = False) -> list[Any]:
        """Give what has arrived, without waiting: a peer stopped in mid-message blocks nobody.

        Args:
            to_the_end: The other end is gone: look again until there is nothing more.
        """
        try:
            while chunk := self.socket.recv(_CHUNK, socket.MSG_DONTWAIT):
                self._buffer += chunk
                if len(chunk) < _CHUNK and not to_the_end:
                    break  # that was all; what comes meanwhile is told of next time
            else:
                self.is_closed = True
        except BlockingIOError:
            pass
        except OSError:
            self.is_closed = True
        messages = []
        while (message := self._next()) is not None:
            messages.append(message[0])
        return messages

    def close(self) -> None:
        """Close this end."""
        self.socket.close()

    def _next(self) -> tuple[Any] | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        end = _LENGTH.size + length
        if len(self._buffer) < end:
            return None
        message = pickle.loads(memoryview(self._buffer)[_LENGTH.size : end])  # noqa: S301  # both ends are ours
        del self._buffer[:end]
        return (message,)
