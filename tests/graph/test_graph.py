# SPDX-License-Identifier: Apache-2.0
"""Building the graph: names, edges, order, and everything that can be wrong with them."""

from __future__ import annotations

import pytest

from mainstem.errors import AssetNotFound, CycleFound, ModelInvalid
from mainstem.graph import Graph, Names


def test_inputs_come_before_what_reads_them(make):
    graph = Graph.build(
        [make.asset("c.z", "b.y"), make.asset("b.y", "a.x"), make.asset("a.x", kind="file")]
    )

    assert [str(key) for key in graph.order] == ["a.x", "b.y", "c.z"]


def test_the_order_does_not_depend_on_how_files_were_found(make):
    assets = [make.asset("a.x"), make.asset("b.y", "a.x"), make.asset("a.w")]

    assert Graph.build(assets).order == Graph.build(reversed(assets)).order


def test_two_assets_with_one_key_name_both_files(make):
    graph = Graph.build(
        [make.asset("a.x", file="models/a/x.sql"), make.asset("a.X", file="models/a/deep/X.sql")]
    )

    (problem,) = graph.problems
    assert isinstance(problem, ModelInvalid)
    assert problem.code == "A2002"
    assert "models/a/x.sql and in models/a/deep/X.sql" in problem.summary


def test_a_circle_is_shown_in_the_direction_of_the_data(make):
    graph = Graph.build(
        [make.asset("a.x", "c.z"), make.asset("b.y", "a.x"), make.asset("c.z", "b.y")]
    )

    (problem,) = graph.problems
    assert isinstance(problem, CycleFound)
    assert "a.x -> b.y -> c.z -> a.x" in problem.summary
    assert "models/a/x.sql" in problem.hint


def test_what_hangs_below_a_circle_is_not_blamed(make):
    graph = Graph.build(
        [make.asset("a.x", "b.y"), make.asset("b.y", "a.x"), make.asset("c.z", "b.y")]
    )

    assert len(graph.problems) == 1
    assert "c.z" not in graph.problems[0].summary


def test_each_circle_is_reported(make):
    graph = Graph.build(
        [
            make.asset("a.x", "a.y"),
            make.asset("a.y", "a.x"),
            make.asset("b.x", "b.y"),
            make.asset("b.y", "b.x"),
        ]
    )

    assert [type(problem) for problem in graph.problems] == [CycleFound, CycleFound]


def test_a_model_may_read_itself(make):
    assert Graph.build([make.asset("a.x", "a.x", materialized="incremental")]).problems == ()


def test_an_unknown_input_names_the_nearest(make):
    graph = Graph.build([make.asset("raw.orders", kind="file"), make.asset("b.y", "raw.order")])

    (problem,) = graph.problems
    assert isinstance(problem, AssetNotFound)
    assert problem.hint == "Did you mean `raw.orders`?"
    assert problem.where.file == "models/b/y.sql"


def test_tables_of_the_lake_that_are_read_become_assets(make):
    graph = Graph.build([make.asset("b.y", "hand.made")], external=[make.key("hand.made")])

    assert graph.problems == ()
    assert graph[make.key("hand.made")].kind == "external"


def test_one_fault_does_not_hide_the_others(make):
    graph = Graph.build(
        [
            make.asset("a.x", "a.x2"),
            make.asset("a.x"),
            make.asset("b.y", "b.z"),
            make.asset("b.z", "b.y"),
        ]
    )

    assert sorted(problem.code for problem in graph.problems) == ["A2002", "A2003", "A2005"]


def test_closures_go_as_deep_as_asked(make):
    graph = Graph.build(
        [
            make.asset("a.a"),
            make.asset("a.b", "a.a"),
            make.asset("a.c", "a.b"),
            make.asset("a.d", "a.c"),
        ]
    )

    assert {str(key) for key in graph.upstream([make.key("a.d")])} == {"a.a", "a.b", "a.c"}
    assert {str(key) for key in graph.upstream([make.key("a.d")], depth=1)} == {"a.c"}
    assert {str(key) for key in graph.downstream([make.key("a.a")], depth=2)} == {"a.b", "a.c"}


def test_ephemeral_models_are_part_of_what_reads_them(make):
    graph = Graph.build(
        [
            make.asset("raw.a", kind="file"),
            make.asset("t.e", "raw.a", materialized="ephemeral", volatile="calls random()"),
            make.asset("t.x", "t.e"),
        ]
    )

    effective = graph.effective[make.key("t.x")]
    assert [str(key) for key in effective.inputs] == ["raw.a"]
    assert effective.volatile == "reads t.e: calls random()"
    assert effective.code_version != graph[make.key("t.x")].code_version


def test_groups_stay_together_in_the_order(make):
    graph = Graph.build(
        [
            make.asset("g.a", group="g"),
            make.asset("m.b", "g.a"),
            make.asset("g.z", group="g"),
            make.asset("a.a"),
        ]
    )

    order = [str(key) for key in graph.order]
    assert abs(order.index("g.a") - order.index("g.z")) == 1


class TestNames:
    @pytest.fixture
    def names(self, make):
        return Names(
            make.key(name) for name in ("raw.Flights", "staging.flights", "raw.planes", "db.main.x")
        )

    def test_a_full_name_is_found_without_regard_to_case(self, names):
        assert str(names.resolve("RAW.flights")) == "raw.Flights"

    def test_a_bare_name_is_first_looked_for_in_the_own_namespace(self, names):
        assert str(names.resolve("flights", namespace="staging")) == "staging.flights"

    def test_a_bare_name_may_be_the_only_one_of_the_project(self, names):
        assert str(names.resolve("planes", namespace="marts")) == "raw.planes"

    def test_a_bare_name_that_could_be_several_lists_them(self, names):
        with pytest.raises(AssetNotFound) as caught:
            names.resolve("flights", namespace="marts")

        assert caught.value.code == "A2004"
        assert caught.value.known == ("raw.Flights", "staging.flights")

    def test_a_database_in_front_is_left_out(self, names):
        assert str(names.resolve("warehouse.raw.planes")) == "raw.planes"

    def test_an_unknown_name_suggests_one(self, names):
        with pytest.raises(AssetNotFound) as caught:
            names.resolve("plane")

        assert caught.value.hint == "Did you mean `raw.planes`?"
