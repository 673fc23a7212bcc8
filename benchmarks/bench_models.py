# SPDX-License-Identifier: Apache-2.0
"""Many small things: 1,000 SQL models loaded, and 100 chained Python assets that return nothing."""

import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.harness import best, cpu_of, snippet

LOAD = """
import mainstem
start = cpu(); project = mainstem.open('.'); count = len(project.graph); print(json.dumps([cpu() - start, count]))
"""


def run(table):
    mainstem = Path(sys.executable).with_name("mainstem")
    with tempfile.TemporaryDirectory() as name:
        project = Path(name) / "many"
        (project / "models").mkdir(parents=True)
        (project / "mainstem.yml").write_text("name: many\n")
        for n in range(1000):
            source = (
                f"select id, value + {n} as value from m{n - 10}"
                if n >= 10
                else f"select {n} as id, {n} as value"
            )
            (project / "models" / f"m{n}.sql").write_text(source + "\n")

        def cold():
            shutil.rmtree(project / ".mainstem", ignore_errors=True)
            seconds, count = snippet(LOAD, cwd=project)
            assert count == 1000, count
            return seconds

        first = best(cold)
        again = best(lambda: snippet(LOAD, cwd=project)[0])
        table.add(
            "1,000 SQL models, cold load",
            ours=f"{first:.2f}",
            target="<= 2",
            holds=first <= 2,
            note="in process",
        )
        table.add(
            "1,000 SQL models, unchanged load",
            ours=f"{again:.2f}",
            target="<= 0.4",
            holds=again <= 0.4,
            note="in process",
        )

        def chain(length):
            folder = Path(name) / f"chain{length}"
            shutil.rmtree(folder, ignore_errors=True)
            (folder / "models").mkdir(parents=True)
            (folder / "mainstem.yml").write_text("name: chain\n")
            lines = ["from mainstem import asset", ""]
            for n in range(length):
                after = f'deps=["main.step_{n - 1}"]' if n else ""
                lines += [f"@asset({after})", f"def step_{n}() -> None:", "    return None", ""]
            (folder / "models" / "chain.py").write_text("\n".join(lines))
            cpu_of([mainstem, "list"], cwd=folder)
            return cpu_of([mainstem, "run"], cwd=folder)[0]

        one, hundred = best(lambda: chain(1)), best(lambda: chain(100))
        table.add(
            "100 chained assets returning None, over the start-up",
            ours=f"{hundred - one:.2f}",
            peer=f"start-up with one {one:.2f}",
            target="<= 0.5",
            holds=hundred - one <= 0.5,
        )
