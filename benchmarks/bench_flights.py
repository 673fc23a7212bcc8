# SPDX-License-Identifier: Apache-2.0
"""The flights example from nothing, beside a plain Python script that does the same work."""

import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.harness import ROOT, cpu_of


def run(table):
    mainstem = Path(sys.executable).with_name("mainstem")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cpu_of([mainstem, "init", "demo", "--template", "flights"], cwd=folder)
        demo = folder / "demo"
        ours, peer = [], []
        for _ in range(5):
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
    us, them = min(ours), min(peer)
    table.add(
        "flights, first run",
        ours=f"{us:.2f}",
        peer=f"plain script {them:.2f}",
        ratio=f"{us / them:.2f}",
        target="<= 1.3",
        holds=us / them <= 1.3,
        note="whole processes",
    )
