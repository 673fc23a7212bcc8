# SPDX-License-Identifier: Apache-2.0
"""What a changed column does to the models that read it, as plan says before anything runs."""

from __future__ import annotations

import pytest

FACT = (
    "/* ---\nmaterialized: table\n--- */\nselect\n  id,\n  customer,\n  amount\nfrom shop.orders\n"
)
PYTHON = """\
from mainstem import asset


@asset
def python_sum(fact):
    return fact
"""


@pytest.fixture
def star(shop):
    """A fact, a table that reads one of its columns, a view of another, a table over the view."""
    (shop / "models/fact.sql").write_text(FACT)
    (shop / "models/total.sql").write_text(
        "/* ---\nmaterialized: table\n--- */\nselect sum(amount) as amount from fact\n"
    )
    (shop / "models/who.sql").write_text("select customer from fact\n")
    (shop / "models/count.sql").write_text(
        "/* ---\nmaterialized: table\n--- */\nselect count(customer) as n from who\n"
    )
    return shop


def _edit(folder, before, after):
    file = folder / "models/fact.sql"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))


def test_a_column_that_nobody_reads_is_built_alone(star, mainstem):
    assert mainstem("run").code == 0
    _edit(star, "  amount\n", "  amount,\n  amount * 2 as twice\n")

    lines = mainstem("plan").out.splitlines()
    ran = mainstem("run", "--json").objects[-1]

    assert [line.split("  ")[1:] for line in lines if line.startswith("  keep")] != []
    text = " ".join(" ".join(lines).split())
    assert "build main.fact column `twice` added in models/fact.sql:8" in text
    assert "keep main.total reads main.fact, but none of the changed columns" in text
    assert "keep main.count reads main.who, but none of the changed columns" in text
    assert "columns + fact.twice nothing downstream breaks" in text
    assert "1 to build, 5 untouched" in text
    assert [step["key"] for step in ran["steps"]] == ["main.fact"]


def test_a_change_of_logic_reaches_everybody(star, mainstem):
    mainstem("run")
    _edit(star, "  amount\n", "  amount * 2 as amount\n")

    text = " ".join(mainstem("plan").out.split())

    assert "build main.total its input main.fact changes" in text
    assert "~ fact.amount its values are computed differently" in text


def test_a_view_that_would_not_fit_any_more_is_an_error_before_the_run(star, mainstem):
    mainstem("run")
    _edit(star, "  customer,\n", "")

    done = mainstem("run", "--select", "main.fact")

    assert done.code == 1
    assert "error[A2041]: column `customer` does not exist in main.fact" in done.err
    assert "models/who.sql:1:8" in done.err
    assert mainstem("query", "select count(customer) as n from who").code == 0


def test_python_that_gets_the_whole_table_may_break(star, mainstem):
    (star / "models/python_sum.py").write_text(PYTHON)
    mainstem("run")
    _edit(star, "  id,\n", "")

    text = " ".join(mainstem("plan").out.split())

    assert "- fact.id may break main.python_sum (Python)" in text


def test_columns_that_a_source_is_about_to_bring_are_no_mistake(star, mainstem):
    mainstem("run")
    (star / "data/orders2.csv").write_text("id,customer,amount,city\n4,dan,40,Rome\n")
    _edit(star, "  amount\n", "  amount,\n  city\n")

    done = mainstem("run")

    assert done.code == 0, done.err + done.out
    found = mainstem("query", "select city from fact where id = 4", "--json")
    assert found.document == [{"city": "Rome"}]


def test_a_mistake_in_columns_that_nothing_will_bring_is_found_before_the_run(star, mainstem):
    mainstem("run")
    _edit(star, "  amount\n", "  amount,\n  city\n")

    done = mainstem("run")

    assert done.code == 1
    assert "column `city` does not exist in shop.orders" in done.err
