# SPDX-License-Identifier: Apache-2.0
"""A reader that looks all the time sees whole commits only, whatever a run is doing."""

import importlib.util
import json
import subprocess
from pathlib import Path

import pytest

import mainstem

_spec = importlib.util.spec_from_file_location(
    "kill_harness", Path(__file__).with_name("kill_harness.py")
)
harness = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(harness)

pytestmark = pytest.mark.slow


def test_a_reader_polling_during_runs_sees_only_whole_commits(tmp_path):
    harness.make_project(tmp_path)
    harness.add_file(tmp_path, 0)
    harness.run(tmp_path, "run")
    seen = set()

    for number in (1, 2):
        harness.add_file(tmp_path, number)
        with subprocess.Popen(
            [*harness.MAINSTEM, "run"], cwd=tmp_path, stdout=subprocess.DEVNULL
        ) as process:
            while process.poll() is None:
                project = mainstem.open(tmp_path)
                row = project.sql(harness.STATE).to_pylist()[0]
                project.close()
                assert row["raw_rows"] == row["rows"] == row["counted"], row
                seen.add(row["raw_rows"])
        assert process.returncode == 0

    assert json.dumps(sorted(seen)) != "[]"
    assert seen <= {200, 400, 600}
