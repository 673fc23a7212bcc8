# SPDX-License-Identifier: Apache-2.0
"""`mainstem pools`: listed, set while runs go on, and given back to mainstem.yml."""

import pytest


@pytest.fixture
def pooled(shop):
    file = shop / "mainstem.yml"
    file.write_text(file.read_text() + "pools: {db: 4, api: {rate: 60/m}}\n")
    return shop


def test_pools_are_listed_with_what_they_allow(pooled, mainstem):
    listed = mainstem("pools")
    document = mainstem("pools", "list", "--json").document

    assert listed.out.splitlines()[0].split() == ["pool", "taken", "slots", "rate", "note"]
    assert [(each["name"], each["slots"], each["taken"]) for each in document] == [
        ("api", None, 0),
        ("db", 4, 0),
    ]


def test_slots_that_are_set_hold_until_they_are_reset(pooled, mainstem):
    done = mainstem("pools", "set", "db", "0")
    held = mainstem("pools", "--json").document[1]
    back = mainstem("pools", "reset", "db", "--json").document

    assert "mainstem.yml says 4" in done.out
    assert (held["slots"], held["declared_slots"]) == (0, 4)
    assert (back["slots"], back["changed"]) == (4, None)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("set", "dbb", "1"), "A6020"),
        (("reset", "memory"), "A6020"),
        (("set", "--", "db", "-1"), "A6021"),
        (("set", "db", "1000001"), "A6021"),
    ],
)
def test_what_is_no_pool_and_no_number_of_slots_is_refused(pooled, mainstem, arguments, code):
    done = mainstem("pools", *arguments)

    assert done.code == 1
    assert code in done.err


def test_a_project_without_pools_says_so(shop, mainstem):
    assert "no `pools:`" in mainstem("pools").err
