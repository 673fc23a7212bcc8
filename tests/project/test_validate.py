# SPDX-License-Identifier: Apache-2.0
"""`validate` finds all that is wrong in a project's files, and touches no data."""

import pytest

import mainstem
from mainstem.errors import MainstemError
from mainstem.project import validate


@pytest.fixture
def folder(tmp_path):
    def write(path, text):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    write(
        "mainstem.yml", 'name: shop\njobs:\n  nightly: {select: marts.total, cron: "0 3 * * *"}\n'
    )
    write("seeds/orders.csv", "id,amount\n1,10\n2,20\n")
    write(
        "models/marts/total.sql",
        "/* ---\nmaterialized: table\nchecks: [{not_null: [amount]}]\n--- */\n"
        "select sum(amount) as amount from seeds.orders\n",
    )
    return write, tmp_path


def _validated(path):
    with mainstem.open(path) as project:
        return validate(project)


def _faults(path):
    with pytest.raises(MainstemError) as caught:
        _validated(path)
    return [error.code for error in getattr(caught.value, "errors", [caught.value])]


def test_a_sound_project_is_counted_and_not_run(folder):
    _write, path = folder

    found = _validated(path)

    assert (found.assets, found.checks, found.jobs, found.compared_with) == (2, 1, 1, "")
    with mainstem.open(path) as project:
        assert project.runs() == []


def test_columns_are_compared_with_tables_that_are_there(folder):
    write, path = folder
    with mainstem.open(path) as project:
        project.run()
    assert _validated(path).compared_with == "main"

    write("models/marts/wrong.sql", "select amuont from seeds.orders\n")
    write("models/marts/worse.sql", "select nothing from marts.total\n")

    assert _faults(path) == ["A2041", "A2041"]


def test_faults_of_all_files_are_told_together(folder):
    write, path = folder
    write("models/marts/wrong.sql", "select 1 from marts.no_such\n")
    write("models/marts/torn.sql", "select {{ ref( }}\n")
    write(
        "mainstem.yml", 'name: shop\njobs:\n  nightly: {select: marts.nothing, cron: "0 3 * * *"}\n'
    )

    assert len(_faults(path)) == 3


def test_a_job_that_asks_for_partitions_of_another_kind_is_found(folder):
    write, path = folder
    write(
        "models/marts/daily.sql",
        "/* ---\nmaterialized: table\npartitions: {by: day, start: 2026-01-01, column: day}\n"
        "--- */\nselect date '2026-01-01' as day\n",
    )
    job = "name: shop\njobs:\n  nightly: {select: marts.daily, partition: %s}\n"

    write("mainstem.yml", job % "bogus")
    assert _faults(path) == ["A1081"]

    for partition in ("latest", "2199-01-01", "'2026-01-01..'"):
        write("mainstem.yml", job % partition)
        assert _validated(path).jobs == 1
