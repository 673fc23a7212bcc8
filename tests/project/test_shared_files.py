# SPDX-License-Identifier: Apache-2.0
"""Partitions that were built together share a file; each is still replaced, held, deleted alone."""

import pytest

import mainstem
from mainstem.project import delete_partitions

MONTHS = [f"2013-{number:02}" for number in range(1, 13)]
SQL = """/* ---
materialized: table
checks: [{between: {column: delay, max: 100}}]
partitions: {by: month, column: flown, start: 2013-01-01, end: 2014-01-01, batch: 12}
--- */
select flown, delay from raw.flights
"""
PYTHON = """import pyarrow as pa
from mainstem import asset, between
from mainstem.partitions import monthly

@asset(
    partitions=monthly("2013-01-01", end="2014-01-01", column="flown", batch=12),
    checks=[between("delay", max=100)],
)
def monthly(flights: pa.Table) -> pa.Table:
    return flights.select(["flown", "delay"])
"""


class Year:
    """A project with a flight a month, whose twelve months are built in one step."""

    def __init__(self, path, name, text):
        self.path = path
        self.write("mainstem.yml", "name: year\n")
        self.write(
            "ingest/raw.yml",
            "type: files\npath: data/\ninto: raw\n"
            'tables:\n  flights: {files: "f*.csv", write: append}\n',
        )
        self.write(f"models/marts/{name}", text)
        self.land("f0", dict.fromkeys(MONTHS, 1))
        self.run()

    def write(self, name, text):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def land(self, name, delays):
        rows = "".join(f"{month}-15 10:00:00,{delay}\n" for month, delay in delays.items())
        self.write(f"data/{name}.csv", "flown,delay\n" + rows)

    def run(self, **options):
        with mainstem.open(self.path) as project:
            return project.run(**options)

    def counts(self):
        query = (
            "select strftime(flown, '%Y-%m') as m, sum(delay) as n from marts.monthly group by 1"
        )
        with mainstem.open(self.path) as project:
            return {row["m"]: int(row["n"]) for row in project.sql(query).to_pylist()}

    def state(self):
        """Give the number of the table's files, and its partitions by state."""
        with mainstem.open(self.path) as project:
            files = project.lake.relation(mainstem.AssetKey.parse("marts.monthly"), "main").files
            found = project.partitions("marts.monthly")
        return len(files), {name: some.text() for name, some in found.sets() if some}


@pytest.fixture(params=["monthly.sql", "monthly.py"])
def year(request, tmp_path):
    text = SQL if request.param.endswith("sql") else PYTHON
    return Year(tmp_path / "year", request.param, text)


@pytest.fixture
def sql_year(tmp_path):
    return Year(tmp_path / "year", "monthly.sql", SQL)


def test_what_one_step_builds_is_one_file(year):
    assert year.state() == (1, {"built": "2013-01..2013-12"})


def test_a_month_is_replaced_alone(year):
    year.land("f1", {"2013-05": 7})

    finished = year.run()

    (step,) = [step for step in finished.steps if str(step.key) == "marts.monthly"]
    assert (step.status, step.rows) == ("built", 2)
    assert year.counts() == {**dict.fromkeys(MONTHS, 1), "2013-05": 8}


def test_months_of_one_file_that_are_built_side_by_side_do_not_undo_each_other(year):
    changed = {month: 7 for month in MONTHS if int(month[-2:]) % 2}
    year.land("f1", changed)

    year.run(threads=4, partitions=",".join(changed))

    assert year.counts() == {month: 8 if month in changed else 1 for month in MONTHS}


def test_a_held_month_keeps_its_rows_while_others_of_its_file_are_published(year):
    year.land("f1", {"2013-05": 1000})
    year.land("f2", {"2013-07": 7})

    finished = year.run(partitions="2013-05,2013-07")

    assert finished.status == "held"
    assert year.counts() == {**dict.fromkeys(MONTHS, 1), "2013-07": 8}
    assert year.state()[1]["failed"] == "2013-05"


def test_what_a_held_month_was_built_to_is_linked_into_shared_files(year):
    year.land("f1", {"2013-05": 1000})
    year.land("f2", {"2013-07": 7})
    year.run(partitions="2013-05,2013-07")
    folder = year.path / "models/marts"
    for file in folder.iterdir():
        file.write_text(file.read_text().replace("100", "9999"))

    finished = year.run(partitions="2013-05")

    statuses = {s.partition: s.status for s in finished.steps if str(s.key) == "marts.monthly"}
    assert statuses == {"2013-05": "linked"}
    assert year.counts() == {**dict.fromkeys(MONTHS, 1), "2013-05": 1001, "2013-07": 8}


def test_a_month_is_deleted_out_of_a_shared_file(sql_year):
    with mainstem.open(sql_year.path) as project:
        _commit, rows = delete_partitions(project, "marts.monthly", "2013-05")

    assert rows == 1
    assert sql_year.counts() == {month: 1 for month in MONTHS if month != "2013-05"}
    assert sql_year.state()[1]["missing"] == "2013-05"


def test_batches_end_where_they_always_end(sql_year):
    sql_year.write("models/marts/monthly.sql", SQL.replace("batch: 12", "batch: 6"))

    finished = sql_year.run(partitions="2013-03..2013-08", rebuild=True)

    parts = {s.partition for s in finished.steps if str(s.key) == "marts.monthly"}
    assert parts == {"2013-03..2013-06", "2013-07..2013-08"}
    assert sql_year.counts() == dict.fromkeys(MONTHS, 1)


def test_what_holds_a_partition_is_told_with_what_was_seen(sql_year):
    sql_year.land("f1", {"2013-05": 1000})

    finished = sql_year.run()

    with mainstem.open(sql_year.path) as project:
        failures = project.partitions("marts.monthly").failures
    assert [(one.partition, one.reason) for one in failures] == [
        ("2013-05", "between(delay, max 100): 1 of 2 rows (50.0 %)")
    ]
    assert finished.published == (mainstem.AssetKey.parse("raw.flights"),)


def test_a_table_is_published_once_however_many_steps_it_took(sql_year):
    sql_year.write("models/marts/monthly.sql", SQL.replace("batch: 12", "batch: 6"))

    finished = sql_year.run(rebuild=True)

    assert len([s for s in finished.steps if str(s.key) == "marts.monthly"]) == 2
    assert [str(key) for key in finished.published].count("marts.monthly") == 1
