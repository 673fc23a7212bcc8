# SPDX-License-Identifier: Apache-2.0
"""Kills real `mainstem` processes at random moments and looks at what is left.

Used by `test_kill.py`; also runs alone: `python tests/e2e/kill_harness.py 300 [SEED]`.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mainstem

HERE = Path(__file__).parent
MAINSTEM = [sys.executable, "-m", "mainstem"]

INGEST = """
type: files
path: data/
into: raw
tables:
  orders: {files: "orders*.csv", write: append}
"""
STAGING = """
/* ---
materialized: table
checks: [{not_null: [id]}, {row_count: {equal_to: raw.orders}}]
--- */
select id, amount, amount * 2 as doubled from raw.orders
"""
TOTALS = """
/* ---
materialized: table
checks: [{row_count: {equal_to: 1}}]
--- */
select count(*) as orders, sum(amount) as amount, sum(doubled) as doubled from staging.orders
"""
STATE = """
select (select count(*) from raw.orders) as raw_rows, (select count(*) from staging.orders) as rows,
  (select orders from marts.totals) as counted, (select amount from marts.totals) as amount,
  (select sum(amount) from raw.orders) as raw_amount
"""


def make_project(folder):
    for name in ("ingest", "data", "models/staging", "models/marts"):
        (folder / name).mkdir(parents=True)
    (folder / "mainstem.yml").write_text("name: kill\n")
    (folder / "ingest" / "shop.yml").write_text(INGEST)
    (folder / "models" / "staging" / "orders.sql").write_text(STAGING)
    (folder / "models" / "marts" / "totals.sql").write_text(TOTALS)


def add_file(folder, number, rows=200):
    lines = [f"{number * rows + n},{n % 97}" for n in range(rows)]
    path = folder / "data" / f"orders{number:04d}.csv"
    path.write_text("id,amount\n" + "\n".join(lines) + "\n")


def run(folder, *arguments, env=None, check=True):
    done = subprocess.run(
        [*MAINSTEM, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        check=False,
    )
    if check:
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def state(folder):
    """Read what a reader sees: opened anew each time, but here, where the imports are done."""
    with mainstem.open(folder) as project:
        return project.sql(STATE).to_pylist()[0]


def commits(folder):
    with mainstem.open(folder) as project:
        return [commit.id for commit in project.lake.log("main", limit=10_000)]


def kill_after(folder, seconds, env=None):
    """Start a run and kill its whole session; tell whether it had said that it published."""
    with subprocess.Popen(
        [*MAINSTEM, "run"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env={**os.environ, **(env or {})},
    ) as process:
        try:
            out, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, _ = process.communicate()
        return "Published" in out


def trial(folder, number, rng, duration):
    """One kill: nothing partial is seen, nothing published is lost, the next run completes."""
    before, history = state(folder), commits(folder)
    add_file(folder, number)
    said = kill_after(folder, rng.uniform(0.0, duration))
    after = state(folder)
    assert after["raw_rows"] == after["rows"] == after["counted"], f"partial publish: {after}"
    assert after["amount"] == after["raw_amount"], after
    assert after["raw_rows"] in {before["raw_rows"], before["raw_rows"] + 200}, (before, after)
    if said:
        assert after["raw_rows"] == before["raw_rows"] + 200, "said to be published, yet not there"
    kept = commits(folder)
    assert kept[len(kept) - len(history) :] == history, "a commit was lost"
    run(folder, "run")
    done = state(folder)
    assert done["raw_rows"] == done["counted"] == before["raw_rows"] + 200, done


def power_loss_trial(folder, number, rng, duration):
    """One kill after which everything not synced is gone too."""
    log = folder / "sync.log"
    log.unlink(missing_ok=True)
    path = os.pathsep.join([str(HERE / "power_loss"), os.environ.get("PYTHONPATH", "")])
    env = {"PYTHONPATH": path, "POWER_LOSS_LOG": str(log)}
    before = state(folder)
    add_file(folder, number)
    old = {path: path.stat().st_size for path in _files(folder)}
    said = kill_after(folder, rng.uniform(0.0, duration), env)
    lost = drop_unsynced(folder, log, old)
    after = state(folder)
    assert after["raw_rows"] == after["rows"] == after["counted"], f"partial publish: {after}"
    if said:
        assert after["raw_rows"] == before["raw_rows"] + 200, (
            "acknowledged, yet lost with the power"
        )
    run(folder, "run")
    assert state(folder)["counted"] == before["raw_rows"] + 200
    return lost


def _files(folder):
    return [path for path in (folder / ".mainstem").rglob("*") if path.is_file()]


def drop_unsynced(folder, log, old):
    """Cut every file back to its last synced size; remove files whose name was never synced."""
    sizes, names = {}, set()
    for line in log.read_text().splitlines() if log.exists() else []:
        entry = json.loads(line)
        if "file" in entry:
            sizes[entry["file"]] = entry["size"]
        else:
            names |= {f"{entry['folder']}/{name}" for name in entry["names"]}
    lost = 0
    for path in _files(folder):
        if path.name.endswith("-shm") or "cache" in path.parts:
            continue
        synced = sizes.get(str(path), old.get(path))
        is_catalog = path.suffix in {".db", ".sqlite"} or path.name.endswith("-wal")
        if synced is None or (path not in old and str(path) not in names and not is_catalog):
            path.unlink()
            lost += 1
        elif path.stat().st_size > synced and path.suffix != ".db":
            os.truncate(path, synced)
            lost += 1
    return lost


def prepared(folder):
    """A project with one published run, and how long such a run takes."""
    make_project(folder)
    add_file(folder, 0)
    run(folder, "run")
    add_file(folder, 1)
    start = time.monotonic()
    run(folder, "run")
    return (time.monotonic() - start) * 1.1


def main():
    trials = int(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    rng = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="kill-"))
    duration = prepared(folder)
    for number in range(trials):
        if number and number % 50 == 0:
            shutil.rmtree(folder)
            folder.mkdir()
            duration = prepared(folder)
        act = power_loss_trial if number % 10 == 9 else trial
        act(folder, number % 50 + 2, rng, duration)
        sys.stdout.write(f"{number + 1} of {trials}\n")
    shutil.rmtree(folder)
    sys.stdout.write(f"{trials} passed, 0 failed\n")


if __name__ == "__main__":
    main()
