# SPDX-License-Identifier: Apache-2.0
"""Reads Iceberg tables with DuckDB's own extension, in a venv of its own; talks JSON lines.

DuckDB's extensions come as wheels for one exact version of DuckDB, which is not the one Mainstem
runs on. Started by `tests/oracles/conftest`-style fixtures as `python duckdb_iceberg.py`; each line
on stdin is `{"sql": ..., "parameters": [...]}`, each line on stdout the rows or the error.
"""

from __future__ import annotations

import json
import sys

import duckdb
from duckdb_extensions import import_extension


def main() -> None:
    connection = duckdb.connect(config={"threads": 1})
    # The iceberg extension needs the other two, and the order matters.
    for name in ("avro", "httpfs", "iceberg"):
        import_extension(name)
        connection.execute(f"load {name}")
    connection.execute("set timezone = 'UTC'")
    answer({"ready": duckdb.__version__})
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            rows = connection.execute(asked["sql"]).fetchall()
            found = {"rows": [[repr(value) for value in row] for row in rows]}
        except Exception as error:  # noqa: BLE001  # whatever it is, the test shows it
            found = {"error": str(error)}
        answer(found)


def answer(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


main()
