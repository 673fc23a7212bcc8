# SPDX-License-Identifier: Apache-2.0
"""`python -m benchmarks [NAME ...]`: run us and the peers side by side, print and keep the table."""

import importlib
import os
import platform
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

from benchmarks.harness import Table

NAMES = ("startup", "flights", "csv", "commits", "query", "models", "partitions")


def main():
    chosen = sys.argv[1:] or NAMES
    table = Table()
    for name in chosen:
        importlib.import_module(f"benchmarks.bench_{name}").run(table)
    if tuple(chosen) == NAMES:
        Path(__file__).with_name("RESULTS.md").write_text(_page(table))
    print("\n" + table.markdown())


def _page(table):
    packages = ("duckdb", "pyarrow", "sqlglot", "apsw", "pyiceberg")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    machine = f"{platform.machine()}, {_cores()} cores, {platform.system()}"
    return (
        "# Results\n\n"
        f"{date.today().isoformat()}; {machine}; Python {platform.python_version()}; {versions}.\n\n"
        "CPU seconds of whole processes unless said otherwise, us and the peer in the same run.\n"
        "Made by `make bench`.\n\n" + table.markdown()
    )


def _cores():
    return os.cpu_count()


if __name__ == "__main__":
    main()
