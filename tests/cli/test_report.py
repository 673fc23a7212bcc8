# SPDX-License-Identifier: Apache-2.0
"""`mainstem report`: something else made a new version of an external asset."""

import pytest


@pytest.fixture
def spark(shop):
    (shop / "ingest" / "spark.yml").write_text("type: external\ntables: {events: }\n")
    return shop


def test_a_new_version_is_reported_once(spark, mainstem):
    first = mainstem("report", "events", "v1", "--rows", "7", "--metadata", '{"job": 3}')
    again = mainstem("report", "spark.events", "v1")
    document = mainstem("report", "events", "v2", "--json").document

    assert first.out.startswith("spark.events is at v1 on main, commit ")
    assert again.out == "spark.events is at v1 already: nothing is new\n"
    assert document["asset"] == "spark.events"
    assert document["commit"]["message"].endswith("reported spark.events v2")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("shop.orders", "v1"), "A3040"),
        (("events", ""), "A3041"),
        (("events", "v1", "--metadata", "[1]"), "A3041"),
        (("events", "v1", "--metadata", "{"), "A3041"),
        (("events", "v1", "--rows=-1"), "A3041"),
    ],
)
def test_what_cannot_be_reported_is_refused(spark, mainstem, arguments, code):
    done = mainstem("report", *arguments)

    assert (done.code, code in done.err) == (1, True)


@pytest.mark.parametrize(
    "text",
    [
        "type: external\ntables: {events: {files: x.csv}}\n",
        "type: external\npath: data/\ntables: {events: }\n",
        "type: external\n",
        "type: external\ntables: {events: {checks: [{not_null: id}]}}\n",
    ],
)
def test_keys_that_mean_nothing_of_what_others_make_are_refused(spark, mainstem, text):
    (spark / "ingest" / "spark.yml").write_text(text)

    assert mainstem("validate").code == 1
