# SPDX-License-Identifier: Apache-2.0
"""A real HTTP server and a real SMTP server, each in a thread, that keep what they are sent."""

import socketserver
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest


@dataclass
class Receiver:
    port: int = 0
    answers: list = field(default_factory=list)
    """Status codes to answer with, in turn; 200 when there are none left."""
    received: list = field(default_factory=list)
    headers: list = field(default_factory=list)
    paths: list = field(default_factory=list)
    raw: list = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hook/t0ken-in-url"


@pytest.fixture
def receiver():
    """An HTTP server that takes JSON, and keeps anything else as it came."""
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.raw.append(body)
            if self.headers["Content-Type"] == "application/json":
                kept.received.append(orjson.loads(body))
            kept.headers.append(dict(self.headers))
            kept.paths.append(self.path)
            code = kept.answers.pop(0) if kept.answers else 200
            self.send_response(code)
            if code == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(b"{}")
            kept.arrived.set()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Mailbox:
    port: int = 0
    mails: list = field(default_factory=list)
    """Sender, receivers and text of each."""
    logins: list = field(default_factory=list)
    refuses: bool = False


@pytest.fixture
def mailbox():
    """An SMTP server that takes mail, in as few lines as the protocol allows."""
    kept = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, text):
            self.wfile.write(text.encode() + b"\r\n")

        def handle(self):
            sender, receivers = "", []
            self.say("220 test")
            while line := self.rfile.readline().decode().strip():
                verb = line.split(" ")[0].upper()
                if verb == "EHLO":
                    self.say("250-test")
                    self.say("250 AUTH PLAIN")
                elif verb == "AUTH":
                    kept.logins.append(line.split(" ")[-1])
                    self.say("235 welcome")
                elif verb == "MAIL":
                    sender = line
                    self.say("250 ok")
                elif verb == "RCPT":
                    receivers.append(line)
                    self.say("550 nobody" if kept.refuses else "250 ok")
                elif verb == "DATA":
                    self.say("354 go on")
                    text = b"".join(iter(self.rfile.readline, b".\r\n"))
                    kept.mails.append((sender, receivers, text.decode()))
                    self.say("250 ok")
                elif verb == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()
