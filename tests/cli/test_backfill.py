# SPDX-License-Identifier: Apache-2.0
"""`backfill`: made, shown and steered from the command line; a server need not be there."""

from __future__ import annotations

import pytest

MODEL = """/* ---
materialized: table
partitions: {by: month, column: month, start: 2013-01-01, end: 2014-01-01}
--- */
select unnest(range(timestamp '2013-01-01', timestamp '2014-01-01', interval 1 month)) as month
"""


@pytest.fixture
def months(folder):
    (folder / "mainstem.yml").write_text("name: shop\n")
    (folder / "models").mkdir()
    (folder / "models" / "monthly.sql").write_text(MODEL)
    return folder


def test_a_backfill_is_made_listed_and_shown(months, mainstem):
    made = mainstem("backfill", "create", "monthly", "--partition", "2013-02..2013-06")
    listed = mainstem("backfill", "list")
    shown = mainstem("backfill", "show", "1", "--json")

    assert made.code == 0
    assert "backfill 1 · running · local · branch main · 0 of 5 partitions" in made.out
    assert "2013-02..2013-06" in made.out
    assert "A server carries it out" in made.err
    assert "0 of 5" in listed.out
    assert shown.document["assets"][0]["target"] == 5
    assert shown.document["backfill"]["parallel"] == 2


def test_a_dry_run_stores_nothing(months, mainstem):
    tried = mainstem("backfill", "create", "monthly", "--missing", "--dry-run")

    assert "not stored" in tried.out
    assert "0 of 12 partitions" in tried.out
    assert "No backfills yet" in mainstem("backfill", "list").err


def test_a_backfill_is_steered(months, mainstem):
    mainstem("backfill", "create", "monthly", "--order", "newest")

    words = [
        mainstem("backfill", *call, "1", "--json").document["backfill"]
        for call in (("edit", "--parallel", "4"), ("pause",), ("resume",), ("cancel",), ("retry",))
    ]

    assert [one["status"] for one in words] == [
        "running",
        "paused",
        "running",
        "cancelled",
        "running",
    ]
    assert (words[0]["parallel"], words[0]["order"]) == (4, "newest")


def test_its_runs_take_the_options_of_any_run(months, mainstem):
    made = mainstem(
        *("backfill", "create", "monthly", "--vars", "least=20", "--retries", "2"),
        *("--full-refresh", "--force", "--json"),
    )

    assert made.document["backfill"]["request"]["options"] == {
        "full_refresh": True,
        "force": True,
        "vars": {"least": 20},
        "retries": 2,
    }


def test_a_protected_environment_wants_a_yes_and_a_clean_tree(months, mainstem):
    (months / "mainstem.yml").write_text(
        "name: shop\nenvironments: {prod: {branch: main, protected: true}}\n"
    )

    tried = mainstem("backfill", "create", "monthly", "--dry-run")
    refused = mainstem("backfill", "create", "monthly")
    unclean = mainstem("backfill", "create", "monthly", "--yes")

    assert tried.code == 0
    assert "error[A1054]" in refused.err
    assert "error[A1080]" in unclean.err
    assert "No backfills yet" in mainstem("backfill", "list").err


def test_what_is_wrong_is_said(months, mainstem):
    nothing = mainstem("backfill", "show", "7")
    beyond = mainstem("backfill", "create", "monthly", "--partition", "2013-13")

    assert (nothing.code, "A6413" in nothing.err) == (1, True)
    assert beyond.code == 1
