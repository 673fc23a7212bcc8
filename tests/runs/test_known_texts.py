# SPDX-License-Identifier: Apache-2.0
"""Raw text that is equal means unchanged, whatever version of the normal form loaded it."""

from __future__ import annotations

import pytest


def _load(world, *, normal_form, text="select 1"):
    """Load the project as a version of the program would that normalises SQL its own way."""
    world.source("raw.a")
    world.add("staging.v", "raw.a", materialized="view", code=normal_form, code_text_hash=text)
    world.add("marts.t", "staging.v", code=normal_form, code_text_hash=text)


def _actions(world, **options):
    return {name: action for name, (action, _reason) in world.actions(**options).items()}


@pytest.fixture
def built(world):
    _load(world, normal_form="old")
    world.run()
    return world


def test_equal_text_is_up_to_date_under_another_normal_form(built):
    _load(built, normal_form="new")

    actions = _actions(built)

    assert set(actions.values()) == {"fresh"}


def test_another_text_under_another_normal_form_is_built(built):
    _load(built, normal_form="new", text="select 2")

    actions = _actions(built)

    assert actions["staging.v"] == actions["marts.t"] == "build"


def test_another_text_of_the_same_normal_form_is_up_to_date(built):
    _load(built, normal_form="old", text="select  1")

    actions = _actions(built)

    assert set(actions.values()) == {"fresh"}


def test_new_rows_are_built_as_before_and_the_code_keeps_its_version(built):
    _load(built, normal_form="new")
    built.source("raw.a", "two")

    built.run()

    assert built.executed == ["raw.a", "marts.t"]
    entries = {str(key): entry for key, entry in built.lake.entries("main").items()}
    assert entries["marts.t"].provenance.code_version == "marts.t:old"


def test_a_text_that_another_branch_built_is_linked(built):
    built.lake.create_branch("dev", at="main")
    _load(built, normal_form="old 2", text="select 2")
    built.run(branch="dev")
    _load(built, normal_form="new 2", text="select 2")

    built.run()

    assert built.executed == ["staging.v"]  # a view is only defined
    assert built.version("marts.t") == built.version("marts.t", "dev")


def test_the_text_of_an_ephemeral_model_counts_for_what_inlines_it(world):
    def load(normal_form, text):
        world.add(
            "staging.e",
            "raw.a",
            materialized="ephemeral",
            code=normal_form,
            code_text_hash=text,
        )
        world.add("marts.t", "staging.e", code=normal_form, code_text_hash="select 1")

    world.source("raw.a")
    load("old", "one")
    world.run()

    load("new", "one")
    assert _actions(world)["marts.t"] == "fresh"
    load("new", "two")
    assert _actions(world)["marts.t"] == "build"
