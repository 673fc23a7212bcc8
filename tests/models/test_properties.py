# SPDX-License-Identifier: Apache-2.0
"""Property files: dbt's shape and ours, what they describe, and what they describe in vain."""

from __future__ import annotations

import pytest

from mainstem.errors import ConfigInvalid, SelectionInvalid
from mainstem.models import PropertyIndex, load_properties
from mainstem.types import AssetKey

DBT = """
version: 2
models:
  - name: orders
    description: All orders.
    config: {tags: [core], materialized: table}
    columns:
      - name: id
        description: Number.
        data_type: bigint
        data_tests: [unique, not_null]
      - {name: note, meta: {a: 1}}
sources:
  - name: shop
    tables:
      - name: customers
        description: From the shop.
        columns: [{name: id, tests: [unique]}]
seeds:
  - {name: holidays, config: {column_types: {day: date}}}
"""


def index(*texts):
    entries = [
        entry
        for number, text in enumerate(texts)
        for entry in load_properties(text, f"models/p{number}.yml")
    ]
    return PropertyIndex(entries=tuple(entries))


def test_a_property_file_of_dbt_is_read():
    found = index(DBT).of(AssetKey.parse("marts.orders"), section="models")

    assert found.description == "All orders."
    assert found.tags == ("core",)
    assert found.options["materialized"] == "table"
    assert found.columns == {"id": {"description": "Number.", "type": "bigint"}, "note": {}}
    assert [(one.entry, one.column, one.line) for one in found.checks] == [
        ("unique", "id", 11),
        ("not_null", "id", 11),
    ]


def test_sources_are_described_by_their_schema_and_name():
    found = index(DBT).of(AssetKey.parse("shop.customers"), section="assets")

    assert found.description == "From the shop."
    assert [one.entry for one in found.checks] == ["unique"]


def test_seeds_and_models_of_one_name_are_told_apart():
    assert index(DBT).of(AssetKey.parse("seeds.holidays"), section="models") is None
    assert index(DBT).of(AssetKey.parse("seeds.holidays"), section="seeds").options[
        "column_types"
    ] == {"day": "date"}


def test_what_two_files_say_of_one_asset_is_taken_together():
    ours = (
        "assets: [{key: Marts.Orders, owner: me, tags: [mine], checks: [{row_count: {min: "
        "1}}], columns: [{name: id, tags: [pk]}]}]"
    )

    found = index(DBT, ours).of(AssetKey.parse("marts.orders"), section="models")

    assert (found.owner, found.tags) == ("me", ("core", "mine"))
    assert found.columns["id"] == {"description": "Number.", "type": "bigint", "tags": ["pk"]}
    assert len(found.checks) == 3


def test_what_describes_nothing_is_an_error_with_a_suggestion():
    keys = {AssetKey.parse("marts.order"): "models", AssetKey.parse("seeds.holidays"): "seeds"}

    (problem,) = index(DBT).unused(keys)

    assert problem.code == "A2035"
    assert problem.hint == "Did you mean `order`?"
    assert problem.where.line == 4


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("models: [{name: x, nam: y}]", "A1010", 1),
        ("models:\n  - name: x\n    materialised: table", "A1010", 3),
        ("models:\n  - description: x", "A1013", 2),
        ("assets:\n  - key: x\n    columns: {a: b}", "A1011", 3),
        ("modells: []", "A1010", 1),
        ("models:\n  - name: [", "A1001", 2),
    ],
)
def test_faults_are_told_with_their_line(text, code, line):
    with pytest.raises(ConfigInvalid) as caught:
        load_properties(text, "models/p.yml")

    assert code in {
        caught.value.code,
        *(error.code for error in getattr(caught.value, "errors", ())),
    }
    assert caught.value.where.file == "models/p.yml"
    assert caught.value.where.line in {line, line + 1}


def test_a_key_without_a_namespace_is_refused():
    with pytest.raises(SelectionInvalid):
        load_properties("assets: [{key: orders}]", "models/p.yml")


def test_an_empty_file_says_nothing():
    assert load_properties("# later\n", "models/p.yml") == ()
