# SPDX-License-Identifier: Apache-2.0
"""Why, partitions, pools, and what is asked of runs that go on."""

import pytest

import mainstem
from mainstem.api import application
from mainstem.runs import own_identity
from mainstem.state import insert_run, request_of

PARTITIONED = """/* ---
materialized: table
partitions: {by: day, start: 2026-01-01, end: 2026-01-04, column: day}
--- */
select date '2026-01-02' as day
"""


def test_why_tells_what_happened_and_what_may_follow(api):
    found = api.ask(
        '{ why(asset: "marts.large") { asset branch last { kind text run } next { kind text } } }'
    )["why"]

    assert (found["asset"], found["branch"]) == ("marts.large", "main")
    assert found["last"][0]["run"] == 1
    assert all(fact["text"] for fact in [*found["last"], *found["next"]])


def test_partitions_come_as_ranges(folder, calling):
    (folder / "models/marts/daily.sql").write_text(PARTITIONED)
    with mainstem.open(folder) as project:
        assert project.problems == ()
        found = calling(application(project)).ask(
            '{ partitions(asset: "marts.daily") { count states { state count ranges '
            "{ first last count } } failures { partition } } }"
        )["partitions"]

    states = {each["state"]: each for each in found["states"]}
    assert states["missing"]["count"] == found["count"] > 0
    assert len(states["missing"]["ranges"]) == 1
    assert states["built"] == {"state": "built", "count": 0, "ranges": []}


def test_partitions_of_what_has_none_are_an_error(api):
    assert api.refused('{ partitions(asset: "marts.large") { count } }')["code"] == "A1086"


def test_pools_are_told_with_their_limits(folder, calling, configure):
    configure("name: shop\npools: {api: 2}\n")
    with mainstem.open(folder) as project:
        found = calling(application(project)).ask("{ pools { name slots taken holders { run } } }")

    assert found["pools"] == [{"name": "api", "slots": 2, "taken": 0, "holders": []}]


SET = "mutation ($n: String!, $s: Int) { setPool(name: $n, slots: $s) "
SET += "{ slots declaredSlots changedAt changedBy } }"


@pytest.fixture
def pooled(folder, calling, configure):
    configure("name: shop\npools: {db: 2, api: {rate: 60/m}}\n")
    with mainstem.open(folder) as project:
        yield calling(application(project))


def test_slots_of_a_pool_are_set_and_given_back(pooled):
    opened = pooled.ask(SET, {"n": "db", "s": 5})["setPool"]
    told = pooled.ask("{ pools { name slots ratePerSecond } }")["pools"]
    back = pooled.ask(SET, {"n": "db"})["setPool"]

    assert (opened["slots"], opened["declaredSlots"], opened["changedBy"]) == (5, 2, "local")
    assert told == [
        {"name": "api", "slots": None, "ratePerSecond": 1.0},
        {"name": "db", "slots": 5, "ratePerSecond": 0.0},
    ]
    assert back == {"slots": 2, "declaredSlots": 2, "changedAt": None, "changedBy": ""}


@pytest.mark.parametrize(
    ("name", "slots", "code"),
    [
        ("dbb", 1, "A6020"),
        ("memory", 1, "A6020"),
        ("../db", 1, "A6020"),
        ("db\0", 1, "A6020"),
        ("x" * 100_000, 1, "A6020"),
        ("db", -1, "A6021"),
        ("db", 2_000_000, "A6021"),
        ("db", 2**40, "A8105"),
    ],
)
def test_pools_that_are_none_and_slots_that_cannot_be_are_refused(pooled, name, slots, code):
    found = pooled.refused(SET, {"n": name, "s": slots})

    assert found["code"] == code
    assert len(found["summary"]) < 3_000


@pytest.mark.parametrize(("mutation", "kind"), [("pauseRun", "pause"), ("cancelRun", "cancel")])
def test_a_run_is_told_what_is_asked_of_it(api, project, mutation, kind):
    with project.services.database.write() as transaction:
        run = insert_run(
            transaction,
            branch="main",
            environment="local",
            base_commit="",
            process=own_identity(),
            started_at=project.clock.now(),
        )
    found = api.ask(f"mutation {{ {mutation}(run: {run.id}) {{ kind count askedBy }} }}")

    assert found[mutation] == {"kind": kind.upper(), "count": 1, "askedBy": "local"}
    with project.services.database.read() as transaction:
        assert request_of(transaction, run.id).kind == kind


def test_nothing_is_asked_of_a_run_that_ended(api):
    assert api.refused("mutation { cancelRun(run: 1) { kind } }")["code"] == "A6018"
    assert api.refused("mutation { resumeRun(run: 99) { kind } }")["code"] == "A6001"
