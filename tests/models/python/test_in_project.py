# SPDX-License-Identifier: Apache-2.0
"""Python models as part of a project: when they run, and when nothing of them is imported."""

import subprocess
import sys

import pytest

import mainstem
from mainstem.types import AssetKey

MODEL = """
from pathlib import Path
from mainstem import asset, check
from models.lib import factor
with Path("imports.txt").open("a") as log:
    log.write("imported\\n")
@asset
def doubled(numbers):
    return [{"n": row["n"] * factor} for row in numbers.to_pylist()]
@check("main.doubled")
def positive(doubled):
    return all(row["n"] > 0 for row in doubled.to_pylist())
"""


@pytest.fixture
def project(folder):
    folder.write("mainstem.yml", "name: small\n")
    folder.write("seeds/numbers.csv", "n\n1\n2\n")
    folder.write("models/lib.py", "factor = 2\n")
    folder.write("models/doubled.py", MODEL)
    return folder


def _run(folder, **options):
    opened = mainstem.open(folder.root)
    try:
        finished = opened.run(**options)
        rows = opened.sql("select n from main.doubled order by n")["n"].to_pylist()
    finally:
        opened.close()
    return finished, rows


def _imports(folder):
    return len((folder.root / "imports.txt").read_text().splitlines())


def test_a_model_is_built_and_its_checks_are_gates(project):
    finished, rows = _run(project)
    (built,) = [step for step in finished.steps if step.key == AssetKey("main", "doubled")]

    assert (finished.status, rows) == ("succeeded", [2, 4])
    assert [(each.check_id, each.verdict) for each in built.checks] == [
        ("main.doubled/positive", "passed")
    ]


def test_a_run_without_changes_imports_no_user_code_and_nothing_heavy(project):
    _run(project)
    before = _imports(project)
    program = (
        "import sys, mainstem\n"
        f"project = mainstem.open({str(project.root)!r})\n"
        "print(project.run().status)\n"
        "print([name for name in ('pyarrow', 'duckdb', 'sqlglot', 'pydantic')"
        " if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.split("\n")[:2] == ["nothing_to_do", "[]"]
    assert _imports(project) == before


def test_a_helpers_change_rebuilds_what_imports_it(project):
    _run(project)
    project.write("models/lib.py", "factor = 3\n")

    assert _run(project)[1] == [3, 6]


def test_a_comment_rebuilds_nothing(project):
    _run(project)
    project.write("models/lib.py", "factor = 2  # as before\n")

    assert _run(project)[0].status == "nothing_to_do"


def test_a_failing_model_is_not_published_and_keeps_its_traceback(project):
    _run(project)
    project.write("models/doubled.py", MODEL.replace("factor}", "factor / 0}"))
    finished, rows = _run(project)
    (failed,) = [step for step in finished.steps if step.status == "failed"]

    assert (finished.exit_code, rows) == (2, [2, 4])
    assert failed.error.code == "A7110"
    assert "ZeroDivisionError" in failed.error.details


def test_a_failing_check_holds_the_asset(project):
    _run(project)
    project.write("seeds/numbers.csv", "n\n-1\n")
    finished, rows = _run(project)

    assert (finished.status, rows) == ("held", [2, 4])


def test_one_broken_file_spares_the_others(project):
    project.write("models/broken.py", "from mainstem import asset\n1/0\n")
    opened = mainstem.open(project.root)
    keys = [str(asset.key) for asset in opened.select([])]
    problems = [problem.code for problem in opened.problems]
    opened.close()

    assert problems == ["A7101"]
    assert "main.doubled" in keys


def test_checks_have_a_folder_of_their_own(project):
    project.write(
        "checks/small.py",
        "import pyarrow as pa\nfrom mainstem import check\n"
        "@check('main.doubled', severity='warn')\n"
        "def small(doubled: pa.Table):\n    return doubled.slice(1)\n",
    )
    finished, _ = _run(project)
    results = [result for step in finished.steps for result in step.checks]

    assert {(each.check_id, each.verdict, each.failed_count) for each in results} >= {
        ("main.doubled/small", "warned", 1)
    }


def test_a_worker_measures_each_step_by_itself(project):
    project.write(
        "models/large.py",
        "from mainstem import asset\n"
        "@asset\n"
        "def large() -> None:\n"
        "    data = bytearray(300_000_000)\n"
        "    sum(range(2_000_000))\n"
        "@asset(deps=['main.large'])\n"
        "def small() -> None:\n"
        "    pass\n",
    )
    opened = mainstem.open(project.root)
    try:
        finished = opened.run(["main.large", "main.small"], threads=1)
    finally:
        opened.close()

    large, small = (step.usage for step in finished.steps)
    assert (large.measured, small.measured) == ("worker", "worker")
    assert large.peak_memory > 300_000_000
    assert large.cpu_s > small.cpu_s
    assert small.peak_memory < large.peak_memory - 200_000_000
