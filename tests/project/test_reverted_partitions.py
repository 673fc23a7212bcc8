# SPDX-License-Identifier: Apache-2.0
"""Reverts of what was built of a partitioned table, and what runs do to it then."""

import pytest

import mainstem
from mainstem.errors import BranchConflict
from mainstem.project import delete_partitions, partitions_of
from mainstem.runs import StepStarted

SQL = """/* ---
materialized: table
partitions: {{by: day, column: day, start: 2026-11-20, end: 2026-11-23}}
--- */
select date '2026-11-20' + i::int as day, {value} as v from range(3) t(i)
"""


@pytest.fixture
def build(tmp_path):
    (tmp_path / "models/marts").mkdir(parents=True)
    (tmp_path / "mainstem.yml").write_text("name: days\n")

    def run(value, day=None, **options):
        (tmp_path / "models/marts/days.sql").write_text(SQL.format(value=value))
        wanted = {} if day is None else {"partitions": {"*": day}}
        with mainstem.open(tmp_path) as project:
            return project.run(**wanted, **options)

    return run


@pytest.fixture
def early(build):
    """The build of the first day, on which that of the second follows."""
    build("i + 1")
    finished = build("i + 10", "2026-11-20")
    build("i + 20", "2026-11-21")
    return finished


def values(path):
    with mainstem.open(path) as project:
        return project.sql("select v from marts.days order by day")["v"].to_pylist()


@pytest.mark.parametrize("options", [{}, {"rebuild": True}])
def test_a_day_that_is_built_after_a_revert_leaves_the_other_days(build, early, tmp_path, options):
    with mainstem.open(tmp_path) as project:
        project.revert(early.commit_id)
    assert values(tmp_path) == [1, 21, 3]

    build("i + 20", "2026-11-20", **options)

    assert values(tmp_path) == [20, 21, 3]


def test_a_day_that_fails_after_a_revert_keeps_its_rows(build, early, tmp_path):
    failing = "case when i = 2 then error('broken') else i + 30 end"
    with mainstem.open(tmp_path) as project:
        project.revert(early.commit_id)

    finished = build(failing)

    assert finished.status == "failed"
    assert values(tmp_path) == [30, 31, 3]


def test_what_was_deleted_and_built_again_is_not_restored_beside_it(build, tmp_path):
    build("i + 1")
    with mainstem.open(tmp_path) as project:
        deleted, _rows = delete_partitions(project, "marts.days", "2026-11-20")
    build("i + 10", "2026-11-20")

    with mainstem.open(tmp_path) as project, pytest.raises(BranchConflict, match="built again"):
        project.revert(deleted.id)

    assert values(tmp_path) == [10, 2, 3]


def test_a_deleted_day_is_restored_beside_days_that_were_built_since(build, tmp_path):
    build("i + 1")
    with mainstem.open(tmp_path) as project:
        deleted, _rows = delete_partitions(project, "marts.days", "2026-11-20")
    build("i + 10", "2026-11-21")

    with mainstem.open(tmp_path) as project:
        project.revert(deleted.id)
        status = partitions_of(project, "marts.days")

    assert values(tmp_path) == [1, 11, 3]
    assert (status.built.text(), status.stale.text()) == ("2026-11-21", "2026-11-20,2026-11-22")


def run_while(path, act, value, day):
    """Build a day, and do something when its step has begun."""
    told = []

    def hear(event):
        if isinstance(event, StepStarted) and not told:
            told.append(event)
            with mainstem.open(path) as project:
                act(project)

    (path / "models/marts/days.sql").write_text(SQL.format(value=value))
    with mainstem.open(path) as project:
        return project.run(partitions={"*": day}, on_event=hear)


def test_a_day_that_is_published_beside_a_deletion_is_recorded_as_built(build, tmp_path):
    build("i + 1")

    run_while(
        tmp_path,
        lambda project: delete_partitions(project, "marts.days", "2026-11-22"),
        "i + 10",
        "2026-11-20",
    )

    with mainstem.open(tmp_path) as project:
        status = partitions_of(project, "marts.days")
    assert values(tmp_path) == [10, 2]
    found = (status.built.text(), status.stale.text(), status.missing.text())
    assert found == ("2026-11-20", "2026-11-21", "2026-11-22")


def test_a_day_that_was_deleted_while_it_was_built_does_not_come_back(build, tmp_path):
    build("i + 1")

    with pytest.raises(BranchConflict, match=r"marts\.days"):
        run_while(
            tmp_path,
            lambda project: delete_partitions(project, "marts.days", "2026-11-20"),
            "i + 10",
            "2026-11-20",
        )

    assert values(tmp_path) == [2, 3]


def built(finished):
    return {step.partition: step.status for step in finished.steps if step.partition}


def test_a_reverted_day_stays_away_while_others_are_built(build, early, tmp_path):
    with mainstem.open(tmp_path) as project:
        project.revert(early.commit_id)

    finished = build("i + 10")

    assert built(finished) == {"2026-11-21": "built", "2026-11-22": "built"}
    assert values(tmp_path) == [1, 11, 12]
    with mainstem.open(tmp_path) as project:
        status = partitions_of(project, "marts.days")
    assert (status.built.text(), status.stale.text()) == ("2026-11-21..2026-11-22", "2026-11-20")


def test_a_run_of_a_reverted_day_alone_has_nothing_to_do_and_says_why(build, early, tmp_path):
    with mainstem.open(tmp_path) as project:
        project.revert(early.commit_id)

    finished = build("i + 10", "2026-11-20")

    assert finished.status == "nothing_to_do"
    (step,) = finished.steps
    assert (step.status, "reverted" in step.reason) == ("skipped", True)
    assert values(tmp_path) == [1, 21, 3]


def test_a_reverted_day_comes_back_with_other_code_or_by_force_and_then_for_good(
    build, early, tmp_path
):
    with mainstem.open(tmp_path) as project:
        project.revert(early.commit_id)

    build("i + 30")
    assert values(tmp_path) == [30, 31, 32]
    build("i + 10")
    assert values(tmp_path) == [30, 11, 12]
    build("i + 10", "2026-11-20", force=True)
    assert values(tmp_path) == [10, 11, 12]
    with mainstem.open(tmp_path) as project:
        delete_partitions(project, "marts.days", "2026-11-20")
    build("i + 10")

    assert values(tmp_path) == [10, 11, 12]


def test_a_revert_that_is_reverted_lets_the_day_be_built_again(build, early, tmp_path):
    with mainstem.open(tmp_path) as project:
        undone = project.revert(early.commit_id)
        project.revert(undone.id)
        delete_partitions(project, "marts.days", "2026-11-20")

    build("i + 10", "2026-11-20")

    assert values(tmp_path) == [10, 21, 3]
