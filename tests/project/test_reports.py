# SPDX-License-Identifier: Apache-2.0
"""Reports of what others made: rows in commits, so all that holds for data holds for them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

import mainstem
from mainstem.errors import AssetNotFound, BranchConflict, SqlInvalid, UserError
from mainstem.project import Reported, report_materialization

FILES = {
    "mainstem.yml": "name: shop\n",
    "ingest/spark.yml": "type: external\ninto: spark\nowner: ann\ntables:\n"
    "  events: {description: Made by Spark, freshness: {within: 6h}}\n  clicks:\n",
    "models/newest.sql": "/* ---\nmaterialized: table\nrun_when: eager\n--- */\n"
    "select max_by(data_version, reported_at) as version from spark.events\n",
}


class Manual:
    def __init__(self):
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self):
        return self.time

    def monotonic_s(self):
        return self.time.timestamp()

    def sleep(self, seconds):
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Manual()


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def project(folder, clock):
    with mainstem.open(folder, clock=clock) as opened:
        assert opened.problems == ()
        yield opened


def report(project, version, asset="spark.events", **more):
    project.clock.time += timedelta(seconds=1)
    return report_materialization(project, asset, Reported(data_version=version, **more))


def newest(project, at="main"):
    return project.sql("select version from newest", at=at).to_pylist()[0]["version"]


def actions(project):
    return {str(item.key): (item.action, item.reason) for item in project.plan().assets}


def test_what_reads_it_waits_for_the_first_report_and_follows_each_new_one(project):
    assert actions(project)["main.newest"][0] == "skip"
    report(project, "v1", by="spark")
    assert project.run().status == "succeeded"
    assert (newest(project), actions(project)["main.newest"][0]) == ("v1", "fresh")

    report(project, "v2")

    assert actions(project)["main.newest"] == (
        "build",
        "its input spark.events changed since it was built",
    )
    project.run()
    assert newest(project) == "v2"


def test_a_report_is_a_row_with_all_that_was_said(project):
    report(
        project, "v1", address="s3://lake/1", row_count=7, metadata={"job": 3, "a": "ü"}, by="ann"
    )

    (row,) = project.show("spark.events").to_pylist()

    assert row == {
        "reported_at": project.clock.now(),
        "data_version": "v1",
        "address": "s3://lake/1",
        "row_count": 7,
        "reported_by": "ann",
        "metadata": '{"a":"ü","job":3}',
    }
    (commit,) = project.lake.log("main", key=project.key("spark.events"))
    assert (commit.author, commit.message) == ("ann", "ann reported spark.events v1")


def test_the_version_that_was_reported_last_is_not_new(project):
    first = report(project, "v1")
    again = report(project, "v1")
    other = report(project, "v2")
    back = report(project, "v1")

    assert again.commit is None
    assert again.data_version == first.data_version
    assert len({first.data_version, other.data_version, back.data_version}) == 3
    assert project.show("spark.events").num_rows == 3


def test_many_that_report_the_same_at_once_report_it_once(project):
    found, start = [], threading.Barrier(4)

    def one():
        start.wait(10)
        found.append(report_materialization(project, "events", Reported(data_version="v1")))

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sum(each.commit is not None for each in found) == 1
    assert len({each.data_version for each in found}) == 1
    assert project.show("spark.events").num_rows == 1


def test_a_report_is_of_the_branch_that_it_is_made_on_and_merges(project, folder, clock):
    report(project, "v1")
    with mainstem.open(folder, clock=clock, branch="dev") as dev:
        report(dev, "v2")
        assert project.show("spark.events").num_rows == 1

        project.merge("dev", into="main")

    versions = [row["data_version"] for row in project.show("spark.events").to_pylist()]
    assert sorted(versions) == ["v1", "v2"]
    assert report(project, "v2").commit is None


def test_two_branches_that_were_told_of_the_same_do_not_add_up(project, folder, clock):
    report(project, "v1")
    project.lake.create_branch("dev")
    with mainstem.open(folder, clock=clock, branch="dev") as dev:
        report(dev, "v2")
    report(project, "v2")

    project.merge("dev", into="main")

    versions = [row["data_version"] for row in project.show("spark.events").to_pylist()]
    assert sorted(versions) == ["v1", "v2"]


def test_a_report_that_was_wrong_is_reverted_and_can_come_again(project):
    report(project, "v1")
    project.run()
    wrong = report(project, "v2")
    project.revert(wrong.commit.id)

    assert actions(project)["main.newest"][0] == "fresh"
    assert report(project, "v2").commit is not None


def test_a_condition_sees_a_report(project):
    report(project, "v1")
    project.run()
    conditions = project.automation.conditions
    write = project.services.database.write
    conditions.turn(write, project.clock.now())
    report(project, "v2")
    project.clock.sleep(10)

    (tick,) = conditions.turn(write, project.clock.now())

    assert (tick.name, tick.outcome) == ("main.newest", "launched")
    assert tick.reason == "spark.events was updated"


def test_a_promise_is_about_the_last_report_of_something_new(project):
    report(project, "v1")
    before = project.automation.promises.all()[0].freshness
    project.clock.sleep(7 * 3600)
    late = project.automation.promises.all()[0].freshness
    report(project, "v2")
    after = project.automation.promises.all()[0].freshness

    assert [each.status for each in (before, late, after)] == ["fresh", "late", "fresh"]
    assert after.updated_at == project.clock.now()


def test_its_columns_are_known_before_the_first_report(folder, clock):
    (folder / "models/wrong.sql").write_text("select versoin from spark.events\n")
    with mainstem.open(folder, clock=clock) as project:
        described = {each.name for each in project.describe("spark.clicks").columns}
        report(project, "v1")

        with pytest.raises(SqlInvalid, match=r"`versoin` does not exist in spark\.events"):
            project.run()

    assert {"reported_at", "data_version", "address", "row_count"} <= described


def test_what_the_project_makes_cannot_be_reported(project):
    with pytest.raises(UserError, match="is made by this project"):
        report(project, "v1", asset="newest")
    with pytest.raises(AssetNotFound):
        report(project, "v1", asset="spark.evnts")


@pytest.mark.parametrize(
    "said",
    [
        {"data_version": ""},
        {"data_version": "  "},
        {"data_version": "a\nb"},
        {"data_version": "x" * 501},
        {"data_version": "v", "address": "\0"},
        {"data_version": "v", "row_count": -1},
        {"data_version": "v", "row_count": 2**63},
        {"data_version": "v", "metadata": {"a": object()}},
        {"data_version": "v", "metadata": {"a": "x" * 20_000}},
        {"data_version": "v", "metadata": {"a": "\ud800"}},
    ],
)
def test_a_report_that_cannot_be_kept_is_refused(project, said):
    with pytest.raises(UserError) as refused:
        report_materialization(project, "spark.events", Reported(**said))

    assert refused.value.code == "A3041"
    assert project.lake.entry(project.key("spark.events"), "main") is None


def test_a_sealed_branch_takes_no_report(project):
    project.lake.create_branch("old")
    project.lake.seal("old")
    project.branch = "old"

    with pytest.raises(BranchConflict):
        report(project, "v1")
