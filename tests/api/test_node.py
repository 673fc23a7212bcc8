# SPDX-License-Identifier: Apache-2.0
"""`node`: what lists give an id of is given by it; ids that can be none are errors."""

import pytest

import mainstem
from mainstem.api import application

LISTS = """{ assets { nodes { id } } runs { nodes { id } } branches { id } tags { id }
  commits { nodes { id } } launches { id } backfills { id } }"""
NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
DAILY = """/* ---
materialized: table
partitions: {by: day, start: 2026-01-01, end: 2026-01-04, column: day}
--- */
select date '2026-01-02' as day
"""


@pytest.fixture
def busy(folder, calling):
    (folder / "models/marts/daily.sql").write_text(DAILY)
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
