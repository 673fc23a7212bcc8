# SPDX-License-Identifier: Apache-2.0
"""Runs programs and snippets in processes of their own and tells the CPU seconds they took.

CPU seconds (user + system, children included) rather than wall time, and ratios within one run
rather than absolute figures: benchmark machines are shared. Called by `python -m benchmarks`.
"""

import json
import os
import resource
import subprocess
import sys
import venv
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venvs"
USERS = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""As on a user's machine, where Python keeps compiled modules: some build machines forbid it."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table."""

    name: str
    ours: str
    peer: str
    ratio: str
    target: str
    holds: bool | None
    note: str = ""


@dataclass
class Table:
    rows: list[Row] = field(default_factory=list)

    def add(self, name, *, ours, peer="-", ratio="-", target, holds, note=""):
        row = Row(
            name=name, ours=ours, peer=peer, ratio=ratio, target=target, holds=holds, note=note
        )
        self.rows.append(row)
        mark = {True: "ok  ", False: "MISS", None: "    "}[holds]
        print(
            f"{mark} {name}: ours {ours}, peer {peer}, ratio {ratio} (target {target}) {note}",
            flush=True,
        )

    def markdown(self):
        lines = ["| what | ours | peer | ratio | target | holds |", "|---|---|---|---|---|---|"]
        for row in self.rows:
            holds = {True: "yes", False: "**no**", None: "-"}[row.holds]
            name = f"{row.name} ({row.note})" if row.note else row.name
            lines.append(
                f"| {name} | {row.ours} | {row.peer} | {row.ratio} | {row.target} | {holds} |"
            )
        return "\n".join(lines) + "\n"


def cpu_of(command, *, cwd=None, env=None, check=True):
    """Run a command; give (CPU seconds of it and its children, its standard output)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**USERS, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if check and done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, done.stdout


def snippet(code, *, python=sys.executable, cwd=None, env=None):
    """Run Python code that prints one JSON document last; give that document."""
    _, out = cpu_of([python, "-c", PRELUDE + code], cwd=cwd, env=env)
    return json.loads(out.strip().splitlines()[-1])


def plain_loop():
    """Give the CPU seconds of 3,000,000 turns that only add: how fast the machine is today."""
    return best(lambda: snippet(LOOP))


LOOP = """
start = cpu(); total = 0
for turn in range(3_000_000): total += turn
print(json.dumps(cpu() - start))
"""
PRELUDE = """
import json, os, resource, sys, time
def cpu():
    mine, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime
def fsync_tree(folder):
    for base, _, names in os.walk(folder):
        for name in [*names, '.']:
            fd = os.open(os.path.join(base, name), os.O_RDONLY); os.fsync(fd); os.close(fd)
"""


def peer_python(name, *requirements):
    """Build, once, a virtual environment for a peer; give its interpreter."""
    folder = PEERS / name
    python = folder / "bin" / "python"
    wanted = "\n".join(requirements)
    stamp = folder / "requirements.txt"
    if not python.exists() or not stamp.exists() or stamp.read_text() != wanted:
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *requirements], check=True)
        stamp.write_text(wanted)
    return python


def best(measure, times=3):
    """The least of several measurements: the one least disturbed."""
    return min(measure() for _ in range(times))
