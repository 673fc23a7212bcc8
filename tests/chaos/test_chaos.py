# SPDX-License-Identifier: Apache-2.0
"""A handful of seeded worlds of real processes; `MAINSTEM_CHAOS=100` makes them a hundred.

The harness is a process of its own: it waits and sends signals, and leaves no thread behind here.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).with_name("harness.py")
WORLDS = os.environ.get("MAINSTEM_CHAOS", "2")
FIRST = {"sqlite": "1002", "postgres": "2015"}
"""Where accidents once found something, or are many."""

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_whatever_dies_nothing_is_lost_doubled_half_published_or_left_running(database):
    done = subprocess.run(
        [sys.executable, str(HARNESS), database, FIRST[database], WORLDS],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{WORLDS} worlds on {database}" in done.stdout
