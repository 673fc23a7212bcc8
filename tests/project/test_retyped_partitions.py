# SPDX-License-Identifier: Apache-2.0
"""A column of another type is published for all partitions of a table, or for none."""

import pytest

import mainstem

SQL = """/* ---
materialized: table
partitions: {{by: day, column: day, start: 2026-11-20, end: 2026-11-23}}
checks: [{{expression: {{sql: "v is distinct from {bad}"}}}}]
--- */
select date '2026-11-20' + i::int as day, {value} as v from range(3) t(i)
"""


@pytest.fixture
def build(tmp_path):
    def run(value, bad, **options):
        model = tmp_path / "models/marts/days.sql"
        model.parent.mkdir(parents=True, exist_ok=True)
        model.write_text(SQL.format(value=value, bad=bad))
        below = "/* --- materialized: table --- */ select count(v) as n from days"
        (tmp_path / "models/marts/below.sql").write_text(below)
        (tmp_path / "mainstem.yml").write_text("name: days\n")
        with mainstem.open(tmp_path) as project:
            return project.run(**options)

    run("(i + 1)::int", "13")
    return run


def values(path):
    with mainstem.open(path) as project:
        found = project.sql("select v, n from marts.days, marts.below order by day").to_pylist()
    return [row["v"] for row in found], found[0]["n"]


def test_a_held_day_keeps_its_value_because_no_other_day_is_published(build, tmp_path):
    finished = build("'x' || (i + 10)", "'x12'")

    assert finished.status == "held"
    assert not finished.commit_id
    assert values(tmp_path) == ([1, 2, 3], 3)
    reasons = {step.partition: step.reason for step in finished.steps if step.partition}
    assert "`v` changes from int to string" in reasons["2026-11-20"]
    assert "2026-11-22 stays as it was" in reasons["2026-11-21"]


def test_once_the_held_day_passes_all_are_published_as_they_were_built(build, tmp_path):
    build("'x' || (i + 10)", "'x12'")

    finished = build("'x' || (i + 10)", "'x13'")

    days = [step for step in finished.steps if step.partition]
    assert {step.status for step in days} == {"linked"}
    assert values(tmp_path) == (["x10", "x11", "x12"], 3)


def test_a_type_that_only_grows_is_published_without_the_held_day(build, tmp_path):
    finished = build("(i + 1) * 10", "30")

    assert finished.status == "held"
    assert values(tmp_path) == ([10, 20, 3], 3)
