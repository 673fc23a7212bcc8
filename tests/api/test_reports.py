# SPDX-License-Identifier: Apache-2.0
"""Reports of what others made, through the API."""

import pytest

import mainstem
from mainstem.api import application

REPORT = """mutation ($report: ReportInput!) { reportMaterialization(report: $report) {
  asset branch isNew dataVersion commit { message author } } }"""


@pytest.fixture
def reporting(folder, calling):
    (folder / "ingest/spark.yml").write_text(
        "type: external\ninto: spark\ntables: {events: {description: Made by Spark}}\n"
    )
    (folder / "models/marts/newest.sql").write_text(
        "/* ---\nmaterialized: table\n--- */\nselect max(data_version) as v from spark.events\n"
    )
    with mainstem.open(folder) as project:
        assert project.problems == ()
        yield calling(application(project))


def test_a_report_makes_what_reads_it_stale_and_the_same_again_does_not(reporting):
    said = {"asset": "events", "dataVersion": "v1", "rowCount": 7, "metadata": {"job": 3}}
    first = reporting.ask(REPORT, {"report": said})["reportMaterialization"]
    again = reporting.ask(REPORT, {"report": said})["reportMaterialization"]
    plan = reporting.ask('{ plan(select: ["marts.newest"]) { assets { asset action } } }')
    told = reporting.ask(
        '{ asset(key: "spark.events") { asset { kind rowCount } dataVersion '
        'commits { message } } data(asset: "spark.events") { rows } }'
    )

    assert (first["asset"], first["branch"], first["isNew"]) == ("spark.events", "main", True)
    assert first["commit"] == {"message": "local reported spark.events v1", "author": "local"}
    assert (again["isNew"], again["commit"]) == (False, None)
    assert plan["plan"]["assets"] == [{"asset": "marts.newest", "action": "BUILD"}]
    assert told["asset"]["asset"] == {"kind": "EXTERNAL", "rowCount": 1}
    assert told["asset"]["dataVersion"] == first["dataVersion"]
    assert told["data"]["rows"][0][1:] == ["v1", "", 7, "local", '{"job":3}']


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"asset": "staging.orders"}, "A3040"),
        ({"asset": "raw.orders"}, "A3040"),
        ({"asset": "spark.nothing"}, "A2003"),
        ({"asset": "../../etc/passwd"}, "A2003"),
        ({"asset": "spark.events\0"}, "A2003"),
        ({"dataVersion": ""}, "A3041"),
        ({"dataVersion": "\x1b[2J"}, "A3041"),
        ({"dataVersion": "x" * 100_000}, "A3041"),
        ({"address": "a\nb"}, "A3041"),
        ({"rowCount": -1}, "A3041"),
        ({"rowCount": 2**60}, "A8113"),
        ({"rowCount": True}, "A8113"),
        ({"rowCount": "7"}, "A8113"),
        ({"metadata": [1]}, "A8113"),
        ({"metadata": "x"}, "A8113"),
        ({"metadata": {"a": "x" * 20_000}}, "A3041"),
    ],
)
def test_reports_that_mean_nothing_or_harm_are_refused(reporting, said, code):
    found = reporting.refused(
        REPORT, {"report": {"asset": "spark.events", "dataVersion": "v", **said}}
    )

    assert found["code"] == code
    assert len(found["summary"]) < 3_000
    assert reporting.ask('{ assets(select: ["spark.events"]) { nodes { isBuilt } } }') == {
        "assets": {"nodes": [{"isBuilt": False}]}
    }
