# SPDX-License-Identifier: Apache-2.0
"""Secrets are resolved when what needs them is used, and not before (GRAMMAR 2)."""

from __future__ import annotations

import pytest

SETTINGS = """\
name: shop
connections:
  shop_db: {type: postgres, host: localhost, user: etl, password: "${SHOP_PASSWORD}"}
"""
PARTNER = """\
type: files
path: "${PARTNER_FOLDER}"
tables:
  prices: prices.csv
"""


@pytest.fixture
def guarded(shop, monkeypatch):
    """One source of two needs a variable that is not set."""
    for name in ("SHOP_PASSWORD", "PARTNER_FOLDER"):
        monkeypatch.delenv(name, raising=False)
    (shop / "mainstem.yml").write_text(SETTINGS)
    (shop / "ingest/partner.yml").write_text(PARTNER)
    (shop / "models/dear.sql").write_text("select * from partner.prices where price > 10")
    return shop


def test_what_needs_no_secret_works_without_it(guarded, mainstem):
    run = mainstem("run", "--select", "+main.total")

    plan = mainstem("plan", "--select", "+main.total")
    check = mainstem("check", "shop.orders", "main.total")
    listed = mainstem("list")
    every_check = mainstem("check")
    shown = mainstem("show", "main.total")

    for done in (run, plan, check, listed, every_check, shown):
        assert done.code == 0, done.err
    assert "partner.prices" in listed.out


def test_config_shows_that_there_are_secrets_and_not_what(guarded, mainstem, monkeypatch):
    unset = mainstem("config")
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    given = mainstem("config")

    assert (unset.code, given.code) == (0, 0)
    assert "****" in given.out
    assert "hunter2" not in given.out + given.err


def test_what_needs_the_secret_says_which_and_the_rest_goes_on(guarded, mainstem):
    plan = mainstem("plan")
    run = mainstem("run")

    assert plan.code == 0, plan.err
    assert "The variable PARTNER_FOLDER is not set" in plan.out
    assert run.code == 2
    assert "The variable PARTNER_FOLDER is not set" in run.out
    assert mainstem("query", "select * from main.total").code == 0


def test_a_secret_in_the_environments_file_is_found(guarded, mainstem):
    (guarded / "partner").mkdir()
    (guarded / "partner/prices.csv").write_text("item,price\na,20\n")
    (guarded / ".env").write_text("PARTNER_FOLDER=partner/\n")

    done = mainstem("run")

    assert done.code == 0, done.err
    assert mainstem("query", "select * from dear", "--json").document == [
        {"item": "a", "price": 20}
    ]


@pytest.mark.parametrize("file_type", ["mainstem", "ingest", "models"])
def test_editors_get_a_schema_of_each_kind_of_file_without_a_project(folder, mainstem, file_type):
    done = mainstem("config", "--schema", file_type)

    assert done.code == 0
    assert done.document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert done.document["title"].startswith("Mainstem: ")
