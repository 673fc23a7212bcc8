# SPDX-License-Identifier: Apache-2.0
"""A relay before the PostgreSQL server, which counts round trips and can lose an answer."""

import socket
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import pytest

SYNC = b"S\0\0\0\4"


class Proxy:
    """Relays each connection to the server's socket, in threads of its own."""

    def __init__(self, target):
        self._target = target
        self._place = tempfile.TemporaryDirectory(prefix="mainstem-proxy-")
        self.folder = self._place.name
        self.turns = 0
        self.dropped = 0
        self._drop = b""
        self._until = b""
        self._flows = threading.Event()
        self._flows.set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(Path(self.folder, ".s.PGSQL.5432")))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def drops_answer(self, word):
        """Keep one answer that has this word, and end the connection."""
        self._drop = word

    def holds_answers_until(self, word):
        """Let nothing of the server through until it is asked for what has this word."""
        self._until = word
        self._flows.clear()

    def close(self):
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._place.cleanup()

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                threading.Thread(target=self._relay, args=(client, server), daemon=True).start()

    def _relay(self, client, server):
        state = {"is_asking": False}

        def ask():
            with suppress(OSError):
                while data := client.recv(1 << 20):
                    # A sync that comes alone ends what was asked before: it asks for nothing new.
                    state["is_asking"] = state["is_asking"] or data != SYNC
                    server.sendall(data)
                    if self._until and self._until in data:
                        self._flows.set()
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)

        def answer():
            with suppress(OSError):
                while data := server.recv(1 << 20):
                    self._flows.wait(10)
                    self.turns += state["is_asking"]
                    state["is_asking"] = False
                    if self._drop and self._drop in data:
                        self._drop = b""
                        self.dropped += 1
                        break
                    client.sendall(data)
            for one in (client, server):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

        threads = [threading.Thread(target=one, daemon=True) for one in (ask, answer)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        client.close()
        server.close()


@pytest.fixture
def proxy(postgres_server):
    made = Proxy(f"{postgres_server.socket}/.s.PGSQL.5432")
    yield made
    made.close()
