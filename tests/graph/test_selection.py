# SPDX-License-Identifier: Apache-2.0
"""dbt's selection grammar."""

from __future__ import annotations

import pytest

from mainstem.errors import SelectionInvalid
from mainstem.graph import Graph, select


@pytest.fixture
def graph(make):
    return Graph.build(
        [
            make.asset("raw.orders", kind="file", file="ingest/shop.yml", tags=("daily",)),
            make.asset("raw.customers", kind="file", file="ingest/shop.yml"),
            make.asset("staging.orders", "raw.orders", file="models/staging/deep/orders.sql"),
            make.asset(
                "staging.customers",
                "raw.customers",
                materialized="view",
                file="models/staging/customers.sql",
                owner="ann@example.com",
            ),
            make.asset(
                "marts.revenue",
                "staging.orders",
                "staging.customers",
                file="models/marts/finance/revenue.sql",
                tags=("daily", "finance"),
            ),
            make.asset(
                "marts.report", "marts.revenue", kind="python", file="models/marts/report.py"
            ),
            make.asset("seeds.zones", kind="seed", file="seeds/zones.csv"),
        ]
    )


CASES = {
    "marts.revenue": "marts.revenue",
    "revenue": "marts.revenue",
    "orders": "raw.orders staging.orders",
    "staging": "staging.customers staging.orders",
    "marts.finance": "marts.revenue",
    "STAGING.Orders": "staging.orders",
    "+marts.revenue": "marts.revenue raw.customers raw.orders staging.customers staging.orders",
    "1+marts.revenue": "marts.revenue staging.customers staging.orders",
    "raw.orders+": "marts.report marts.revenue raw.orders staging.orders",
    "raw.orders+1": "raw.orders staging.orders",
    "1+staging.orders+1": "marts.revenue raw.orders staging.orders",
    "@staging.orders": "marts.report marts.revenue raw.customers raw.orders staging.customers "
    "staging.orders",
    "tag:daily": "marts.revenue raw.orders",
    "tag:fin*": "marts.revenue",
    "tag:daily,path:models": "marts.revenue",
    "tag:daily,kind:file": "raw.orders",
    "path:models/marts": "marts.report marts.revenue",
    "models/staging/": "staging.customers staging.orders",
    "path:models/*/customers.sql": "staging.customers",
    "customers.sql": "staging.customers",
    "file:report.py": "marts.report",
    "source:raw": "raw.customers raw.orders",
    "source:raw.orders+1": "raw.orders staging.orders",
    "resource_type:seed": "seeds.zones",
    "resource_type:model": "marts.report marts.revenue staging.customers staging.orders",
    "kind:python": "marts.report",
    "materialized:view": "staging.customers",
    "config.materialized:view": "staging.customers",
    "owner:ann@*": "staging.customers",
    "namespace:seeds": "seeds.zones",
    "*.orders": "raw.orders staging.orders",
    "mar*": "marts.report marts.revenue",
    "seeds.zones kind:python": "marts.report seeds.zones",
}


@pytest.mark.parametrize("expression", CASES)
def test_an_expression_selects(graph, expression):
    found = " ".join(sorted(str(key) for key in select(graph, [expression])))

    assert found == CASES[expression]


def test_nothing_given_selects_everything_in_building_order(graph):
    assert select(graph) == graph.order


def test_several_expressions_are_united_and_exclusions_taken_away(graph):
    found = select(graph, ["+marts.revenue", "kind:python"], ["source:raw", "staging.customers"])

    assert {str(key) for key in found} == {"marts.revenue", "marts.report", "staging.orders"}


@pytest.mark.parametrize(
    ("expression", "code", "hint"),
    [
        ("marts.revenu", "A2008", "Did you mean `marts.revenue`?"),
        ("tag:dialy", "A2008", "Did you mean `tag:daily`?"),
        ("kind:pyton", "A2008", "Did you mean `kind:python`?"),
        ("resource_type:models", "A2008", "Did you mean `resource_type:model`?"),
        ("tags:daily", "A2007", "Did you mean `tag:`?"),
        ("state:modified", "A2009", ""),
        ("a,,b", "A2006", "A comma intersects"),
        ("@orders+", "A2006", "Write a name"),
        ("+", "A2006", "Write a name"),
    ],
)
def test_what_cannot_be_meant_is_an_error_that_helps(graph, expression, code, hint):
    with pytest.raises(SelectionInvalid) as caught:
        select(graph, [expression])

    assert caught.value.code == code
    assert hint in caught.value.hint


def test_a_misspelt_exclusion_is_an_error_too(graph):
    with pytest.raises(SelectionInvalid):
        select(graph, [], ["marts.revenu"])


def test_an_exclusion_that_matches_nothing_by_method_is_none(graph):
    assert select(graph, [], ["tag:nightly"]) == graph.order
