# SPDX-License-Identifier: Apache-2.0
"""plan, run, check: through the program, on a small project."""

import re
import subprocess


def test_plan_says_what_a_run_would_do_and_changes_nothing(shop, mainstem):
    first = mainstem("plan")
    second = mainstem("plan")

    assert first.code == 0, first.err
    assert re.search(r"^  read   shop\.orders .*1 new file", first.out, re.MULTILINE)
    assert re.search(r"^  build  main\.total ", first.out, re.MULTILINE)
    assert "Nothing was changed. `mainstem run` does this." in first.out
    assert second.out == first.out


def test_a_run_publishes_and_a_second_one_has_nothing_to_do(shop, mainstem):
    first = mainstem("run")
    second = mainstem("run")

    assert first.code == 0, first.out + first.err
    assert re.search(r"Published 3 assets to main in commit [0-9a-f]{8}, ", first.out)
    assert second.code == 0
    assert "Nothing to do" in second.out


def test_without_a_terminal_every_line_of_a_run_has_its_time_and_no_glyphs(shop, mainstem):
    done = mainstem("run")

    assert all(
        re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", line) for line in done.out.splitlines()
    )
    assert re.search(r"Z   ok   shop\.orders", done.out)
    assert not set("✓✗\x1b") & set(done.out)


def test_a_run_as_json_is_an_object_a_line_and_the_summary_last(shop, mainstem):
    done = mainstem("run", "--json")

    events = [item["event"] for item in done.objects]
    assert events[0] == "run_started"
    assert events[-1] == "run_finished"
    assert events.count("step_finished") == 3
    assert done.objects[-1]["status"] == "succeeded"


def test_a_failing_check_holds_its_asset_and_leaves_with_2(shop, mainstem):
    mainstem("run")
    model = shop / "models/total.sql"
    model.write_text(model.read_text().replace("min: 1", "min: 5"))
    model.write_text(model.read_text().replace("count(*) as orders", "count(*) + 1 as orders"))

    done = mainstem("run")
    query = mainstem("query", "select orders from main.total", "--format", "csv")

    assert done.code == 2
    assert "HELD  main.total" in done.out
    assert "readers keep" in done.out
    assert query.out.split()[-1] == "2"


def test_the_held_version_can_be_read_on_the_runs_branch(shop, mainstem):
    model = shop / "models/total.sql"
    model.write_text(model.read_text().replace("min: 1", "min: 5"))

    done = mainstem("run")
    branch = re.search(r"--branch (run/\d+)", done.out)[1]
    query = mainstem("query", "--branch", branch, "select orders from main.total", "--json")

    assert query.document == [{"orders": 2}]


def test_one_broken_file_does_not_hide_the_others(shop, mainstem):
    (shop / "models/one.sql").write_text("select from from x")
    (shop / "models/two.sql").write_text("select * from nothing_like_it")
    (shop / "models/three.yml").write_text("modles: []\n")

    done = mainstem("run")

    assert done.code == 1
    assert done.err.count("error[") >= 3
    assert {"models/one.sql", "models/two.sql", "models/three.yml"} <= set(
        re.findall(r"models/\w+\.\w+", done.err)
    )
    assert "3 errors; nothing was run." in done.err


def test_an_unknown_column_is_found_before_the_run_with_its_place(shop, mainstem):
    (shop / "models/big.sql").write_text("select id,\n  amuont\nfrom shop.orders\n")
    mainstem("run", "shop.orders")

    done = mainstem("run")

    assert done.code == 1
    assert "models/big.sql:2:3" in done.err
    assert "did you mean `amount`?" in done.err


def test_selections_limit_a_run(shop, mainstem):
    done = mainstem("run", "shop.orders", "--json")

    finished = [item["key"] for item in done.objects if item["event"] == "step_finished"]
    assert finished == ["shop.orders"]


def test_a_selection_that_matches_nothing_is_an_error_with_the_nearest_name(shop, mainstem):
    done = mainstem("plan", "shop.ordres")

    assert done.code == 1
    assert "shop.orders" in done.err


def test_check_judges_data_as_it_is(shop, mainstem):
    mainstem("run")

    done = mainstem("check")

    assert done.code == 0
    assert "2 checks: 2 passed" in done.out


def test_check_shows_the_rows_that_fail(shop, mainstem):
    (shop / "models/big.yml").write_text(
        "assets:\n  - key: main.big\n    columns:\n"
        "      - {name: amount, checks: [{between: {max: 25, severity: warn}}]}\n"
    )
    run = mainstem("run")

    done = mainstem("check", "main.big", "--rows", "between(amount)", "--json")

    assert run.code == 0, run.err
    assert [row["id"] for row in done.document] == [3]


def test_rows_without_an_asset_is_a_usage_error(shop, mainstem):
    done = mainstem("check", "--rows", "unique(id)")

    assert done.code == 1
    assert "error[A1058]" in done.err


def test_a_new_branch_is_said(shop, mainstem):
    first = mainstem("run", "--branch", "try")
    second = mainstem("run", "--branch", "try")

    assert "Branch try is new: it begins where main is." in first.err
    assert "is new" not in second.err


def test_a_protected_environment_wants_a_yes_and_a_clean_tree(shop, mainstem):
    (shop / "mainstem.yml").write_text(
        "name: shop\nenvironments:\n  prod: {branch: main, protected: true}\n"
    )

    refused = mainstem("run")
    unclean = mainstem("run", "--yes")
    subprocess.run(COMMIT_ALL, shell=True, cwd=shop, check=True, capture_output=True)
    done = mainstem("run", "--yes")

    assert "error[A1054]" in refused.err
    assert "error[A1080]" in unclean.err
    assert done.code == 0, done.err


COMMIT_ALL = (
    "printf '.mainstem/\\n' > .gitignore && git init -q && git add -A && "
    "git -c user.name=t -c user.email=t@example.com commit -qm x"
)
