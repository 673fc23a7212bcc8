# SPDX-License-Identifier: Apache-2.0
"""docs/critiques.md: every complaint is answered by a test or a file that is there, or admitted."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "critiques.md").read_text()
THEMES = dict(re.findall(r"^## (2\.\d+) [^\n]+\n(.*?)(?=^## )", TEXT, re.MULTILINE | re.DOTALL))
FAULTS = (ROOT / "docs" / "faults.md").read_text()
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
NAMED_FILE = re.compile(r"`((?:src|docs|deploy|tests|benchmarks)/[\w./-]+|pyproject\.toml)`")


def _rows(theme):
    lines = [line for line in THEMES[theme].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[1:]]


def _functions(path):
    if not path.is_file():
        return set()
    walked = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in walked if isinstance(node, ast.FunctionDef)}


def test_every_theme_is_answered():
    assert list(THEMES) == [f"2.{number}" for number in range(1, 15)]
    assert [theme for theme in THEMES if not _rows(theme)] == []


def test_every_complaint_names_a_test_or_a_file_or_is_not_solved():
    silent = [
        (theme, row[0])
        for theme in THEMES
        for row in _rows(theme)
        if len(row) != 3
        or not (
            NAMED_TEST.search(row[2])
            or NAMED_FILE.search(row[2])
            or row[2].startswith(("Not solved", "Partly"))
        )
    ]

    assert silent == []


def test_every_fault_names_a_test():
    rows = [line for line in FAULTS.splitlines() if line.startswith("| ")][2:]

    assert len(rows) > 25
    assert [row for row in rows if not NAMED_TEST.search(row)] == []


def test_every_test_that_is_named_is_there():
    missing = [
        f"{path}::{name}"
        for path, name in NAMED_TEST.findall(TEXT + FAULTS)
        if name not in _functions(ROOT / path)
    ]

    assert missing == []


def test_every_file_that_is_named_is_there():
    missing = [path for path in NAMED_FILE.findall(TEXT) if not (ROOT / path).exists()]

    assert missing == []
