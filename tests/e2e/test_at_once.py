# SPDX-License-Identifier: Apache-2.0
"""Two runs of one project at once, again and again, while somebody else reads all the time."""

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

pytestmark = pytest.mark.slow
PROGRAM = Path(sys.executable).parent / "mainstem"
ROUNDS = 4
COUNTS = "select (select n from main.left) as l, (select n from main.right) as r"
READS = """
import sys, threading
import mainstem
is_over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), is_over.set())).start()
with mainstem.open(".") as project:
    while not is_over.wait(0.05):
        (row,) = project.sql(sys.argv[1]).to_pylist()
        print(row["l"], row["r"], flush=True)
"""


class Folder:
    def __init__(self, path):
        self.path = path
        (path / "models").mkdir()
        (path / "data").mkdir()
        (path / "ingest").mkdir()
        (path / "mainstem.yml").write_text("name: p\n")
        tables = "".join(
            f"  {side}: {{files: {side}*.csv, write: append}}\n" for side in ("left", "right")
        )
        (path / "ingest/raw.yml").write_text(f"type: files\npath: data/\ntables:\n{tables}")
        for side in ("left", "right"):
            (path / f"models/{side}.sql").write_text(
                "/* ---\nmaterialized: table\nchecks: [{row_count: 1}]\n--- */\n"
                f"select count(*) as n, sum(x) as total from raw.{side}\n"
            )

    def load(self, number):
        """Put a file of two rows before each side."""
        for side in ("left", "right"):
            (self.path / f"data/{side}{number:03}.csv").write_text(f"x\n{number}\n{number}\n")

    def start(self, *words):
        return subprocess.Popen(
            [PROGRAM, *words],
            cwd=self.path,
            env={**os.environ, "NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words):
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, f"{words}\n{out}\n{err}"
        return out


class Reader:
    """A process that asks for both sides until it is told to stop."""

    def __init__(self, folder):
        self._process = subprocess.Popen(
            [sys.executable, "-c", READS, COUNTS],
            cwd=folder.path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._first = self._process.stdout.readline()

    def stop(self):
        """Give what it saw, each time, and what went wrong."""
        out, err = self._process.communicate(timeout=120)
        return [tuple(map(int, line.split())) for line in (self._first + out).splitlines()], err


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["+main.left"], ["+main.right"]),
        (["+main.left"], ["+main.left", "+main.right"]),
        ([], []),
    ],
    ids=["disjoint", "overlapping", "the same"],
)
def test_two_runs_at_once_lose_nothing_and_disturb_no_reader(tmp_path, one, other):
    folder = Folder(tmp_path)
    folder.load(0)
    folder("run")
    reader = Reader(folder)
    problems = []

    for number in range(1, ROUNDS + 1):
        folder.load(number)
        runs = [folder.start("run", *words) for words in (one, other)]
        for process in runs:
            out, err = process.communicate(timeout=120)
            if process.returncode:
                problems.append(f"{process.returncode}\n{out}\n{err}")
    seen, trouble = reader.stop()

    assert (problems, trouble) == ([], "")
    rows = 2 * (ROUNDS + 1)
    assert orjson.loads(folder("query", COUNTS, "--json")) == [{"l": rows, "r": rows}]
    assert seen[0] == (2, 2)
    for counts in zip(*seen, strict=True):
        assert list(counts) == sorted(counts)  # what was published once is never gone again
    assert "Nothing to do" in folder("plan")
