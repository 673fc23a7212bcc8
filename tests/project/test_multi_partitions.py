"""A multi_asset with partitions: one call builds the same partitions of all its outputs."""

from __future__ import annotations

import pytest

import mainstem
from mainstem.project import delete_partitions

MULTI = """
import pyarrow as pa
from mainstem import between, multi_asset
from mainstem.partitions import daily

DAYS = daily("2026-01-05", end="2026-01-09", column="day")


@multi_asset({"sums": {"checks": [between("amount", max=100)]}, "counts": {}}, partitions=DAYS)
def both(orders: pa.Table, context):
    day = context.partition.start.date()
    amounts = [row["amount"] for row in orders.to_pylist()]
    yield "sums", pa.table({"day": [day], "amount": [sum(amounts)]})
    yield "counts", pa.table({"day": [day], "n": [len(amounts)]})
"""


@pytest.fixture
def folder(tmp_path):
    rows = "".join(f"2026-01-{day:02},{day}\n" for day in range(5, 9))
    for name, text in {
        "mainstem.yml": "name: shop\n",
        "data/orders1.csv": f"day,amount\n{rows}",
        "ingest/shop.yml": "type: files\npath: data/\n"
        "tables: {orders: {files: orders*.csv, write: append}}\n",
        "models/both.py": MULTI,
        "models/copy.sql": "/* ---\nmaterialized: table\n"
        "partitions: {by: day, column: day, start: 2026-01-05, end: 2026-01-09}\n--- */\n"
        "select sums.day, amount, n from sums join counts using (day)",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def statuses(finished, asset):
    return {step.partition: step.status for step in finished.steps if step.key.name == asset}


def grow(folder, day, amount, name="orders2.csv"):
    (folder / "data" / name).write_text(f"day,amount\n{day},{amount}\n")


def test_each_partition_is_one_call_that_builds_all_outputs(folder):
    with mainstem.open(folder) as project:
        finished = project.run()

        days = dict.fromkeys([f"2026-01-{day:02}" for day in range(5, 9)], "built")
        assert statuses(finished, "sums") == statuses(finished, "counts") == days
        assert project.sql("select sum(amount) as a, sum(n) as n from copy").to_pylist() == [
            {"a": 26, "n": 4}
        ]
        assert project.run().status == "nothing_to_do"


def test_rows_of_one_day_build_that_day_of_all(folder):
    with mainstem.open(folder) as project:
        project.run()
        grow(folder, "2026-01-06", 1)
        finished = project.run()

        for asset in ("sums", "counts", "copy"):
            found = statuses(finished, asset)
            assert [day for day, status in found.items() if status == "built"] == ["2026-01-06"]


def test_partitions_that_are_wanted_of_one_output_are_built_of_all(folder):
    with mainstem.open(folder) as project:
        project.run(["shop.orders"])
        finished = project.run(["sums"], partitions={"sums": "2026-01-07"})

        assert statuses(finished, "counts") == {"2026-01-07": "built"}
        assert project.partitions("counts").built.text() == "2026-01-07"
        assert project.partitions("sums").missing.count == 3


def test_what_one_output_lacks_is_built_of_all(folder):
    with mainstem.open(folder) as project:
        project.run()
        delete_partitions(project, "counts", "2026-01-08")
        grow(folder, "2026-01-06", 1)
        finished = project.run()

        for asset in ("sums", "counts"):
            found = statuses(finished, asset)
            built = [day for day, status in found.items() if status == "built"]
            assert sorted(built) == ["2026-01-06", "2026-01-08"]
        assert project.sql("select sum(amount) as a, sum(n) as n from copy").to_pylist() == [
            {"a": 27, "n": 5}
        ]


def test_a_check_of_one_output_holds_that_day_of_all_and_no_other(folder):
    grow(folder, "2026-01-06", 900)
    with mainstem.open(folder) as project:
        finished = project.run()

        assert finished.status == "held"
        held = {"2026-01-06": "held"}
        assert statuses(finished, "sums").items() >= held.items()
        assert project.sql("select count(*) as n from sums").to_pylist() == [{"n": 3}]
        assert project.sql("select count(*) as n from counts").to_pylist() == [{"n": 3}]
        assert project.partitions("counts").built.text() == "2026-01-05,2026-01-07..2026-01-08"


def test_outputs_whose_partitions_differ_are_refused(folder):
    text = MULTI.replace('"counts": {}', '"counts": {"partitions": daily("2026-01-06")}')
    (folder / "models/both.py").write_text(text)

    with mainstem.open(folder) as project:
        (problem,) = [one for one in project.problems if one.code == "A7103"]

    assert "`partitions` differ" in problem.summary
