# SPDX-License-Identifier: Apache-2.0
"""What a merge says of the next run is what the next plan does."""

import pytest

WIDE = "/* ---\nmaterialized: table\n--- */\nselect id, amount from staging.orders\n"
SUM = "/* ---\nmaterialized: table\n--- */\nselect sum(amount) as total from marts.wide\n"


@pytest.fixture
def wide(shop):
    """A table, and another that reads one of its columns."""
    shop.write("models/marts/wide.sql", WIDE)
    shop.write("models/marts/sum.sql", SUM)
    shop.run()
    return shop


def _branch(shop, name="try"):
    with shop.open() as project:
        project.lake.create_branch(name)


def _merge(shop, **options):
    with shop.open() as project:
        return project.merge("try", **options)


def _names(keys):
    return [str(key) for key in keys]


def _builds(shop):
    return [name for name, action in shop.actions().items() if action == "build"]


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_reads_none_of_the_columns_that_came_is_not_named(wide, dry_run):
    _branch(wide)
    wide.write("models/marts/wide.sql", WIDE.replace("amount", "amount, 1 as seats"))
    wide.run(branch="try")

    result = _merge(wide, dry_run=dry_run)

    assert _names(result.merged) == ["marts.wide"]
    assert (result.stale, result.notes) == ((), ())
    if not dry_run:
        assert _builds(wide) == []


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_both_branches_built_is_named_with_all_that_reads_it(wide, dry_run):
    _branch(wide)
    wide.write("data/orders.csv", "id,amount\n1,10\n2,20\n3,30\n4,40\n")
    wide.run()
    doubled = WIDE.replace("amount", "amount * 2 as amount")
    wide.write("models/marts/wide.sql", doubled)
    with wide.open(branch="try") as project:
        project.run(["marts.wide+"], ingest=False)

    result = _merge(wide, dry_run=dry_run)

    assert _names(result.stale) == ["marts.sum", "marts.wide"]
    if not dry_run:
        assert sorted(_builds(wide)) == _names(result.stale)


def test_code_that_inlines_other_code_is_not_taken_for_other_code(shop):
    shop.write("models/staging/e.sql", "/* ---\nmaterialized: ephemeral\n--- */\nselect 1 as a\n")
    shop.write("models/marts/t.sql", WIDE.replace("staging.orders", "staging.orders, staging.e"))
    _branch_after_run(shop)
    shop.write("models/marts/t.sql", WIDE.replace("id, amount from", "id, a from staging.e,"))
    shop.run(branch="try")

    result = _merge(shop)

    assert (result.stale, result.notes) == ((), ())
    assert _builds(shop) == []


def _branch_after_run(shop):
    shop.run()
    _branch(shop)


def test_a_listing_names_what_is_older_than_its_inputs_and_will_be_built(wide):
    def stale():
        with wide.open() as project:
            return [str(item.key) for item in project.listing() if item.is_stale]

    assert stale() == []
    wide.write("models/marts/wide.sql", WIDE.replace("amount", "amount, 1 as seats"))
    with wide.open() as project:
        project.run(["marts.wide"])
    assert stale() == []  # it reads none of the new columns
    wide.write("models/marts/wide.sql", WIDE.replace("amount", "2 * amount as amount"))
    with wide.open() as project:
        project.run(["marts.wide"])

    assert stale() == ["marts.sum"]


def _log(shop, **where):
    with shop.open(**where) as project:
        commits = project.lake.log(project.branch)
        places = [project.lake.resolve(f"{project.branch}~{n}").id for n in range(len(commits))]
        assert places == [commit.id for commit in commits]
        return [commit.message for commit in commits]


def test_the_log_of_a_branch_is_what_was_done_to_it_one_line_each(wide):
    with wide.open() as project:
        first = project.lake.resolve("main").message
        project.lake.create_branch("try")
    wide.write("models/marts/wide.sql", WIDE.replace("amount", "amount, 1 as seats"))
    wide.run(branch="try")
    wide.write("models/marts/wide.sql", WIDE.replace("amount", "amount, 22 as seats"))
    wide.run(branch="try")
    _merge(wide)
    with wide.open() as project:
        project.revert("main")
        merge = project.lake.resolve("main~1").short_id

    main = ["merge try into main: marts.wide", first, "lake created"]
    assert _log(wide) == [f"revert {merge}: {main[0]}", *main]
    assert _log(wide, branch="try") == [
        "run 3: marts.wide",
        "run 2: marts.wide",
        first,
        "lake created",
    ]
