# SPDX-License-Identifier: Apache-2.0
"""Two runs at once on one branch: overlapping ones wait or leave with 3, disjoint ones go on."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

pytestmark = pytest.mark.slow
PROGRAM = Path(sys.executable).parent / "mainstem"
SLOW = """\
import time

import pyarrow as pa

from mainstem import asset


@asset()
def slow(base: pa.Table) -> pa.Table:
    time.sleep(8)
    return base
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "mainstem.yml").write_text("name: p\n")
    for name in ("base", "other"):
        text = "/* ---\nmaterialized: table\n--- */\nselect 1 as n\n"
        (tmp_path / f"models/{name}.sql").write_text(text)
    (tmp_path / "models/slow.py").write_text(SLOW)
    return tmp_path


@pytest.fixture
def first(project):
    """A run that holds main.base and main.slow for some seconds."""
    process = subprocess.Popen(
        [PROGRAM, "run", "main.base", "main.slow", "--json"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    for line in process.stdout:
        event = orjson.loads(line)
        if event["event"] == "step_started" and event["key"] == "main.slow":
            break
    yield process
    process.communicate(timeout=60)


def _run(project, *words):
    return subprocess.run(
        [PROGRAM, "run", *words], cwd=project, capture_output=True, text=True, check=False
    )


def test_an_overlapping_run_that_may_not_wait_names_the_other(project, first):
    done = _run(project, "+main.slow", "--no-wait")

    assert done.returncode == 3
    assert "Run 1 is building main." in done.stderr


def test_an_overlapping_run_waits_and_finds_the_work_done(project, first):
    done = _run(project, "+main.slow")

    assert done.returncode == 0, done.stderr
    assert first.wait(timeout=30) == 0


def test_a_disjoint_run_goes_on_at_once(project, first):
    done = _run(project, "main.other", "--no-wait")

    assert done.returncode == 0, done.stderr
    assert first.poll() is None
    first.communicate(timeout=60)
    assert first.returncode == 0
