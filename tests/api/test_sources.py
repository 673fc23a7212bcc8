# SPDX-License-Identifier: Apache-2.0
"""Sources through the API: what was loaded of files, what waits, and which commit brought it."""

import pytest

import mainstem
from mainstem.api import application

SOURCE = """{ sources { nodes { id name path patterns format write mode summary isFresh pendingCount
  pendingBytes loadedAt problem { code } asset { key rowCount freshness { promise status } }
  files { nodes { name state sizeBytes digest isPending modifiedAt } totalCount } } } }"""
LOADS = """query ($asset: String!, $first: Int!) { sourceLoads(asset: $asset, first: $first) {
  commit { id run } files fileCount removed rowCount rowCountBefore dataVersion } }"""


@pytest.fixture
def growing(folder, calling):
    """A source of many files whose rows are appended, loaded once."""
    (folder / "ingest/shop.yml").write_text(
        "type: files\npath: data/\ninto: raw\ntables:\n  orders: orders.csv\n"
        "  clicks: {files: 'clicks-*.csv', write: append, freshness: {within: 6h}}\n"
    )
    for day in ("a", "b"):
        (folder / f"data/clicks-{day}.csv").write_text(f"id\n1{day}\n2{day}\n")
    with mainstem.open(folder) as project:
        assert project.problems == ()
        project.run(["raw.clicks"])
        yield calling(application(project)), project


def told(api, key):
    return next(each for each in api.ask(SOURCE)["sources"]["nodes"] if each["asset"]["key"] == key)


def test_what_was_loaded_is_told_file_by_file(api):
    found = told(api, "raw.orders")

    assert (found["id"], found["name"]) == ("source:raw.orders", "shop")
    assert (found["path"], found["patterns"]) == ("data/", ["orders.csv"])
    assert (found["mode"], found["isFresh"], found["pendingCount"]) == ("NOTHING", True, 0)
    assert found["asset"] == {"key": "raw.orders", "rowCount": 3, "freshness": None}
    assert found["loadedAt"] is not None
    (file,) = found["files"]["nodes"]
    assert (file["name"], file["state"], file["isPending"]) == ("data/orders.csv", "LOADED", False)
    assert len(file["digest"]) == 64
    assert file["modifiedAt"].endswith("Z")


def test_files_that_wait_changed_or_went_are_told_apart(growing, folder):
    api, _project = growing
    (folder / "data/clicks-c.csv").write_text("id\n1c\n")
    (folder / "data/clicks-a.csv").unlink()

    found = told(api, "raw.clicks")

    assert {file["name"][-5]: file["state"] for file in found["files"]["nodes"]} == {
        "a": "GONE",
        "b": "LOADED",
        "c": "NEW",
    }
    assert (found["mode"], found["pendingCount"], found["pendingBytes"]) == ("ADD", 1, 6)
    assert found["asset"]["freshness"] == {"promise": "within 6h", "status": "FRESH"}


def test_a_file_that_changed_under_append_is_a_problem(growing, folder):
    api, _project = growing
    (folder / "data/clicks-a.csv").write_text("id\n1a\n2a\n3a\n")

    found = told(api, "raw.clicks")

    assert (found["problem"]["code"], found["isFresh"]) == ("A3012", False)


def test_files_come_in_pages_and_by_state(growing, folder):
    api, _project = growing
    for number in range(5):
        (folder / f"data/clicks-n{number}.csv").write_text("id\n9\n")
    query = (
        'query ($after: String) { sources(select: ["raw.clicks"]) { nodes { files(first: 2, after:'
        " $after, state: [NEW]) { nodes { name } totalCount pageInfo { endCursor } } } } }"
    )
    first = api.ask(query)["sources"]["nodes"][0]["files"]
    second = api.ask(query, {"after": first["pageInfo"]["endCursor"]})["sources"]["nodes"][0][
        "files"
    ]

    assert first["totalCount"] == 5
    assert [each["name"][-6:-4] for each in first["nodes"]] == ["n0", "n1"]
    assert [each["name"][-6:-4] for each in second["nodes"]] == ["n2", "n3"]


def test_sources_come_in_pages(growing):
    api, _project = growing
    query = (
        "query ($after: String) { sources(first: 1, after: $after) "
        "{ nodes { asset { key } } totalCount pageInfo { endCursor } } }"
    )
    first = api.ask(query)["sources"]
    second = api.ask(query, {"after": first["pageInfo"]["endCursor"]})["sources"]

    assert first["totalCount"] == 2
    assert [each["nodes"][0]["asset"]["key"] for each in (first, second)] == [
        "raw.clicks",
        "raw.orders",
    ]


def test_each_load_says_which_files_brought_how_many_rows(growing, folder):
    api, project = growing
    (folder / "data/clicks-c.csv").write_text("id\n1c\n")
    second = project.run(["raw.clicks"])

    found = api.ask(LOADS, {"asset": "raw.clicks", "first": 20})["sourceLoads"]

    assert [each["commit"]["run"] for each in found] == [second.run_id, second.run_id - 1]
    assert [each["files"] for each in found] == [
        ["data/clicks-c.csv"],
        ["data/clicks-a.csv", "data/clicks-b.csv"],
    ]
    assert [(each["rowCountBefore"], each["rowCount"]) for each in found] == [(4, 5), (0, 4)]
    (last,) = api.ask(LOADS, {"asset": "raw.clicks", "first": 1})["sourceLoads"]
    assert last == found[0]


def test_a_source_that_cannot_be_read_says_why_and_the_others_are_told(growing, folder):
    api, _project = growing
    (folder / "data/orders.csv").unlink()

    found = {each["asset"]["key"]: each for each in api.ask(SOURCE)["sources"]["nodes"]}

    assert found["raw.orders"]["problem"]["code"] == "A3010"
    assert found["raw.clicks"]["problem"] is None


def test_secrets_in_paths_are_not_told(folder, calling):
    (folder / ".env").write_text("PASSWORD=correct-horse-battery\n")
    (folder / "ingest/shop.yml").write_text(
        "type: files\npath: 'data/${PASSWORD}/'\ninto: raw\ntables:\n  orders: orders.csv\n"
    )
    with mainstem.open(folder) as project:
        found = calling(application(project)).ask(SOURCE)

    assert found["sources"]["nodes"][0]["path"] == "data/${PASSWORD}/"
    assert "correct-horse" not in str(found)


@pytest.mark.parametrize(
    ("asset", "first", "code"),
    [
        ("raw.nothing", 5, "A2003"),
        ("../../etc/passwd", 5, "A2003"),
        ("raw.orders\0", 5, "A2003"),
        ("x" * 100_000, 5, "A2003"),
        ("raw.orders", 0, "A8113"),
        ("raw.orders", 101, "A8113"),
    ],
)
def test_loads_of_what_is_not_there_or_too_many_are_refused(api, asset, first, code):
    found = api.refused(LOADS, {"asset": asset, "first": first})

    assert found["code"] == code
    assert len(found["summary"]) < 3_000
