# SPDX-License-Identifier: Apache-2.0
"""Backfills: asked for, watched and steered through GraphQL alone; partitions of a launch."""

import pytest

import mainstem
from mainstem.api import application, create_token
from mainstem.state import backfill_of, launches
from mainstem.types import SystemClock

MONTHLY = """/* ---
materialized: table
partitions: {by: month, start: 2013-01-01, end: 2014-01-01, column: flown}
--- */
select timestamp '2013-02-15 10:00:00' as flown
"""
CREATE = """mutation ($request: BackfillInput!) { launchBackfill(request: $request) {
  id number status select partitions only parallel chunk order priority askedBy target done failed
  launches secondsLeft assets { asset target done failed flying stuck partitions } } }"""


@pytest.fixture
def monthly(folder):
    (folder / "models/marts/monthly.sql").write_text(MONTHLY)
    with mainstem.open(folder) as project:
        assert project.problems == ()
        yield project


@pytest.fixture
def api(monthly, calling):
    return calling(application(monthly))


def launch(api, **request):
    request = {"select": ["marts.monthly"], "partitions": "2013-02..2013-06", **request}
    return api.ask(CREATE, {"request": request})["launchBackfill"]


def test_its_runs_take_the_options_of_any_run(api, monthly):
    options = {"rebuild": True, "vars": {"least": 20}, "retries": 2, "yes": True}
    launch(api, options=options)

    with monthly.services.database.read() as transaction:
        stored = backfill_of(transaction, 1)
    assert stored.request["options"] == options


@pytest.mark.parametrize(
    "options", [{"vars": [1]}, {"vars": "least"}, {"retries": -1}, {"retries": 101}]
)
def test_options_that_no_run_could_take_are_refused(api, options):
    request = {"select": ["marts.monthly"], "options": options}

    assert api.refused(CREATE, {"request": request})["code"] == "A8113"


def test_a_backfill_is_stored_as_it_was_asked_for(api):
    made = launch(api, parallel=3, chunk=2, order="NEWEST", priority=4, only=["MISSING"])

    assert made == {
        "id": "backfill:1",
        "number": 1,
        "status": "RUNNING",
        "select": ["marts.monthly"],
        "partitions": "2013-02..2013-06",
        "only": ["MISSING"],
        "parallel": 3,
        "chunk": 2,
        "order": "NEWEST",
        "priority": 4,
        "askedBy": "local",
        "target": 5,
        "done": 0,
        "failed": 0,
        "launches": [],
        "secondsLeft": None,
        "assets": [
            {
                "asset": "marts.monthly",
                "target": 5,
                "done": 0,
                "failed": 0,
                "flying": 0,
                "stuck": 0,
                "partitions": "2013-02..2013-06",
            }
        ],
    }


def test_a_dry_run_says_what_it_would_be_and_stores_nothing(api):
    made = launch(api, dryRun=True)

    assert (made["id"], made["number"], made["target"]) == ("backfill:0", 0, 5)
    assert api.ask('{ node(id: "backfill:0") { id } }') == {"node": None}
    assert api.ask("{ backfills { number } }") == {"backfills": []}


def test_backfills_come_newest_first_and_by_number(api):
    launch(api)
    launch(api, partitions="2013-07")

    found = api.ask(
        "{ all: backfills { number target } last: backfills(first: 1) { number } "
        "one: backfill(number: 1) { target branch } none: backfill(number: 9) { number } }"
    )

    assert found == {
        "all": [{"number": 2, "target": 1}, {"number": 1, "target": 5}],
        "last": [{"number": 2}],
        "one": {"target": 5, "branch": "main"},
        "none": None,
    }


def test_a_backfill_is_steered(api):
    launch(api)

    for mutation, status in [
        ("pauseBackfill", "PAUSED"),
        ("resumeBackfill", "RUNNING"),
        ("cancelBackfill", "CANCELLED"),
        ("retryBackfill", "RUNNING"),
    ]:
        found = api.ask(f"mutation {{ {mutation}(number: 1) {{ status finishedAt }} }}")[mutation]
        assert found["status"] == status
        assert (found["finishedAt"] is None) == (status != "CANCELLED")


def test_the_pace_of_a_backfill_is_changed_while_it_goes_on(api):
    launch(api, parallel=2)
    edit = "mutation ($p: PaceInput!) { editBackfill(number: 1, pace: $p) "
    edit += "{ parallel chunk order priority } }"

    found = api.ask(edit, {"p": {"parallel": 5, "order": "NEWEST"}})["editBackfill"]

    assert found == {"parallel": 5, "chunk": 0, "order": "NEWEST", "priority": 0}
    assert api.refused(edit, {"p": {"chunk": -1}})["code"] == "A6415"
    api.ask("mutation { cancelBackfill(number: 1) { status } }")
    assert api.refused(edit, {"p": {"parallel": 1}})["code"] == "A6414"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"select": ["marts.large"]}, "A6410"),
        ({"select": ["marts.monthly"], "parallel": -1}, "A6415"),
        ({"select": ["marts.montly"]}, "A2008"),
    ],
)
def test_what_cannot_be_filled_is_refused_with_its_code(api, request_, code):
    assert api.refused(CREATE, {"request": request_})["code"] == code
    assert api.ask("{ backfills { number } }") == {"backfills": []}


def test_a_backfill_is_not_steered_where_it_cannot_go(api):
    launch(api)

    assert api.refused("mutation { resumeBackfill(number: 1) { status } }")["code"] == "A6414"
    assert api.refused("mutation { pauseBackfill(number: 7) { status } }")["code"] == "A6413"


def test_who_only_reads_sees_backfills_and_makes_none(monthly, calling):
    token = create_token(
        monthly.services.database, name="ann", role="viewer", life="1d", clock=SystemClock()
    )
    api = calling(application(monthly), address="10.0.0.9")
    headers = {"Authorization": f"Bearer {token.text}"}
    wanted = {"request": {"select": ["marts.monthly"]}}

    assert api.refused(CREATE, wanted, headers=headers)["code"] == "A8108"
    assert api.ask("{ backfills { number } }", headers=headers) == {"backfills": []}


def test_a_launch_takes_the_partitions_that_are_asked_for(api, monthly):
    found = api.ask(
        'mutation { launch(request: {select: ["marts.monthly"], partitions: "2013-02"}) '
        "{ partitions } }"
    )["launch"]

    assert found["partitions"] == {"*": "2013-02"}
    with monthly.services.database.read() as transaction:
        assert dict(launches(transaction)[0].request.partitions) == {"*": "2013-02"}


def test_a_job_is_launched_for_other_partitions_than_its_own(folder, calling, configure):
    (folder / "models/marts/monthly.sql").write_text(MONTHLY)
    configure("name: shop\njobs:\n  nightly: {select: marts.monthly, partition: latest}\n")
    ask = 'mutation ($p: String!) { launch(request: {job: "nightly", partitions: $p}) '
    ask += "{ job partitions } }"
    with mainstem.open(folder) as project:
        assert project.problems == ()
        api = calling(application(project))
        found = [api.ask(ask, {"p": text})["launch"] for text in ("", "2013-02..2013-03")]

    assert [each["partitions"] for each in found] == [{"*": "latest"}, {"*": "2013-02..2013-03"}]
    assert {each["job"] for each in found} == {"nightly"}
