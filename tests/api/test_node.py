# SPDX-License-Identifier: Apache-2.0
"""`node`: what lists give an id of is given by it; ids that can be none are errors."""

import pytest

import mainstem
from mainstem.api import application

LISTS = """{ assets { nodes { id } } runs { nodes { id } } branches { id } tags { id }
  commits { nodes { id } } launches { id } backfills { id } schedules { id } sensors { id }
  hooks { id } conditions { id } pools { id } }"""
TRIGGERS = """
jobs:
  nightly: {cron: "0 3 * * *"}
sensors:
  inbox: {when: {files: "inbox/*.csv"}, job: nightly}
hooks:
  paid: {secret: "${PAID_SECRET}", job: nightly}
pools: {narrow: 1}
"""
NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
DAILY = """/* ---
materialized: table
run_when: eager
partitions: {by: day, start: 2026-01-01, end: 2026-01-04, column: day}
--- */
select date '2026-01-02' as day
"""


@pytest.fixture
def busy(folder, calling):
    (folder / "models/marts/daily.sql").write_text(DAILY)
    with (folder / "mainstem.yml").open("a") as settings:
        settings.write(TRIGGERS)
    with mainstem.open(folder) as project:
        project.lake.tag("v1")
        project.lake.create_branch("dev/ann")
        api = calling(application(project))
        api.ask(
            'mutation { launch(request: {select: ["raw.orders"]}) { number }'
            ' launchBackfill(request: {select: ["marts.daily"]}) { number } }'
        )
        yield api


def test_everything_that_lists_give_an_id_of_is_given_by_it(busy):
    found = busy.ask(LISTS)
    ids = [
        each["id"]
        for some in found.values()
        for each in (some["nodes"] if isinstance(some, dict) else some)
    ]
    nodes = [busy.ask(NODE, {"id": each})["node"] for each in ids]

    assert [each["id"] for each in nodes] == ids
    assert {each["__typename"] for each in nodes} == {
        "Asset",
        "Run",
        "Branch",
        "Tag",
        "Commit",
        "Launch",
        "Backfill",
        "Schedule",
        "Sensor",
        "WebHook",
        "AssetCondition",
        "Pool",
    }


def test_a_node_has_the_fields_of_what_it_is(busy):
    found = busy.ask(
        '{ asset: node(id: "asset:staging.orders") { ... on Asset { rowCount lastStep { run } } }'
        ' run: node(id: "run:1") { id ... on Run { steps { asset } } } }'
    )

    assert found["asset"] == {"rowCount": 3, "lastStep": {"run": 1}}
    assert len(found["run"]["steps"]) == 3


@pytest.mark.parametrize(
    "gone",
    [
        "asset:marts.nothing",
        "asset:../../etc/passwd",
        "asset:\0",
        "asset:" + "x" * 100_000,
        "run:99",
        "launch:0",
        "backfill:999999999",
        "branch:nothing",
        "branch:main\n",
        "tag:'; drop table run; --",
        "0" * 32,
    ],
)
def test_what_is_gone_is_null(api, gone):
    assert api.ask(NODE, {"id": gone}) == {"node": None}


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        ":",
        "asset:",
        "run:",
        "run:-1",
        "run:1e3",
        "run:٣",
        "run:" + "9" * 50,
        "run:1 ",
        "user:1",
        "x" * 100_000,
        "\0",
        "0" * 31,
        "G" * 32,
        "main",
    ],
)
def test_what_can_be_no_id_is_an_error(api, wrong):
    found = api.refused(NODE, {"id": wrong})

    assert found["code"] == "A8113"
    assert len(found["summary"]) < 300


def test_a_plan_says_which_partitions_it_would_build(busy):
    plan = busy.ask('{ plan(select: ["marts.daily"]) { assets { asset partitions } } }')["plan"]

    assert plan["assets"] == [{"asset": "marts.daily", "partitions": "2026-01-01..2026-01-03"}]


def test_what_is_not_declared_any_more_is_no_node(busy):
    ids = ["schedule:weekly", "sensor:x", "hook:x", "condition:raw.orders", "pool:x"]

    assert [busy.ask(NODE, {"id": each})["node"] for each in ids] == [None] * len(ids)
