# SPDX-License-Identifier: Apache-2.0
"""Other readers of our tables, and one form of rows to compare them in."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import uuid
from collections.abc import Iterable
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.table import StaticTable

_ROOT = Path(__file__).parents[2]
_VENV = _ROOT / ".venvs" / "duckdb_iceberg"
_PACKAGES = (
    "duckdb==1.5.5",
    "duckdb-extensions",
    "duckdb-extension-avro==1.5.5",
    "duckdb-extension-iceberg==1.5.5",
    "duckdb-extension-httpfs==1.5.5",
)


class DuckDBIceberg:
    """DuckDB with its iceberg extension, in a process of its own; its venv is made when missing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        python = _VENV / "bin" / "python"
        if not (_VENV / "ready").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(_VENV)], check=True)
            install = [str(python), "-m", "pip", "install", "--quiet", *_PACKAGES]
            subprocess.run(install, check=True)
            (_VENV / "ready").touch()
        self._process = subprocess.Popen(
            [str(python), str(Path(__file__).with_name("duckdb_iceberg.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert "ready" in self._process.stdout.readline()

    def read(self, metadata: str, where: str = "true") -> pa.Table:
        """Read a table as it is in a `metadata.json`."""
        path = self._folder / f"{uuid.uuid4().hex}.parquet"
        query = f"select * from iceberg_scan('{metadata}') where {where}"
        self.sql(f"copy ({query}) to '{path}' (format parquet)")
        return pq.read_table(path, arrow_extensions_enabled=True)

    def sql(self, sql: str) -> list[list[str]]:
        """Run SQL; values come as their Python `repr`."""
        self._process.stdin.write(json.dumps({"sql": sql}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["rows"]

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def read_with_pyiceberg(metadata: str, where: str = "") -> pa.Table:
    """Read a table as it is in a `metadata.json`."""
    table = StaticTable.from_metadata(metadata)
    return (table.scan(row_filter=where) if where else table.scan()).to_arrow()


def canonical(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Give rows as sorted texts, equal if the rows are equal whatever reader they came from."""
    return sorted(repr({name: plain(value) for name, value in row.items()}) for row in rows)


def plain(value: Any) -> Any:
    """Give a value in the one form that all readers' values are compared in."""
    match value:
        case dict():
            return {name: plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case datetime():
            return value.isoformat()
        case date() | time():
            return str(value)
        case Decimal():
            return f"{value:f}"
        case uuid.UUID():
            return value.bytes.hex()
        case bytes():
            return value.hex()
        case float():
            return "nan" if math.isnan(value) else value + 0.0
    return value
