# SPDX-License-Identifier: Apache-2.0
"""Every field that there is, with arguments that mean harm: data or a code, never a fault of ours.

Made from the schema, so a field that is added is tried as well.
"""

import re
import shutil

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    build_schema,
    get_named_type,
    is_composite_type,
    is_interface_type,
)

import mainstem
from mainstem.api import application, create_token, sdl
from mainstem.types import SystemClock

SCHEMA = build_schema(sdl())
FIELDS = [
    (kind, name)
    for kind, root in (("query", SCHEMA.query_type), ("mutation", SCHEMA.mutation_type))
    for name, field in root.fields.items()
    if field.args
]
TEXTS = {
    "path": "../../../../etc/passwd",
    "control": "a\0b\n\x1b[31m\u202e",
    "huge": "x" * 300_000,
    "sql": "'; drop table run; --",
    "empty": "",
    "template": "{{ 7 * 7 }} ${PASSWORD} %s",
}
NUMBERS = {"empty": 0, "path": -1, "huge": 2**31 - 1}


def value_of(of, harm):
    """Give a value of an input type that means harm."""
    if isinstance(of, GraphQLNonNull):
        return value_of(of.of_type, harm)
    if isinstance(of, GraphQLList):
        return [value_of(of.of_type, harm)] * (1 if harm == "huge" else 2)
    if isinstance(of, GraphQLInputObjectType):
        return {name: value_of(inner.type, harm) for name, inner in of.fields.items()}
    if isinstance(of, GraphQLEnumType):
        return next(iter(of.values))
    return {
        "Int": NUMBERS.get(harm, 1),
        "Long": NUMBERS.get(harm, 1),
        "Float": 1.5,
        "Boolean": harm == "path",
        "JSON": {TEXTS[harm]: TEXTS[harm]},
        "DateTime": TEXTS[harm],
    }.get(of.name, TEXTS[harm])


def operation(kind, name, harm):
    field = getattr(SCHEMA, f"{kind}_type").fields[name]
    declared = ", ".join(f"${arg}: {given.type}" for arg, given in field.args.items())
    passed = ", ".join(f"{arg}: ${arg}" for arg in field.args)
    of = get_named_type(field.type)
    below = " { __typename }" if is_composite_type(of) or is_interface_type(of) else ""
    variables = {arg: value_of(given.type, harm) for arg, given in field.args.items()}
    if not field.args:
        return f"{kind} {{ {name}{below} }}", {}
    return f"{kind} ({declared}) {{ {name}({passed}){below} }}", variables


@pytest.fixture(scope="module")
def shared(built_once, tmp_path_factory, calling):
    folder = tmp_path_factory.mktemp("hostile") / "shop"
    shutil.copytree(built_once, folder)
    with mainstem.open(folder) as project:
        yield calling(application(project))


@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=[f"{kind}-{name}" for kind, name in FIELDS])
def test_arguments_that_mean_harm_are_answered_with_data_or_a_code(shared, kind, name):
    for harm in TEXTS:
        query, variables = operation(kind, name, harm)
        answer = shared.answer(query, variables)

        for error in answer.get("errors", ()):
            assert error["extensions"]["code"] != "A9000", (harm, error)
            assert "Traceback" not in str(error)
            assert len(str(error)) < 40_000


@pytest.mark.parametrize(
    "content",
    [
        b'{"query": "query ($a: ID!) { node(id: $a) { id } }", "variables": {"a": "\\ud800"}}',
        b'{"query": "{ why(asset: \\"\\\\ud800\\") { asset } }"}',
    ],
)
def test_half_a_character_is_no_text(shared, content):
    headers = {"Content-Type": "application/json"}
    answer = shared.post("/graphql", content=content, headers=headers).json()

    assert (answer.get("code") or answer["errors"][0]["extensions"]["code"]) == "A8105"


ROLES = {
    name: re.search(r"Takes the role `(\w+)`", field.description or "")
    for name, field in SCHEMA.mutation_type.fields.items()
}


def test_every_mutation_says_which_role_it_takes():
    assert [name for name, found in ROLES.items() if found is None] == []


@pytest.mark.parametrize(
    ("role", "beyond"), [("viewer", {"runner", "admin"}), ("runner", {"admin"})]
)
def test_no_mutation_is_for_a_lesser_role_than_it_says(api, project, role, beyond):
    made = create_token(
        project.services.database, name="ann", role=role, life="1d", clock=SystemClock()
    )
    headers = {"Authorization": f"Bearer {made.text}"}
    refused = set()
    for name in ROLES:
        query, variables = operation("mutation", name, "empty")
        answer = api.answer(query, variables, headers=headers)
        codes = {each["extensions"]["code"] for each in answer.get("errors", ())}
        assert "A8105" not in codes, (name, answer)
        refused.update({name} if "A8108" in codes else ())

    lines = api.ask("{ audit(first: 1000) { nodes { action result } } }")["audit"]["nodes"]

    assert refused == {name for name, found in ROLES.items() if found[1] in beyond}
    assert {line["action"] for line in lines} == set(ROLES)
    assert {line["action"] for line in lines if line["result"] == "A8108"} == refused
