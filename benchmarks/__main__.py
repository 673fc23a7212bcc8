# SPDX-License-Identifier: Apache-2.0
"""`python -m benchmarks [NAME ...]`: run us and the peers side by side, print and keep the tables.

Each benchmark has its section in RESULTS.md, with the day and the versions of when it ran.
"""

import importlib
import os
import platform
import re
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

from benchmarks.harness import Table, plain_loop

NAMES = (
    "startup",
    "flights",
    "csv",
    "commits",
    "query",
    "models",
    "partitions",
    "conditions",
    "orchestration",
)
RESULTS = Path(__file__).with_name("RESULTS.md")
_HEAD = """# Results

CPU seconds of whole processes unless said otherwise, us and the peer in the same run.
Made by `make bench`.
"""


def main():
    kept = _sections()
    for name in sys.argv[1:] or NAMES:
        table, before_s = Table(), plain_loop()
        importlib.import_module(f"benchmarks.bench_{name}").run(table)
        loop = f"3,000,000 turns of a plain loop: {before_s:.2f} CPU-s before, {plain_loop():.2f} after"
        kept[name] = f"{_circumstances()} {loop}.\n\n{table.markdown()}"
        sections = [f"## {known}\n\n{kept[known]}" for known in NAMES if known in kept]
        RESULTS.write_text("\n".join([_HEAD, *sections]))
        print("\n" + table.markdown(), flush=True)


def _sections():
    """Give what is kept, by benchmark."""
    _, *parts = re.split(r"^## (\w+)\n\n", RESULTS.read_text(), flags=re.MULTILINE)
    return {
        name: text.rstrip("\n") + "\n" for name, text in zip(parts[::2], parts[1::2], strict=True)
    }


def _circumstances():
    packages = ("duckdb", "pyarrow", "sqlglot", "apsw", "pyiceberg")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
    return f"{date.today().isoformat()}; {machine}; Python {platform.python_version()}; {versions}."


if __name__ == "__main__":
    main()
