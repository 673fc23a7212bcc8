# SPDX-License-Identifier: Apache-2.0
"""Plans as text, to the character (GRAMMAR 6)."""

from pathlib import Path

from mainstem.cli.render.look import PLAIN
from mainstem.cli.render.plan import plan_lines
from mainstem.graph import ColumnChange, Plan, PlannedAsset
from mainstem.types import AssetKey

CASES = Path(__file__).parents[1] / "cases" / "cli"


def expected(name):
    return (CASES / name).read_text().splitlines()


def _item(key, action, reason, rows=None, seconds=None, details=()):
    return PlannedAsset(
        key=AssetKey.parse(key),
        action=action,
        reason=reason,
        estimated_rows=rows,
        estimated_seconds=seconds,
        details=details,
    )


def _plan(assets, columns=(), git=""):
    return Plan(
        project="flights",
        environment="local",
        branch="main",
        base_commit="7f3c2a1e99",
        assets=tuple(assets),
        columns=tuple(columns),
        git=git,
    )


def test_a_plan_reads_as_the_grammar_says():
    fresh = [_item(f"raw.t{number}", "fresh", "nothing changed") for number in range(9)]
    plan = _plan(
        [
            _item("raw.flights", "read", "2 new files, 1.2 MB"),
            _item("staging.flights", "build", "its input raw.flights gets new rows", 336776, 1.2),
            _item(
                "marts.fct_flights",
                "build",
                "column `seats` added in models/marts/fct_flights.sql:12",
                336776,
                2.0,
            ),
            _item("marts.delays", "build", "its input marts.fct_flights changes", 1113, 0.6),
            _item("staging.weather", "link", "built on dev/alice from the same code and inputs"),
            *fresh,
            _item("marts.fleet", "keep", "reads fct_flights, but none of the changed columns"),
        ],
        [ColumnChange(key=AssetKey.parse("marts.fct_flights"), column="seats", change="added")],
        git="4d0e1b2 + 1 edited file",
    )

    lines = plan_lines(plan, PLAIN)

    assert lines == expected("plan.txt")


def test_all_lists_what_is_fresh():
    lines = plan_lines(_plan([_item("raw.a", "fresh", "nothing changed")]), PLAIN, show_all=True)

    assert lines[1] == "  fresh  raw.a     nothing changed"


def test_a_plan_without_work_says_so():
    lines = plan_lines(_plan([_item("raw.a", "fresh", "nothing changed")]), PLAIN)

    assert lines[-1] == "Nothing to do: 1 asset is up to date."


def test_what_breaks_downstream_is_named():
    change = ColumnChange(
        key=AssetKey.parse("staging.f"),
        column="seats",
        change="dropped",
        breaks=("marts.delays.mean_delay",),
    )

    lines = plan_lines(_plan([_item("staging.f", "build", "edited")], [change]), PLAIN)

    assert "columns  - f.seats   breaks marts.delays.mean_delay" in lines


def test_details_stand_below_their_reason():
    item = _item("raw.a", "read", "1 new file", details=("orders.csv, 3.1 MB",))

    lines = plan_lines(_plan([item]), PLAIN)

    assert lines[2].index("orders.csv") == lines[1].index("1 new file")


def test_skipped_assets_are_not_called_up_to_date():
    plan = _plan([_item("raw.a", "fresh", "same"), _item("raw.b", "skip", "was reverted")])

    assert plan_lines(plan, PLAIN)[-1] == "Nothing to do: 1 asset is up to date, 1 skipped."


def test_an_empty_project_says_so():
    assert plan_lines(_plan([]), PLAIN)[-1] == "Nothing to do: the project has no assets."
