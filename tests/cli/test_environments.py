# SPDX-License-Identifier: Apache-2.0
"""Environments: where commands act, sources read through, promotion by linking."""

from __future__ import annotations

import subprocess

import pytest

SETTINGS = """\
name: shop
default_environment: dev
environments:
  dev:  {branch: "dev/{user}", from: main, ingest: read_through}
  prod: {branch: main}
"""
MORE = "id,customer,amount\n4,dan,40\n"


@pytest.fixture
def stages(shop, monkeypatch):
    monkeypatch.setenv("USER", "alice")
    (shop / "mainstem.yml").write_text(SETTINGS)
    return shop


def _actions(done):
    assert done.code == 0, done.err
    return {item["key"]: (item["action"], item["reason"]) for item in done.document["assets"]}


def _statuses(done):
    assert done.code == 0, done.err
    return {step["key"]: step["status"] for step in done.objects[-1]["steps"]}


def _orders(mainstem, *where):
    done = mainstem("query", "select count(*) as n from shop.orders", "--json", *where)
    assert done.code == 0, done.err
    return done.document[0]["n"]


def test_a_source_that_only_the_branch_could_have_is_not_read_by_itself(stages, mainstem):
    planned = _actions(mainstem("plan", "--json"))

    assert planned["shop.orders"] == (
        "skip",
        "main does not have it; `--ingest` loads it on dev/alice",
    )
    assert _statuses(mainstem("run", "--ingest", "--json"))["shop.orders"] == "read"
    assert _orders(mainstem) == 3
    assert mainstem("show", "shop.orders", "-e", "prod").code == 1


def test_sources_are_those_of_the_branch_that_it_comes_from(stages, mainstem):
    mainstem("run", "-e", "prod")
    first = mainstem("run")
    (stages / "models/total.sql").write_text(
        "/* ---\nmaterialized: table\n--- */\nselect count(*) as n from big\n"
    )
    (stages / "data/orders2.csv").write_text(MORE)

    before = _actions(mainstem("plan", "--json"))
    changed = mainstem("run")
    mainstem("run", "-e", "prod", "--select", "shop.orders")
    after = _actions(mainstem("plan", "--json"))
    statuses = _statuses(mainstem("run", "--json"))

    assert first.code == 0
    assert before["shop.orders"] == ("fresh", "as on main")
    assert "Branch dev/alice is new: it begins where main is." in changed.err
    assert after["shop.orders"] == ("link", "read through from main")
    assert after["main.total"] == ("build", "its input main.big changes")
    assert statuses == {"shop.orders": "linked", "main.total": "built"}
    assert _orders(mainstem) == 4
    assert _actions(mainstem("plan", "--json"))["shop.orders"] == ("fresh", "as on main")


def test_a_linked_source_goes_on_where_it_was_read(stages, mainstem):
    mainstem("run", "-e", "prod")
    mainstem("run", "--rebuild")
    (stages / "data/orders2.csv").write_text(MORE)
    mainstem("run", "-e", "prod")
    mainstem("run")

    loaded = _actions(mainstem("plan", "--ingest", "--json"))

    assert loaded["shop.orders"][0] == "fresh"
    assert _orders(mainstem) == 4


def test_what_dev_loaded_for_itself_is_taken_back_by_a_run_that_reads_through(stages, mainstem):
    mainstem("run", "-e", "prod")
    (stages / "data/orders2.csv").write_text(MORE)

    own = _statuses(mainstem("run", "--ingest", "--json"))
    dev, prod = _orders(mainstem), _orders(mainstem, "-e", "prod")
    left = _actions(mainstem("plan", "--no-ingest", "--json"))
    back = _statuses(mainstem("run", "--json"))

    assert own["shop.orders"] == "read"
    assert (dev, prod) == (4, 3)
    assert left["shop.orders"][0] == "fresh"
    assert back["shop.orders"] == "linked"
    assert _orders(mainstem) == 3


def test_what_dev_built_is_linked_by_prod(stages, mainstem):
    mainstem("run", "-e", "prod")
    (stages / "data/orders2.csv").write_text(MORE)
    mainstem("run", "-e", "prod", "--select", "shop.orders")
    (stages / "models/total.sql").write_text(
        "/* ---\nmaterialized: table\n--- */\nselect max(amount) as most from big\n"
    )
    built = _statuses(mainstem("run", "--json"))

    planned = _actions(mainstem("plan", "-e", "prod", "--json"))
    linked = _statuses(mainstem("run", "-e", "prod", "--json"))

    assert built["main.total"] == "built"
    assert planned["main.total"] == ("link", "built on dev/alice from the same code and inputs")
    assert linked["main.total"] == "linked"
    most = mainstem("query", "select most from main.total", "-e", "prod", "--json")
    assert most.document == [{"most": 40}]


def test_merging_a_branch_that_reads_through_brings_no_conflict(stages, mainstem):
    mainstem("run", "-e", "prod")
    mainstem("run", "--rebuild")
    (stages / "data/orders2.csv").write_text(MORE)
    mainstem("run", "-e", "prod")
    mainstem("run")
    (stages / "data/orders3.csv").write_text(MORE.replace("4,dan", "5,eve"))
    mainstem("run", "-e", "prod")

    merged = mainstem("merge", "dev/alice", "--into", "main")

    assert merged.code == 0, merged.err
    assert _orders(mainstem, "-e", "prod") == 5


def test_the_branch_of_a_protected_environment_is_protected_from_others_too(stages, mainstem):
    (stages / "mainstem.yml").write_text(SETTINGS.replace("main}", "main, protected: true}"))

    refused = mainstem("run", "--branch", "main")
    own = mainstem("run", "--ingest")

    assert refused.code == 1
    assert "error[A1054]: Environment `prod` is protected" in refused.err
    assert own.code == 0, own.err


def test_every_command_says_where_it_acts(stages, mainstem):
    mainstem("run", "-e", "prod")
    early = mainstem("query", "select 1 as x")
    mainstem("run", "--rebuild")

    later = [
        mainstem("query", "select 1 as x"),
        mainstem("show", "shop.orders"),
        mainstem("check"),
        mainstem("list"),
        mainstem("log"),
    ]
    plan, run = mainstem("plan"), mainstem("run", "--rebuild")

    assert "1 row · dev · branch main, for dev/alice is not there yet" in early.err
    assert all("dev · branch dev/alice" in done.err for done in later)
    assert "shop · dev · branch dev/alice@" in plan.out
    assert " · dev · branch dev/alice · " in run.out + run.err


def test_the_branch_is_chosen_in_order(stages, mainstem, monkeypatch):
    mainstem("run", "-e", "prod")
    subprocess.run(["git", "init", "-q", "-b", "feature/x"], cwd=stages, check=True)
    settings = SETTINGS.replace('"dev/{user}"', "git")
    (stages / "mainstem.yml").write_text(settings)

    by_git = mainstem("plan", "--json").document["branch"]
    monkeypatch.setenv("MAINSTEM_BRANCH", "of-process")
    by_process = mainstem("plan", "--json").document["branch"]
    by_option = mainstem("plan", "--branch", "asked", "--json").document["branch"]

    assert (by_git, by_process, by_option) == ("feature/x", "of-process", "asked")
