# SPDX-License-Identifier: Apache-2.0
"""What it costs to start: importing, `--help`, and a run with nothing to do."""

import sys
import tempfile
from pathlib import Path

from benchmarks.harness import best, cpu_of, snippet

IMPORTS = "import mainstem; print(json.dumps([len(sys.modules), [n for n in ('duckdb','pyarrow','pydantic','sqlglot') if n in sys.modules]]))"

UNCHANGED = """
import mainstem
with mainstem.open('.') as project:
    assert project.run().status == 'nothing_to_do'
print(json.dumps([n for n in ('duckdb', 'pyarrow', 'pydantic', 'sqlglot') if n in sys.modules]))
"""


def run(table):
    mainstem = Path(sys.executable).with_name("mainstem")
    modules, heavy = snippet(IMPORTS)
    table.add(
        "import mainstem, modules",
        ours=str(modules),
        target="<= 150",
        holds=modules <= 150 and not heavy,
    )
    bare = best(lambda: cpu_of([sys.executable, "-c", "pass"])[0])
    usage = best(lambda: cpu_of([mainstem, "--help"])[0])
    table.add(
        "mainstem --help",
        ours=f"{usage:.2f}",
        peer=f"python -c pass {bare:.2f}",
        target="<= 0.25",
        holds=usage <= 0.25,
    )
    with tempfile.TemporaryDirectory() as folder:
        cpu_of([mainstem, "init", "demo", "--template", "flights"], cwd=folder)
        demo = Path(folder) / "demo"
        cpu_of([mainstem, "run"], cwd=demo, check=False)
        again = best(lambda: cpu_of([mainstem, "run"], cwd=demo)[0])
        loaded = snippet(UNCHANGED, cwd=demo)
    table.add(
        "flights, run with nothing changed",
        ours=f"{again:.2f}",
        target="<= 0.6, none of duckdb, pyarrow, pydantic, sqlglot",
        holds=again <= 0.6 and not loaded,
    )
