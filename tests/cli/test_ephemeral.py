# SPDX-License-Identifier: Apache-2.0
"""Checks of ephemeral models: what is built from them answers for them."""

from __future__ import annotations

import pytest

EPHEMERAL = """\
/* ---
materialized: ephemeral
checks:
  - not_null: customer
  - between: {column: amount, max: 25}
--- */
select id, customer, amount from shop.orders
"""
INNER = """\
/* ---
materialized: ephemeral
checks: [{row_count: {min: 2}}]
--- */
select customer, amount from cleaned where amount > 5
"""
TABLE = "/* ---\nmaterialized: table\n--- */\nselect customer, amount from kept\n"


@pytest.fixture
def inlined(shop):
    """shop.orders -> cleaned (ephemeral) -> kept (ephemeral) -> sums (table)."""
    (shop / "models/cleaned.sql").write_text(EPHEMERAL)
    (shop / "models/kept.sql").write_text(INNER)
    (shop / "models/sums.sql").write_text(TABLE)
    return shop


def _loosen(folder):
    file = folder / "models/cleaned.sql"
    file.write_text(file.read_text().replace("max: 25", "max: 30"))


def test_what_fails_holds_the_reader(inlined, mainstem):
    done = mainstem("run", "--json")

    steps = {step["key"]: step for step in done.objects[-1]["steps"]}
    held = steps["main.sums"]
    assert done.code == 2
    assert held["status"] == "held"
    failed = [check["message"] for check in held["checks"] if check["verdict"] == "failed"]
    assert len(held["checks"]) == 3
    assert [message.partition(":")[0] for message in failed] == ["main.cleaned"]
    assert steps["shop.orders"]["status"] == "read"


def test_what_passes_lets_it_through_and_checks_can_be_asked_alone(inlined, mainstem):
    _loosen(inlined)

    run = mainstem("run")
    alone = mainstem("check", "main.cleaned", "main.kept", "--json")
    everything = mainstem("check", "--json")

    assert run.code == 0, run.out
    assert [(item["asset"], item["failed_count"]) for item in alone.document] == [
        ("main.cleaned", 0),
        ("main.cleaned", 0),
        ("main.kept", 0),
    ]
    assert len(everything.document) == 3 + 2


def test_rows_that_fail_are_shown_by_the_model_or_by_its_reader(inlined, mainstem):
    mainstem("run")
    mainstem("run", "--select", "shop.orders")

    own = mainstem("check", "main.cleaned", "--rows", "between(amount)", "--json")
    readers = mainstem("check", "main.sums", "--rows", "between(amount)", "--json")

    assert own.code == 0, own.err
    assert [row["amount"] for row in own.document] == [30]
    assert readers.document == own.document


def test_what_has_no_rows_cannot_set_any_aside(inlined, mainstem):
    for name in ("cleaned", "big"):
        (inlined / f"models/{name}.sql").write_text(
            f"/* ---\nmaterialized: {'view' if name == 'big' else 'ephemeral'}\n"
            "checks: [{not_null: {column: customer, quarantine: true}}]\n--- */\n"
            "select id, customer, amount from shop.orders\n"
        )

    done = mainstem("run")

    assert done.code == 1
    assert done.err.count("error[A4005]") == 2
    assert "models/cleaned.sql" in done.err
