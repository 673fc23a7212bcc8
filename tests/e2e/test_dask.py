# SPDX-License-Identifier: Apache-2.0
"""Python steps on Dask: frames, lines, lost workers, crashes, Ctrl-C; one local cluster a run."""

import signal
import subprocess
import sys
import threading
import time

import orjson
import pytest

PROGRAM = [sys.executable, "-m", "mainstem"]
SETTINGS = """\
name: cluster
executors:
  cores: {type: dask, workers: 2}
models:
  m: {executor: cores}
"""
MODELS = """\
import os
import signal
import time
from pathlib import Path

import dask.dataframe as dd
import pyarrow as pa
from mainstem import asset


@asset(rebuild="on_change")
def base(context) -> pa.Table:
    print("printed on", os.getppid())
    context.log("logged")
    return pa.table({"k": list(range(10_000)), "v": [number % 7 for number in range(10_000)]})


@asset
def summed(base: dd.DataFrame) -> dd.DataFrame:
    assert base.npartitions >= 1
    return base.groupby("v").k.sum().reset_index()


@asset
def survivor(summed: pa.Table) -> pa.Table:
    marker = Path("lost")
    if not marker.exists():
        marker.write_text(str(os.getppid()))
        os.kill(os.getppid(), signal.SIGKILL)  # the Dask worker
        time.sleep(60)
    return summed


@asset
def crasher(base: pa.Table) -> pa.Table:
    os._exit(3)


@asset
def wrong(base: pa.Table) -> pa.Table:
    return base["no such column"]
"""
SLEEPER = """\
import time
import mainstem as ms
from pathlib import Path


@ms.asset
def sleeper() -> None:
    Path("asleep").write_text("")
    try:
        time.sleep(120)
    finally:
        Path("woken").write_text("")
"""


def _call(folder, *words):
    return subprocess.run(
        [*PROGRAM, *words], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )


def _project(folder, models):
    (folder / "mainstem.yml").write_text(SETTINGS)
    (folder / "models" / "m").mkdir(parents=True)
    (folder / "models" / "m" / "models.py").write_text(models)
    return folder


@pytest.mark.slow
def test_steps_run_on_dask_and_what_fails_there_fails_alone(tmp_path):
    folder = _project(tmp_path, MODELS)

    done = _call(folder, "run", "--json")

    assert done.returncode == 2, done.stderr
    last = orjson.loads(done.stdout.splitlines()[-1])
    status = {step["key"]: step["status"] for step in last["steps"]}
    assert status == {
        "m.base": "built",
        "m.summed": "built",
        "m.survivor": "built",
        "m.crasher": "failed",
        "m.wrong": "failed",
    }
    errors = {step["key"]: step["error"]["code"] for step in last["steps"] if step.get("error")}
    assert errors == {"m.crasher": "A7112", "m.wrong": "A7110"}
    rows = _call(folder, "query", "--format", "json", "select v, k from m.survivor order by v")
    expected = [{"v": v, "k": sum(range(v, 10_000, 7))} for v in range(7)]
    assert orjson.loads(rows.stdout) == expected
    log = _call(folder, "runs", "log", "1").stdout
    assert "m.base: printed on" in log
    assert "m.base: logged" in log
    assert "m.survivor: a Dask worker was lost; started again on tcp://" in log


@pytest.mark.slow
def test_ctrl_c_stops_a_step_on_dask_where_it_is(tmp_path):
    folder = _project(tmp_path, SLEEPER)
    process = subprocess.Popen(
        [*PROGRAM, "run"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    end = time.monotonic() + 120
    while not (folder / "asleep").exists() and time.monotonic() < end:
        threading.Event().wait(0.05)
        assert process.poll() is None, process.stdout.read()

    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)

    assert process.returncode == 130, output
    assert (folder / "woken").exists()


def test_an_executor_that_is_not_there_is_named_with_the_nearest_one(tmp_path):
    folder = _project(
        tmp_path, "import mainstem\n@mainstem.asset(executor='corse')\ndef a(): ...\n"
    )

    done = _call(folder, "plan")

    assert done.returncode == 1
    assert "error[A1030]: m.a asks for the executor `corse`" in done.stdout + done.stderr
    assert "cores" in done.stdout + done.stderr
