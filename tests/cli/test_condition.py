# SPDX-License-Identifier: Apache-2.0
"""`mainstem condition`: which assets launch themselves, turned on and off."""

import pytest


@pytest.fixture
def eager(shop):
    (shop / "models" / "eager.sql").write_text(
        "/* ---\nmaterialized: table\nrun_when: eager\n--- */\nselect 1 as one\n"
    )
    return shop


def test_conditions_are_listed_and_switched(eager, mainstem):
    listed = mainstem("condition")
    off = mainstem("condition", "off", "eager")
    document = mainstem("condition", "list", "--json").document
    on = mainstem("condition", "on", "eager", "--json").document

    assert listed.out.splitlines()[1].split() == ["main.eager", "on", "eager"]
    assert off.out.splitlines()[1].split() == ["main.eager", "off", "eager"]
    assert [each["is_on"] for each in document] == [False]
    assert on["is_on"] is True


def test_what_has_no_condition_cannot_be_switched(shop, mainstem):
    done = mainstem("condition", "off", "shop.orders")

    assert (done.code, "A2222" in done.err) == (1, True)
    assert "No asset has `run_when`" in mainstem("condition").err
