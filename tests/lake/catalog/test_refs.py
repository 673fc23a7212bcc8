# SPDX-License-Identifier: Apache-2.0
"""Branches and tags, the expressions that find commits, and the log."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest

from mainstem.errors import BranchConflict, RefNotFound, SelectionInvalid
from mainstem.types import AssetKey

KEY = AssetKey.parse("raw.flights")


def test_a_new_lake_has_an_unprotected_main_with_one_empty_commit(lake):
    main = lake.ref("main")

    assert (main.kind, main.protected, lake.entries("main")) == ("branch", False, {})
    assert [commit.message for commit in lake.log("main")] == ["lake created"]


def test_opening_a_lake_again_finds_what_was_there(lake, author, tmp_path, clock):
    author.write("raw.flights")
    again = type(lake).open(lake.database, lake.warehouse, clock=clock)

    assert list(again.entries("main")) == [KEY]


def test_a_branch_starts_where_it_was_told_and_moves_alone(lake, author):
    author.write("raw.flights")
    lake.create_branch("dev")
    author.write("raw.flights", on="dev")

    assert (author.rows("raw.flights", "dev"), author.rows("raw.flights")) == (20, 10)


def test_a_taken_name_is_refused(lake):
    lake.tag("v1")
    with pytest.raises(BranchConflict) as caught:
        lake.create_branch("v1")

    assert caught.value.code == "A5012"


@pytest.mark.parametrize("name", ["", "a b", "-x", "a//b", "a@b", "x~1", "a..b", "ä", "a/"])
def test_a_name_that_could_not_be_told_from_an_expression_is_refused(lake, name):
    with pytest.raises(SelectionInvalid) as caught:
        lake.create_branch(name)

    assert caught.value.code == "A5014"


def test_an_unknown_branch_names_the_nearest(lake):
    lake.create_branch("dev/alice")
    with pytest.raises(RefNotFound) as caught:
        lake.entries("dev/alcie")

    assert caught.value.known[0] == "dev/alice"


def test_main_and_protected_branches_cannot_be_deleted(lake):
    lake.create_branch("prod", protected=True)
    for name in ("main", "prod"):
        with pytest.raises(BranchConflict) as caught:
            lake.delete_branch(name)
        assert caught.value.code == "A5013"


def test_a_tag_is_not_a_branch(lake):
    lake.tag("v1")
    with pytest.raises(RefNotFound) as caught:
        lake.delete_branch("v1")

    assert caught.value.code == "A5011"


def test_a_deleted_branch_can_be_made_again_from_its_commit(lake, author):
    lake.create_branch("dev")
    made = author.write("raw.flights", on="dev")
    lake.delete_branch("dev")
    lake.create_branch("dev", at=made.id)

    assert author.rows("raw.flights", "dev") == 10


def test_a_sealed_branch_takes_nothing_and_gives_no_branch(lake, author):
    lake.create_branch("run/1")
    lake.seal("run/1")
    with pytest.raises(BranchConflict) as written:
        author.write("raw.flights", on="run/1")
    with pytest.raises(BranchConflict) as branched:
        lake.create_branch("x", at="run/1")
    with pytest.raises(BranchConflict) as merged:
        lake.merge("run/1", "main")

    assert {e.value.code for e in (written, branched, merged)} == {"A5032"}


def test_expressions_find_commits_by_name_id_and_way_back(lake, author):
    first, second = author.write("raw.a"), author.write("raw.b")
    lake.tag("v1", at=first.id)

    for expression in ("v1", first.id, first.id[:8], f"main@{first.id[:8]}", "main~1", "main~"):
        assert lake.resolve(expression).id == first.id
    assert lake.resolve("v1~1").message == "lake created"
    assert lake.resolve(" main ").id == second.id


def test_expressions_find_commits_by_time(lake, author, clock):
    first = author.write("raw.a")  # 10:01
    author.write("raw.b")  # 10:02

    for expression in (
        "main@2026-01-31T10:01",
        "2026-01-31 10:01:30",
        "2026-01-31T11:01:30+01:00",
        "@2026-01-31T10:01",
    ):
        assert lake.resolve(expression).id == first.id


def test_a_time_before_a_branch_is_looked_up_in_what_it_was_made_from(lake, author, clock):
    first = author.write("raw.a")
    author.write("raw.b")
    clock.sleep(3600)
    lake.create_branch("dev")

    assert lake.resolve("dev@2026-01-31T10:01").id == first.id


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("mian", "A5010"),
        ("deadbeef", "A5010"),
        ("main@deadbeef", "A5010"),
        ("main~99", "A5015"),
        ("2025-01-01", "A5018"),
        ("main@2026-13-01", "A5020"),
        ("", "A5010"),
    ],
)
def test_what_cannot_be_found_says_so(lake, expression, code):
    with pytest.raises((RefNotFound, SelectionInvalid)) as caught:
        lake.resolve(expression)

    assert caught.value.code == code


def test_a_commit_of_another_branch_is_not_in_a_branchs_history(lake, author):
    lake.create_branch("dev")
    made = author.write("raw.a", on="dev")
    with pytest.raises(RefNotFound) as caught:
        lake.resolve(f"main@{made.id[:8]}")

    assert caught.value.code == "A5016"


def test_the_log_is_newest_first_and_follows_one_key(lake, author):
    author.write("raw.a")
    author.write("raw.b")
    author.write("raw.a")

    assert [c.message for c in lake.log("main", limit=2)] == ["append raw.a", "append raw.b"]
    assert len(lake.log("main", key=AssetKey.parse("RAW.A"))) == 2


def test_a_commits_id_is_the_hash_of_all_it_says(lake, author):
    one = author.write("raw.a")
    with lake.writing() as catalog:
        execute = catalog.transaction.execute
        [(body,)] = execute("select body from lake_commit where id = ?", (one.id,))
        execute(
            "update lake_commit set body = ? where id = ?", (body.replace(b"app", b"aqq"), one.id)
        )
    again = type(lake).open(lake.database, lake.warehouse, clock=lake.clock)
    with pytest.raises(Exception, match="not what was written") as caught:
        again.resolve(one.id)

    assert caught.value.code == "A5009"


def test_time_never_goes_back_within_a_history(lake, author, clock):
    before = author.write("raw.a")
    clock.time -= timedelta(days=1)
    after = author.write("raw.a")

    assert after.created_at >= before.created_at


_LOOKS = """
import sys
from mainstem.database import open_database
from mainstem.lake import Lake
from mainstem.types import SystemClock
lake = Lake.open(open_database(sys.argv[1]), sys.argv[2], clock=SystemClock())
assert len(lake.entries("main")) == 1
heavy = {"pyarrow", "fastavro", "duckdb", "pydantic", "sqlglot", "numpy"} & set(sys.modules)
sys.exit(",".join(sorted(heavy)) or None)
"""


def test_reading_entries_imports_nothing_heavy(lake, author):
    author.write("raw.flights")
    looked = subprocess.run(
        [sys.executable, "-c", _LOOKS, lake.database.url, lake.warehouse],
        capture_output=True,
        check=False,
        text=True,
    )

    assert (looked.returncode, looked.stderr) == (0, "")
