# SPDX-License-Identifier: Apache-2.0
"""The house rules that a machine can check: sizes, licence lines, import cost, exported names."""

import ast
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mainstem

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "mainstem"
MODULES = sorted(SOURCE.rglob("*.py"))
HEAVY = ("duckdb", "pyarrow", "pydantic", "sqlglot", "pandas", "polars", "fastavro", "jinja2")

MODULE_LINES = 600
FUNCTION_LINES = 60
CLASS_LINES = 400
PARAMETERS = 8
TOP_LEVEL_NAMES = 50
BROAD_EXCEPTS = 10
CORE_DEPENDENCIES = 18


@pytest.fixture(scope="module")
def trees():
    """Every module parsed, once for all tests of this file."""
    return [(path, ast.parse(path.read_text())) for path in MODULES]


def _relative(path):
    return path.relative_to(ROOT).as_posix()


def _run(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.split()


def test_every_module_states_its_licence_and_its_purpose(trees):
    silent = [
        _relative(path)
        for path, tree in trees
        if not path.read_text().startswith("# SPDX-License-Identifier: Apache-2.0\n")
        or not ast.get_docstring(tree)
    ]

    assert silent == []


def test_modules_are_small():
    large = {_relative(path): len(path.read_text().splitlines()) for path in MODULES}

    assert {name: lines for name, lines in large.items() if lines > MODULE_LINES} == {}


def test_functions_and_classes_are_small_and_take_few_parameters(trees):
    faults = []
    for path, tree in trees:
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            limit = CLASS_LINES if isinstance(node, ast.ClassDef) else FUNCTION_LINES
            if lines > limit:
                faults.append(f"{_relative(path)}:{node.lineno} {node.name} has {lines} lines")
            if not isinstance(node, ast.ClassDef):
                taken = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
                count = len([arg for arg in taken if arg.arg not in {"self", "cls"}])
                if count > PARAMETERS and not node.name.startswith("__"):
                    faults.append(f"{_relative(path)}:{node.lineno} {node.name} takes {count}")

    assert faults == []


def test_modules_have_few_top_level_names(trees):
    crowded = []
    for path, tree in trees:
        kinds = ast.FunctionDef | ast.ClassDef | ast.Assign
        names = [node for node in tree.body if isinstance(node, kinds)]
        if len(names) > TOP_LEVEL_NAMES:
            crowded.append((_relative(path), len(names)))

    assert crowded == []


def test_broad_excepts_stand_only_at_boundaries(trees):
    places = []
    for path, tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                text = ast.unparse(node.type) if node.type else ""
                if text in {"", "Exception", "BaseException"}:
                    reraises = any(
                        isinstance(inner, ast.Raise) and inner.exc is None
                        for inner in ast.walk(node)
                    )
                    if not reraises:
                        places.append(f"{_relative(path)}:{node.lineno}")

    assert len(places) <= BROAD_EXCEPTS, places


def test_suppressions_are_rare_coded_and_explained():
    marks, bare, lines = [], [], 0
    for path in MODULES:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            lines += 1
            if re.search(r"#\s*(type:\s*ignore|noqa)", line):
                marks.append(f"{_relative(path)}:{number}")
                if not re.search(r"(ignore\[[\w, -]+\]|noqa: [A-Z0-9, ]+).*#", line):
                    bare.append(f"{_relative(path)}:{number}")

    assert bare == []
    assert len(marks) <= max(1, lines // 1000), marks


def test_nothing_is_left_to_do_without_a_reference():
    marked = [
        f"{_relative(path)}:{number}"
        for path in MODULES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"\b(TODO|FIXME|XXX)\b", line) and not re.search(r"ADR \d{4}|#\d+", line)
    ]

    assert marked == []


def test_importing_mainstem_is_cheap():
    loaded = _run("import sys, mainstem; print(*sys.modules)")

    assert len(loaded) <= 150
    assert [name for name in HEAVY if name in loaded] == []


def test_the_version_is_that_of_the_package():
    assert mainstem.__version__ == importlib.metadata.version("mainstem")


def test_help_loads_nothing_heavy():
    loaded = _run(
        "import sys\n"
        "from mainstem.cli import main\n"
        "import contextlib, io\n"
        "sys.argv = ['mainstem', '--help']\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    try: main()\n"
        "    except SystemExit: pass\n"
        "print(*sys.modules)"
    )

    assert [name for name in (*HEAVY, "rich", "yaml", "apsw") if name in loaded] == []


def test_the_public_surface_is_the_checked_in_list():
    exported = _run("import mainstem; print(*sorted(mainstem.__all__))")

    assert exported == (ROOT / "tests" / "public_names.txt").read_text().split()
    assert len(exported) <= 40


@pytest.mark.parametrize("package", sorted({path.parent.name for path in SOURCE.glob("*/*.py")}))
def test_packages_are_entered_by_their_front_door(package):
    deep = re.compile(rf"from mainstem\.{package}\.[\w.]+ import|import mainstem\.{package}\.\w+")
    intruders = [
        f"{_relative(path)}: {match.group(0)}"
        for path in MODULES
        if path.relative_to(SOURCE).parts[0] not in {package, "testing"}
        for match in deep.finditer(path.read_text())
    ]

    assert intruders == []


def test_there_are_few_core_dependencies():
    text = (ROOT / "pyproject.toml").read_text()
    block = re.search(r"^dependencies = \[(.*?)^\]", text, re.DOTALL | re.MULTILINE)

    assert block is not None
    assert len(re.findall(r'^\s+"', block.group(1), re.MULTILINE)) <= CORE_DEPENDENCIES


def test_every_error_code_has_a_page_and_every_page_a_code():
    used = set()
    for path in MODULES:
        used |= set(re.findall(r'"(A\d{4})"', path.read_text()))
    pages = {page.stem for page in (SOURCE / "cli" / "explain").glob("A*.md")}

    assert sorted(used - pages) == []
    assert sorted(pages - used) == []


def test_every_decision_has_a_number_of_its_own():
    numbers = [page.stem[:4] for page in sorted((ROOT / "docs" / "adr").glob("*.md"))]
    titled = [
        page.name
        for page in (ROOT / "docs" / "adr").glob("*.md")
        if not page.read_text().startswith(f"# {page.stem[:4]}")
    ]

    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]
    assert titled == []
