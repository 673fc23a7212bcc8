# SPDX-License-Identifier: Apache-2.0
"""Rows that checks set aside belong to their partition: each is there once, and goes with it."""

import pytest

import mainstem

SQL = """/* ---
materialized: table
partitions: {{by: day, column: day, start: 2026-11-20, end: 2026-11-23{batch}}}
checks: [{{expression: {{sql: "v > 0", quarantine: true{mostly}}}}}]
--- */
select date '2026-11-20' + (i // 2)::int as day, {value} as v from range(6) t(i)
"""
PYTHON = """from datetime import date
import pyarrow as pa
from mainstem import asset, expression
from mainstem.partitions import daily

@asset(partitions=daily("2026-11-20", end="2026-11-23", column="day"), rebuild="on_change",
       checks=[expression("v > 0", quarantine=True)])
def days(context) -> pa.Table:
    day = date.fromisoformat(context.partition.key)
    n = 2 * (day.day - 20)
    return pa.table({{"day": [day, day], "v": [{value} for i in (n, n + 1)]}})
"""
HALF_BAD = {
    "sql": "case when i % 2 = 0 then -i - 1 else i end",
    "py": "-i - 1 if i % 2 == 0 else i",
}


@pytest.fixture
def build(tmp_path):
    (tmp_path / "models/marts").mkdir(parents=True)
    (tmp_path / "mainstem.yml").write_text("name: days\n")

    def run(kind, value, *, batch="", mostly="", **options):
        text = SQL if kind == "sql" else PYTHON
        file = tmp_path / f"models/marts/days.{kind}"
        file.write_text(text.format(value=value, batch=batch, mostly=mostly))
        with mainstem.open(tmp_path) as project:
            finished = project.run(**options)
            rows = project.sql(
                "select v, quarantine_run as run from marts.days__quarantine order by v desc"
            ).to_pylist()
        assert finished.status == "succeeded"
        return [(row["v"], row["run"]) for row in rows]

    return run


@pytest.mark.parametrize("kind", ["sql", "py"])
def test_each_bad_row_is_set_aside_once_and_replaced_with_its_partition(build, kind):
    first = build(kind, HALF_BAD[kind])
    again = build(kind, HALF_BAD[kind], rebuild=True, partitions={"*": "2026-11-21"})
    good = build(kind, "i + 1", partitions={"*": "2026-11-20"})

    assert first == [(-1, 1), (-3, 1), (-5, 1)]
    assert again == [(-1, 1), (-3, 2), (-5, 1)]
    assert good == [(-3, 2), (-5, 1)]


def test_rows_that_were_set_aside_together_are_replaced_one_by_one(build):
    build("sql", HALF_BAD["sql"], batch=", batch: all")

    left = build(
        "sql", HALF_BAD["sql"], batch=", batch: all", rebuild=True, partitions={"*": "2026-11-21"}
    )

    assert left == [(-1, 1), (-3, 2), (-5, 1)]


def test_what_other_partitions_set_aside_does_not_count_for_mostly(build):
    mostly = ", mostly: 0.5"
    build("sql", HALF_BAD["sql"], mostly=mostly)

    again = build("sql", HALF_BAD["sql"], mostly=mostly, rebuild=True)

    assert again == [(-1, 2), (-3, 2), (-5, 2)]
