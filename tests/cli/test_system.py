# SPDX-License-Identifier: Apache-2.0
"""`system.*`: what is known of runs and commits, as tables to query."""

from __future__ import annotations

import pytest


@pytest.fixture
def ask(built, mainstem):
    def ask(query, *words):
        done = mainstem("query", query, "--json", *words)
        assert done.code == 0, done.err
        return done.document

    return ask


def test_runs_and_their_steps_can_be_joined(ask):
    rows = ask(
        "select r.run_id, r.status, s.asset, s.status as came_to, s.row_count "
        "from system.runs r join system.steps as s using (run_id) order by s.position"
    )

    assert [(row["run_id"], row["status"], row["asset"], row["came_to"]) for row in rows] == [
        (1, "succeeded", "shop.orders", "read"),
        (1, "succeeded", "main.big", "built"),
        (1, "succeeded", "main.total", "built"),
    ]
    assert rows[0]["row_count"] == 3


def test_results_of_checks_are_kept_with_their_run(ask):
    (row,) = ask("select * from System.Check_Results where asset = 'shop.orders'")

    assert (row["run_id"], row["verdict"], row["failed_count"]) == (1, "proven", 0)
    assert row["evaluated_at"].startswith("20")


def test_cursors_and_commits_are_those_of_the_ref(ask):
    cursors = ask("select asset, cursor from system.cursors")
    first = ask("select * from system.cursors", "--at", "main~1")
    commits = ask("select message, run_id from system.commits order by generation desc")

    assert [row["asset"] for row in cursors] == ["shop.orders"]
    assert "orders.csv" in cursors[0]["cursor"]
    assert first == []
    assert commits[0]["run_id"] == 1


def test_they_stand_beside_tables_of_the_lake(ask):
    rows = ask("select count(*) as n from shop.orders, system.runs")

    assert rows == [{"n": 3}]


def test_a_name_that_does_not_exist_says_which_do(built, mainstem):
    done = mainstem("query", "select * from system.run")

    assert done.code == 1
    assert "There is no table `system.run` here" in done.err
    assert "Did you mean `system.runs`?" in done.err


def test_nobody_writes_to_them(shop, mainstem):
    (shop / "models/system").mkdir()
    (shop / "models/system/mine.sql").write_text("select 1 as a")

    done = mainstem("run")

    assert done.code == 1
    assert "error[A2049]" in done.err
