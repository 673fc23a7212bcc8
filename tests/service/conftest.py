# SPDX-License-Identifier: Apache-2.0
"""A small project, servers over it, and a clock that only tests move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mainstem.service import Server

START = datetime(2026, 1, 1, tzinfo=UTC)


class ManualClock:
    """Time stands still until somebody moves it; both of its hands can be moved alone."""

    def __init__(self):
        self._now = START
        self._monotonic_s = 1000.0

    def now(self):
        return self._now

    def monotonic_s(self):
        return self._monotonic_s

    def sleep(self, seconds):
        self.pass_s(seconds)

    def pass_s(self, seconds):
        self._now += timedelta(seconds=seconds)
        self._monotonic_s += seconds

    def jump(self, seconds):
        """Set the wall clock, as an administrator or NTP does."""
        self._now += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mainstem.yml").write_text("name: shop\nserve: {max_runs: 4}\n")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "one.sql").write_text("select 1 as a\n")
    (tmp_path / "models" / "two.sql").write_text("select a from one\n")
    return tmp_path


@pytest.fixture
def open_server(folder):
    """Servers that are not started: tests turn them by hand, or start them."""
    opened = []

    def open_one(**options):
        opened.append(Server(folder, **options))
        return opened[-1]

    yield open_one
    for server in opened:
        server.stop(for_good=True)
        server.stop(for_good=True)
        server.wait(30)
        server.close()


@pytest.fixture
def server(open_server):
    started = open_server()
    started.start()
    return started


class Watcher:
    """Reads a server's events until the one that a test waits for."""

    def __init__(self, server, after=None):
        self.subscription = server.subscribe(after=after)
        self.seen = []

    def until(self, topic, name, **facts):
        """Give the next such event."""
        for _ in range(600):
            while self.seen:
                event = self.seen.pop(0)
                values = {"launch_id": event.launch_id, "run_id": event.run_id, **event.facts}
                if (event.topic, event.name) == (topic, name) and facts.items() <= values.items():
                    return event
            self.seen += self.subscription.wait(0.1)
        raise AssertionError((topic, name, facts))


@pytest.fixture
def watch():
    return Watcher
