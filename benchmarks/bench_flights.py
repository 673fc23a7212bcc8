# SPDX-License-Identifier: Apache-2.0
"""The flights example from nothing, beside a plain Python script that does the same work."""

import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.harness import ROOT, cpu_of

PAIRS = 9
"""The machine is shared: a moment slows both of a pair, and the median pair tells the ratio."""


def run(table):
    mainstem = Path(sys.executable).with_name("mainstem")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cpu_of([mainstem, "init", "demo", "--template", "flights"], cwd=folder)
        demo = folder / "demo"
        ours, peer = [], []
        for _ in range(PAIRS):
            shutil.rmtree(demo / ".mainstem", ignore_errors=True)
            shutil.rmtree(folder / "plain", ignore_errors=True)
            ours.append(cpu_of([mainstem, "run"], cwd=demo)[0])
            plain = [
                sys.executable,
                ROOT / "benchmarks" / "flights_plain.py",
                demo / "data",
                folder / "plain",
            ]
            peer.append(cpu_of(plain)[0])
    us, them = statistics.median(ours), statistics.median(peer)
    ratio = statistics.median(one / other for one, other in zip(ours, peer, strict=True))
    table.add(
        "flights, first run",
        ours=f"{us:.2f}",
        peer=f"plain script {them:.2f}",
        ratio=f"{ratio:.2f}",
        target="<= 1.3",
        holds=ratio <= 1.3,
        note=f"whole processes; medians of {PAIRS} pairs; least to least "
        f"{min(ours) / min(peer):.2f}",
    )
