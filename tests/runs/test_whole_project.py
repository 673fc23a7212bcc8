# SPDX-License-Identifier: Apache-2.0
"""A small project with real files, engine and lake: what plans and runs must keep there too."""

from __future__ import annotations

import pytest

import mainstem


@pytest.fixture
def folder(tmp_path):
    for name in ("ingest", "data", "models/staging", "models/marts"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "mainstem.yml").write_text("name: small\n")
    (tmp_path / "ingest" / "shop.yml").write_text(
        'type: files\npath: data/\ninto: raw\ntables:\n  orders: {files: "o*.csv", write: append}\n'
    )
    (tmp_path / "data" / "o1.csv").write_text("id,amount\n1,10\n2,20\n")
    (tmp_path / "models" / "staging" / "orders.sql").write_text(
        "/* ---\nmaterialized: table\nchecks: [{not_null: [id]}]\n--- */\n"
        "select id, amount from raw.orders\n"
    )
    (tmp_path / "models" / "marts" / "totals.sql").write_text(
        "/* ---\nmaterialized: table\n--- */\nselect sum(amount) as total from staging.orders\n"
    )
    return tmp_path


def _run(folder, *select, **options):
    with mainstem.open(folder) as project:
        return project.run(select, **options)


def _total(folder):
    with mainstem.open(folder) as project:
        return project.sql("select total from marts.totals").to_pylist()[0]["total"]


def _actions(folder, **options):
    with mainstem.open(folder) as project:
        return {str(item.key): item.action for item in project.plan(**options).assets}


def test_a_second_run_has_nothing_to_do(folder):
    first = _run(folder)
    second = _run(folder)

    assert first.status == "succeeded"
    assert second.status == "nothing_to_do"
    assert _total(folder) == 30


def test_new_rows_travel_to_the_end(folder):
    _run(folder)
    (folder / "data" / "o2.csv").write_text("id,amount\n3,5\n")
    _run(folder)

    assert _total(folder) == 35


def test_reverted_rows_stay_away_until_there_are_others(folder):
    _run(folder)
    (folder / "data" / "o2.csv").write_text("id,amount\n3,5\n")
    finished = _run(folder)
    with mainstem.open(folder) as project:
        project.revert(finished.commit_id)
    after_revert = _run(folder).status, _total(folder)
    (folder / "data" / "o3.csv").write_text("id,amount\n4,7\n")
    _run(folder)

    assert after_revert == ("nothing_to_do", 30)
    assert _total(folder) == 42


def test_force_takes_reverted_rows_in_again(folder):
    _run(folder)
    (folder / "data" / "o2.csv").write_text("id,amount\n3,5\n")
    finished = _run(folder)
    with mainstem.open(folder) as project:
        project.revert(finished.commit_id)
    _run(folder, force=True)

    assert _total(folder) == 35


def test_a_column_that_nobody_reads_rebuilds_no_reader(folder):
    _run(folder)
    model = folder / "models" / "staging" / "orders.sql"
    model.write_text(model.read_text().replace("amount from", "amount, amount * 2 as twice from"))

    assert _actions(folder) == {
        "raw.orders": "fresh",
        "staging.orders": "build",
        "marts.totals": "keep",
    }
    assert [str(step.key) for step in _run(folder).steps] == ["staging.orders"]
    assert _run(folder).status == "nothing_to_do"


def test_white_space_and_comments_rebuild_nothing(folder):
    _run(folder)
    model = folder / "models" / "staging" / "orders.sql"
    model.write_text(model.read_text().replace("select id", "-- as they come\nselect  id"))

    assert set(_actions(folder).values()) == {"fresh"}
