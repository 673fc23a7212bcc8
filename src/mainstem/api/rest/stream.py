# SPDX-License-Identifier: Apache-2.0
"""From a thread that writes to a client that reads: a pipe of few pieces, so nothing piles up."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator

PIECE_BYTES = 131_072
_PIECES = 4


class Broken(OSError):
    """The client is gone, or took nothing for too long."""


class Pipe(io.RawIOBase):
    """A binary stream that a thread writes and the event loop reads.

    Args:
        loop: Where it is read.
        patience_s: How long the writer waits for the reader.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, patience_s: float) -> None:
        super().__init__()
        self._loop = loop
        self._patience_s = patience_s
        self._queue: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue()
        self._slots = threading.Semaphore(_PIECES)
        self._buffer = bytearray()
        self._taken = 0
        self._is_broken = False

    def writable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Give the bytes written so far."""
        return self._taken

    def write(self, data: object) -> int:
        """Take bytes; waits while the client is behind."""
        given = bytes(memoryview(data))  # type: ignore[arg-type]  # whatever has a buffer
        self._buffer += given
        self._taken += len(given)
        if len(self._buffer) >= PIECE_BYTES:
            self._pass_on()
        return len(given)

    def finish(self) -> None:
        """Pass on the rest, and the end; called by the writer."""
        if self._buffer:
            self._pass_on()
        self._loop.call_soon_threadsafe(self._queue.put_nowait, None)

    def fail(self, error: BaseException) -> None:
        """Let the reader fail with what the writer failed with; called in the event loop."""
        self._queue.put_nowait(error)

    def break_off(self) -> None:
        """Let the writer fail at its next piece; called when the reader goes."""
        self._is_broken = True
        self._slots.release()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give what was written, until the end."""
        while True:
            piece = await self._queue.get()
            if piece is None:
                return
            if isinstance(piece, BaseException):
                raise piece
            self._slots.release()
            yield piece

    def _pass_on(self) -> None:
        is_free = self._slots.acquire(timeout=self._patience_s)
        if self._is_broken or not is_free:
            raise Broken("the client is gone, or takes nothing")
        piece = bytes(self._buffer)
        self._buffer.clear()
        self._loop.call_soon_threadsafe(self._queue.put_nowait, piece)
