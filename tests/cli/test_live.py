# SPDX-License-Identifier: Apache-2.0
"""The moving part at the foot of a terminal."""

import io
import os
import pty
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mainstem.cli.live import Live
from mainstem.cli.render.look import Look


class ManualClock:
    def __init__(self):
        self.seconds = 0.0

    def now(self):
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic_s(self):
        return self.seconds

    def sleep(self, seconds):
        self.seconds += seconds


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def screen():
    return io.StringIO()


def _live(screen, clock):
    return Live(screen, Look(has_glyphs=True, width=60), clock, key_width=5)


def test_nothing_is_drawn_within_the_first_second(screen, clock):
    live = _live(screen, clock)
    live.started("raw.a")

    live.above(["done"])

    assert screen.getvalue() == "done\n"


def test_running_steps_stand_below_what_stays(screen, clock):
    live = _live(screen, clock)
    live.started("raw.a")
    clock.seconds = 2.0
    live.progressed("raw.a", 1200, "reading")

    live.above(["done"])

    assert screen.getvalue() == "done\n  ⠋ raw.a      1,200 rows     2.0 s   reading\n"


def test_what_was_drawn_is_cleared_before_the_next_line(screen, clock):
    live = _live(screen, clock)
    live.started("raw.a")
    clock.seconds = 2.0
    live.above(["one"])
    live.ended("raw.a")

    live.above(["two"])

    assert screen.getvalue().endswith("\x1b[1A\r\x1b[Jtwo\n")


def test_lines_never_wrap(screen, clock):
    live = _live(screen, clock)
    live.started("raw.a")
    clock.seconds = 2.0
    live.progressed("raw.a", None, "x" * 200)

    live.above([])

    assert max(len(line) for line in screen.getvalue().splitlines()) <= 59


def _on_a_terminal(folder, *words, **variables):
    """Run the program on a pseudo terminal; gives its code and the bytes it drew."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "PYTHONIOENCODING": "utf-8", **variables}
    process = subprocess.Popen(
        [Path(sys.executable).parent / "mainstem", *words],
        cwd=folder,
        stdout=follower,
        stderr=follower,
        env=environment,
    )
    os.close(follower)
    drawn = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        drawn += piece
    os.close(leader)
    return process.wait(), drawn.decode()


def test_a_terminal_gets_glyphs_colour_and_no_times(shop):
    code, drawn = _on_a_terminal(shop, "run")

    assert code == 0
    assert "✓" in drawn
    assert "\x1b[32m" in drawn
    assert not re.search(r"\d{4}-\d\d-\d\dT", drawn)


def test_no_color_is_honoured(shop):
    code, drawn = _on_a_terminal(shop, "run", NO_COLOR="1")

    assert code == 0
    assert "✓" in drawn
    assert not re.search(r"\x1b\[\d+m", drawn)
