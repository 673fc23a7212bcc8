# SPDX-License-Identifier: Apache-2.0
"""Operations that mean harm: refused before they cost anything, and nothing of ours is told."""

import asyncio
from importlib.resources import files

import orjson
import pytest
from graphql import GraphQLError, build_schema, get_introspection_query, parse, print_schema
from hypothesis import given, settings
from hypothesis import strategies as st

import mainstem
from mainstem.api import ApiSettings, application, sdl
from mainstem.api.graphql.limits import check_size

LISTS = "{ assets(first: 1000) { nodes { checks { id } } } }"


def refused(query, variables=None, **limits):
    try:
        check_size(parse(query), variables or {}, ApiSettings(**limits))
    except GraphQLError as error:
        return error.original_error.code
    return None


def test_what_screens_ask_is_within_the_limits():
    query = """{ assets(first: 1000) { nodes { key isStale rowCount sizeBytes kind tags owner
      lastStep { run status elapsedSeconds error { code summary } } checks { id last { verdict } }
    } pageInfo { endCursor } } }"""

    assert refused(query) is None


@pytest.mark.parametrize(
    "query",
    [
        "{ a " * 30 + "{ b } " + "}" * 30,
        "{ a " * 150 + "{ b } " + "}" * 150,
        "{ "
        + " ".join(f"a{n}: assets(first: 1000) {{ nodes {{ key kind }} }}" for n in range(100))
        + " }",
        "{ " + "assets { nodes { key } } " * 60 + " }",
        "{ assets(first: 1000) { nodes { " + " ".join(f"a{n}: key" for n in range(400)) + " } } }",
        "{ assets(first: 2147483647) { nodes { key } } }",
        "query ($n: Int!) { assets(first: $n) { nodes { key } } }",
        "{ " + " ".join(f"a{n}: __schema {{ types {{ name }} }}" for n in range(300)) + " }",
        # Each fragment spreads the next one twice: 2^40 fields, measured once each.
        "{ project { ...f0 } } "
        + " ".join(f"fragment f{n} on Project {{ ...f{n + 1} ...f{n + 1} }}" for n in range(40))
        + " fragment f40 on Project { name }",
    ],
)
def test_large_operations_are_refused(query):
    assert refused(query, {"n": 10**9}) == "A8111"


def test_fragments_in_a_circle_are_left_to_validation(api):
    circle = "{ project { ...a } } fragment a on Project { ...b } fragment b on Project { ...a }"

    assert refused(circle) is None
    assert api.refused(circle)["code"] == "A8105"


@pytest.mark.parametrize(
    "query",
    [
        "{ " + "x " * 5000 + "}",
        "{" * 3000,
        "{ a " * 300 + "{ b } " + "}" * 300,
        "{ a(x: " + "[" * 2500 + "]" * 2500 + ") }",
        "{ " + "a @skip(if: true) " * 3000 + "}",
    ],
)
def test_long_documents_are_refused_by_their_words(api, query):
    found = api.answer(query)

    assert found["errors"][0]["extensions"]["code"] in {"A8105", "A8111"}


def test_a_loop_through_introspection_is_refused(api):
    query = "{ __schema { types " + "{ fields { type " * 4 + "{ name }" + " } }" * 4 + " } }"

    assert api.refused(query)["code"] == "A8105"


def test_tools_may_look_at_the_schema(api):
    found = api.ask(get_introspection_query())

    assert found["__schema"]["queryType"]["name"] == "Query"


def post(api, content, **headers):
    given = {"Content-Type": "application/json", **headers}
    return api.post("/graphql", content=content, headers=given)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'[{"query": "{ version { mainstem } }"}]', "A8105"),
        (b'{"query": 5}', "A8105"),
        (b'{"query": ""}', "A8105"),
        (b'{"query": "{ a", "variables": []}', "A8105"),
        (b'{"query": "{ a }", "id": "sha256:x"}', "A8105"),
        (b"{", "A8105"),
        (b"\xff\xfe", "A8105"),
        (b"null", "A8105"),
        (b'{"query": "mutation { __typename } query { a }"}', "A8105"),
        (b'{"query": "{ nothing }"}', "A8105"),
        (b'{"query": "{ version { mainstem } }", "operationName": "x"}', "A8105"),
        (b'{"query": "subscription { runEvents(run: 1) { isOver } }"}', "A8105"),
    ],
)
def test_what_is_no_operation_is_refused(api, content, code):
    answer = post(api, content)
    document = answer.json()

    told = document["errors"][0]["extensions"] if "errors" in document else document
    assert told["code"] == code
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_a_form_can_send_nothing(api, media):
    answer = post(api, b'{"query": "{ version { mainstem } }"}', **{"Content-Type": media})

    assert (answer.status_code, answer.json()["code"]) == (415, "A8106")


def test_a_link_can_change_nothing(api):
    answer = api.get('/graphql?query=mutation{tag(name:"x"){name}}')
    stream = api.get(
        '/graphql?query=mutation{tag(name:"x"){name}}', headers={"Accept": "text/event-stream"}
    )

    assert (answer.status_code, answer.json()["code"]) == (405, "A8112")
    assert "A8105" in stream.text
    assert api.ask("{ tags { name } }") == {"tags": []}


def test_a_foreign_page_can_ask_nothing(api):
    answer = post(api, b'{"query": "{ version { mainstem } }"}', Origin="http://evil.example")

    assert (answer.status_code, answer.json()["code"]) == (403, "A8102")


def test_a_body_that_grows_is_cut_off(served):
    caller = served(max_body_bytes=1000)

    async def chunks():
        for _ in range(100):
            yield b"x" * 100

    async def call():
        async with caller.client() as client:
            return await client.post(
                "/graphql", content=chunks(), headers={"Content-Type": "application/json"}
            )

    answer = asyncio.run(call())

    assert (answer.status_code, answer.json()["code"]) == (413, "A8104")


async def told(client):
    return (await client.get("/metrics")).text


def test_a_slow_answer_is_given_up_and_its_query_interrupted(served, folder):
    (folder / "models/marts/slow.sql").write_text(
        "select count(*) as n from range(1000000) a, range(1000000) b\n"
    )
    with mainstem.open(folder) as project:
        project.run(["marts.slow"])
        caller = served()
        caller.app = application(project, settings=ApiSettings(timeout_s=0.5))

        async def call():
            async with caller.client() as client:
                query = {"query": '{ data(asset: "marts.slow") { rows } }'}
                answers = [
                    await client.post("/graphql", json=query),
                    await client.get("/api/data/marts.slow"),
                ]
                async with asyncio.timeout(60):  # for both threads to be free again
                    while "\nmainstem_api_requests 1\n" not in await told(client):
                        pass
                return answers

        answer, rows = asyncio.run(call())

    assert (answer.status_code, answer.json()["code"]) == (504, "A8109")
    assert (rows.status_code, rows.json()["code"]) == (504, "A8109")


def test_what_fails_inside_a_field_is_not_told(api, project):
    project.services.__dict__["lake"] = "not a lake"

    found = api.answer("{ branches { name } }")

    assert found["errors"][0]["extensions"]["code"] == "A9000"
    assert "attribute" not in orjson.dumps(found).decode()


FIELDS = ["project", "assets", "nodes", "key", "runs", "__typename", "version", "mainstem", "x"]
SELECTIONS = st.recursive(
    st.sampled_from(FIELDS),
    lambda inner: st.builds(
        lambda name, parts, size: f"{name}{size} {{ {' '.join(parts)} }}",
        st.sampled_from(FIELDS),
        st.lists(inner, min_size=1, max_size=3),
        st.sampled_from(["", "(first: 2)", '(after: "eA")', "(first: -1)", '(select: ["+"])']),
    ),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def shared(built_once):
    with mainstem.open(built_once) as project:
        yield project


@settings(deadline=None, max_examples=60)
@given(st.lists(SELECTIONS, min_size=1, max_size=3))
def test_whatever_is_asked_is_answered_with_data_or_with_codes(shared, calling, selections):
    api = calling(application(shared))
    answer = post(api, orjson.dumps({"query": f"{{ {' '.join(selections)} }}"}))
    document = answer.json()

    assert answer.status_code == 200
    for error in document.get("errors", ()):
        assert error["extensions"]["code"] != "A9000"
        assert error["message"]


def test_the_committed_schema_is_the_schema():
    """Run: python -c "from mainstem.api import sdl; print(sdl(), end='')" > .../schema.graphql."""
    assert files("mainstem.api").joinpath("schema.graphql").read_text() == sdl()


def test_every_type_field_and_argument_is_described():
    schema = build_schema(sdl())
    silent = []
    for name, of in schema.type_map.items():
        if name.startswith("__") or name in {"String", "Int", "Float", "Boolean", "ID"}:
            continue
        if not of.description:
            silent.append(name)
        for field_name, found in (getattr(of, "fields", None) or {}).items():
            if not found.description:
                silent.append(f"{name}.{field_name}")
            silent += [
                f"{name}.{field_name}({argument})"
                for argument, given in (getattr(found, "args", None) or {}).items()
                if not given.description
            ]

    assert silent == []
    assert print_schema(schema)
