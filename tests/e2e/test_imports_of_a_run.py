# SPDX-License-Identifier: Apache-2.0
"""What loading a CSV file imports: each of these costs more than a small file does."""

from __future__ import annotations

import subprocess
import sys


def test_loading_a_csv_file_imports_no_library_that_it_does_not_need(tmp_path):
    (tmp_path / "ingest").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "mainstem.yml").write_text("name: shop\n")
    (tmp_path / "ingest" / "shop.yml").write_text(
        "type: files\npath: data/\ninto: raw\ntables: {sales: {files: sales.csv, key: at}}\n"
    )
    (tmp_path / "data" / "sales.csv").write_text("at,n\n2026-01-01T10:00:00Z,1\n")
    code = (
        "import sys; from mainstem.cli.app import execute; code = execute(['run']); "
        "print(code, *sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    words = done.stdout.splitlines()[-1].split()
    assert words[0] == "0"
    assert {"pyarrow", "numpy", "sqlglot", "jinja2", "pandas", "zstandard"} & set(words) == set()
