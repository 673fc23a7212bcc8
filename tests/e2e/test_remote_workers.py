# SPDX-License-Identifier: Apache-2.0
"""`mainstem worker`: steps of a run are carried out from another checkout, or refused there."""

import os
import shutil
import signal
import subprocess
import sys

import orjson
import pytest

PROGRAM = [sys.executable, "-m", "mainstem"]
MODELS = """\
import os
import time
from pathlib import Path

import pyarrow as pa
from mainstem import asset


@asset(rebuild="on_change")
def base(context) -> pa.Table:
    print("in", Path.cwd().name)
    context.log("logged")
    return pa.table({"k": list(range(1000))})


@asset
def summed(base: pa.Table) -> pa.Table:
    return pa.table({"total": [sum(base["k"].to_pylist())]})


@asset
def crasher(base: pa.Table) -> pa.Table:
    os._exit(3)
"""


@pytest.fixture
def here(tmp_path):
    folder = tmp_path / "here"
    (folder / "models" / "m").mkdir(parents=True)
    (folder / "models" / "m" / "models.py").write_text(MODELS)
    (folder / "mainstem.yml").write_text(
        "name: far_away\n"
        "executors:\n  far: {type: remote}\n"
        f'lake: {{database: "sqlite:///{tmp_path}/shared.db", warehouse: "{tmp_path}/files"}}\n'
        "models:\n  m: {executor: far}\n"
    )
    return folder


@pytest.fixture
def worker(here):
    """A worker in a checkout of its own."""
    there = here.with_name("there")
    shutil.copytree(here, there)
    started = []

    def start():
        process = subprocess.Popen(
            [*PROGRAM, "worker", "far", "--slots", "2"], cwd=there, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        started.append(process)
        assert "serves `far`" in process.stdout.readline()
        return process

    start.folder = there
    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def _call(folder, *words):
    return subprocess.run(
        [*PROGRAM, *words], cwd=folder, capture_output=True, text=True, check=False, timeout=200
    )


@pytest.mark.slow
def test_steps_run_in_another_checkout_and_their_lines_come_home(here, worker):
    process = worker()

    done = _call(here, "run", "--json")

    assert done.returncode == 2, done.stderr
    steps = {step["key"]: step for step in orjson.loads(done.stdout.splitlines()[-1])["steps"]}
    status = {key: step["status"] for key, step in steps.items()}
    assert status == {"m.base": "built", "m.summed": "built", "m.crasher": "failed"}
    assert steps["m.crasher"]["error"]["code"] == "A7112"
    total = _call(here, "query", "--format", "json", "select total from m.summed").stdout
    assert orjson.loads(total) == [{"total": 499_500}]
    log = _call(here, "runs", "log", "1").stdout
    assert "m.base: in there" in log
    assert "m.base: logged" in log
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


@pytest.mark.slow
def test_a_worker_with_other_code_builds_nothing(here, worker):
    models = worker.folder / "models" / "m" / "models.py"
    models.write_text(models.read_text().replace("range(1000)", "range(999)"))
    worker()

    done = _call(here, "run", "--json", "--select", "m.base")

    assert done.returncode == 2
    error = orjson.loads(done.stdout.splitlines()[-1])["steps"][0]["error"]
    assert error["code"] == "A7145"


@pytest.mark.slow
def test_a_run_without_a_worker_waits_says_so_and_can_be_stopped(here):
    process = subprocess.Popen(
        [*PROGRAM, "run", "--select", "m.base"], cwd=here, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert "run 1" in process.stdout.readline()
    log = subprocess.Popen(
        [*PROGRAM, "runs", "log", "1", "-f"], cwd=here, text=True, stdout=subprocess.PIPE
    )
    line = log.stdout.readline()
    os.kill(process.pid, signal.SIGINT)

    assert "m.base: waits for a worker; start one: mainstem worker far" in line
    assert process.wait(30) == 130
    log.communicate(timeout=30)
    process.stdout.close()


def test_a_worker_of_no_executor_is_refused(here):
    done = _call(here, "worker", "fra")

    assert done.returncode == 1
    assert "error[A1031]: `fra` is not an executor of type remote" in done.stdout + done.stderr
    assert "`far`" in done.stdout + done.stderr
