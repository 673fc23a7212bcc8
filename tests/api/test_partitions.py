# SPDX-License-Identifier: Apache-2.0
"""Partitions by mutation: keys come and go, data is deleted; who may, and what is refused."""

import pytest

import mainstem
from mainstem.api import application

DAILY = """/* ---
materialized: table
partitions: {by: day, start: 2026-01-01, end: 2026-01-04, column: day}
--- */
select date '2026-01-01' + n::integer as day from range(3) r(n)
"""
BY_CUSTOMER = """/* ---
materialized: table
partitions: {dynamic: customers, column: customer}
--- */
select customer, amount from raw.orders
"""
STATES = "partitions { count states { state count } }"
ADD = (
    'mutation ($k: [String!]!) { addPartitions(asset: "marts.by_customer", keys: $k) '
    f"{{ count {STATES} }} }}"
)


@pytest.fixture
def parted(folder):
    (folder / "models/marts/daily.sql").write_text(DAILY)
    (folder / "models/marts/by_customer.sql").write_text(BY_CUSTOMER)
    with mainstem.open(folder) as project:
        assert project.problems == ()
        yield project


@pytest.fixture
def api(parted, calling):
    return calling(application(parted))


def counts(partitions):
    return {each["state"]: each["count"] for each in partitions["states"] if each["count"]}


def test_keys_are_added_and_taken_away(api):
    added = api.ask(ADD, {"k": ["ann", "bob"]})["addPartitions"]
    again = api.ask(ADD, {"k": ["bob", "eve"]})["addPartitions"]
    gone = api.ask(
        'mutation { removePartitions(asset: "marts.by_customer", keys: ["ann", "zoe"]) '
        f"{{ count {STATES} }} }}"
    )["removePartitions"]

    assert (added["count"], added["partitions"]["count"]) == (2, 2)
    assert (again["count"], again["partitions"]["count"]) == (1, 3)
    assert (gone["count"], gone["partitions"]["count"]) == (1, 2)
    assert counts(gone["partitions"]) == {"missing": 2}


def test_data_of_partitions_is_deleted_by_a_commit(api, parted):
    parted.run(["marts.daily"])
    mutation = (
        'mutation { deletePartitions(asset: "marts.daily", partitions: "2026-01-02..2026-01-03") '
        f"{{ rowCount commit {{ id message }} {STATES} }} }}"
    )
    found = api.ask(mutation)["deletePartitions"]
    again = api.ask(mutation)["deletePartitions"]

    assert found["rowCount"] == 2
    assert found["commit"]["id"] == parted.lake.ref("main").commit_id
    assert counts(found["partitions"]) == {"built": 1, "missing": 2}
    assert (again["rowCount"], again["commit"]) == (0, None)


def test_a_protected_environment_takes_a_word_and_a_clean_tree(folder, calling, configure):
    (folder / "models/marts/daily.sql").write_text(DAILY)
    configure("name: shop\nenvironments: {prod: {branch: main, protected: true}}\n")
    ask = 'mutation {{ deletePartitions(asset: "marts.daily", partitions: "*", yes: {}) '
    ask += "{{ rowCount }} }}"
    with mainstem.open(folder, environment="prod") as project:
        api = calling(application(project))

        assert api.refused(ask.format("false"))["code"] == "A1054"
        assert api.refused(ask.format("true"))["code"] == "A1080"


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ([], "A8113"),
        ([f"k{n}" for n in range(1_001)], "A8113"),
        ([""], "A1083"),
        (["  "], "A1083"),
        (["a\0b"], "A1083"),
        (["a\nb"], "A1083"),
        (["\x1b[31mred"], "A1083"),
        (["x" * 300], "A1083"),
    ],
)
def test_keys_that_are_none_are_refused(api, keys, code):
    found = api.refused(ADD, {"k": keys})

    assert found["code"] == code
    assert "Traceback" not in str(found)
    assert api.ask('{ partitions(asset: "marts.by_customer") { count } }') == {
        "partitions": {"count": 0}
    }


@pytest.mark.parametrize("key", ["../../etc/passwd", "a,b", "x..y", "'; drop table run; --", "é"])
def test_a_key_is_text_and_nothing_else(api, key):
    assert api.ask(ADD, {"k": [key]})["addPartitions"]["count"] == 1
    found = api.ask(
        '{ partitions(asset: "marts.by_customer") { states { state ranges { first } } } }'
    )["partitions"]

    (missing,) = [each["ranges"] for each in found["states"] if each["ranges"]]
    assert missing[0]["first"] == key


@pytest.mark.parametrize(
    ("mutation", "code"),
    [
        ('addPartitions(asset: "marts.large", keys: ["a"]) { count }', "A1086"),
        ('addPartitions(asset: "marts.daily", keys: ["a"]) { count }', "A1086"),
        ('addPartitions(asset: "../x", keys: ["a"]) { count }', "A2003"),
        ('removePartitions(asset: "marts.daily", keys: ["a"]) { count }', "A1086"),
        ('deletePartitions(asset: "marts.large", partitions: "*") { rowCount }', "A1086"),
        ('deletePartitions(asset: "nothing", partitions: "*") { rowCount }', "A2003"),
    ],
)
def test_what_has_no_such_partitions_is_an_error(api, mutation, code):
    assert api.refused(f"mutation {{ {mutation} }}")["code"] == code


@pytest.mark.parametrize("text", ["2026-13-45", "[[[", "\0", "x" * 100_000, "-"])
def test_a_set_that_cannot_be_read_deletes_nothing(api, parted, text):
    parted.run(["marts.daily"])
    before = parted.lake.ref("main").commit_id
    found = api.refused(
        'mutation ($t: String!) { deletePartitions(asset: "marts.daily", partitions: $t) '
        "{ rowCount } }",
        {"t": text},
    )

    assert found["code"] != "A9000"
    assert len(found["summary"]) < 2_100
    assert parted.lake.ref("main").commit_id == before


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ('select: ["marts.daily"], partitions: "bogus"', "A1081"),
        ('select: ["marts.daily"], partitions: "2026-02-01"', "A1085"),
        ('select: ["marts.by_customer"], partitions: "zoe"', "A1083"),
        ('select: ["marts.daily"], branch: "no good"', "A5014"),
    ],
)
def test_a_launch_that_could_only_fail_is_refused_at_once(api, request_, code):
    refused = api.refused(f"mutation {{ launch(request: {{{request_}}}) {{ number }} }}")

    assert refused["code"] == code
    assert api.ask("{ queue { queued } }") == {"queue": {"queued": 0}}


@pytest.mark.parametrize("partitions", ["2026-01-02", "..2026-01-02,missing", "LATEST", "ann"])
def test_a_launch_may_ask_for_partitions_that_there_are(api, partitions):
    api.ask(ADD, {"k": ["ann"]})
    name = "by_customer" if partitions == "ann" else "daily"

    made = api.ask(
        "mutation ($s: [String!]!, $p: String!) "
        "{ launch(request: {select: $s, partitions: $p}) { partitions } }",
        {"s": [f"marts.{name}"], "p": partitions},
    )

    assert made["launch"]["partitions"] == {"*": partitions}
