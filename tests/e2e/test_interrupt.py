# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C through the real program: once stops cleanly, twice at once; nothing is published."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

pytestmark = pytest.mark.slow
PROGRAM = Path(sys.executable).parent / "mainstem"

SLOW_PYTHON = """\
import time

import pyarrow as pa

from mainstem import asset


@asset()
def slow(quick: pa.Table) -> pa.Table:
    for _ in range(600):
        time.sleep(0.1)
    return quick
"""
STUBBORN_PYTHON = SLOW_PYTHON.replace(
    "    for _ in",
    "    import signal\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    for _ in",
)
SLOW_SQL = """\
/* --- {materialized: table} --- */
select sum(sin(a.range * b.range)) as x from range(100000) as a, range(1000000) as b
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "mainstem.yml").write_text("name: p\n")
    (tmp_path / "models/quick.sql").write_text(
        "/* ---\nmaterialized: table\n--- */\nselect 1 as n\n"
    )
    return tmp_path


def _start(folder):
    process = subprocess.Popen(
        [PROGRAM, "run", "--json"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    for line in process.stdout:
        event = orjson.loads(line)
        if event["event"] == "step_started" and "slow" in event["key"]:
            return process
    raise AssertionError(process.stderr.read())


def _end(process, within_s):
    begin = time.monotonic()
    out, err = process.communicate(timeout=within_s + 20)
    assert time.monotonic() - begin < within_s, err
    return [orjson.loads(line) for line in out.splitlines()]


def _published(folder):
    done = subprocess.run(
        [PROGRAM, "list", "--json"], cwd=folder, capture_output=True, check=True, text=True
    )
    return {row["key"]: row["row_count"] for row in orjson.loads(done.stdout)}


@pytest.mark.parametrize(
    ("name", "text"),
    [("slow.py", SLOW_PYTHON), ("slow.sql", SLOW_SQL.replace("{", "\n").replace("}", "\n"))],
)
def test_once_stops_within_seconds_and_publishes_nothing(project, name, text):
    (project / "models" / name).write_text(text)
    process = _start(project)

    process.send_signal(signal.SIGINT)
    events = _end(process, 30)  # it would go on for a minute, or for days

    assert process.returncode == 130
    assert events[-1]["status"] == "cancelled"
    assert _published(project)["main.slow"] is None
    assert _published(project)["main.quick"] is None


def test_twice_stops_at_once_even_what_will_not_listen(project):
    (project / "models/slow.py").write_text(STUBBORN_PYTHON)
    process = _start(project)

    process.send_signal(signal.SIGINT)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _end(process, 4)

    assert process.returncode == 130


def test_after_a_cancelled_run_the_next_one_goes_on_at_once(project):
    (project / "models/slow.py").write_text(SLOW_PYTHON)
    process = _start(project)
    process.send_signal(signal.SIGINT)
    _end(process, 30)
    (project / "models/slow.py").write_text(SLOW_PYTHON.replace("range(600)", "range(1)"))

    done = subprocess.run(
        [PROGRAM, "run"], cwd=project, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert _published(project) == {"main.quick": 1, "main.slow": 1}
