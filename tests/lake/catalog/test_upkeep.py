# SPDX-License-Identifier: Apache-2.0
"""Verification finds damage; sweeping takes what nothing leads to, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mainstem.errors import StorageFailed
from mainstem.types import AssetKey

KEY = AssetKey.parse("raw.flights")
WEEK = 7 * 24 * 3600 + 1


def _make_files(lake, paths, size=100):
    for path in paths:
        Path(lake.warehouse, path).write_bytes(b"x" * size)


def _here(lake):
    root = Path(lake.warehouse)
    return {str(path.relative_to(root)) for path in root.rglob("*.parquet")}


def _written(lake, author, key, on="main"):
    change = author.change(key, on=on)
    paths = [file.path for file in change.added]
    _make_files(lake, paths)
    lake.commit(on, [change], message="w")
    return set(paths)


def test_a_whole_lake_has_no_damage(lake, author):
    _written(lake, author, "raw.flights")
    author.view("m.v", "select 1")
    author.cursor("raw.flights", {"at": 1})

    assert lake.verify("main") == []


def test_missing_and_truncated_files_are_found(lake, author):
    gone, short = _written(lake, author, "raw.a"), _written(lake, author, "raw.b")
    Path(lake.warehouse, *gone).unlink()
    _make_files(lake, short, size=7)

    assert [(damage.what, str(damage.key)) for damage in lake.verify("main")] == [
        ("missing", "raw.a"),
        ("truncated", "raw.b"),
    ]


def test_a_corrupt_object_is_found_and_never_read_as_data(lake, author):
    author.write("raw.flights")
    content = bytes.fromhex(lake.entry(KEY).content)
    with lake.database.write() as transaction:
        [(body,)] = transaction.execute("select body from lake_object where hash = ?", (content,))
        transaction.execute(
            "update lake_object set body = ? where hash = ?",
            (body.replace(b"name", b"nome"), content),
        )
    again = type(lake).open(lake.database, lake.warehouse, clock=lake.clock)

    assert [damage.what for damage in lake.verify("main")] == ["corrupt"]
    with pytest.raises(StorageFailed) as caught:
        again.relation(KEY)
    assert caught.value.code == "A5009"


def test_a_corrupt_trie_is_reported(lake, author):
    author.write("raw.flights")
    with lake.database.write() as transaction:
        transaction.execute(
            "delete from lake_object where hash = ?", (bytes.fromhex(lake.resolve("main").root),)
        )

    assert [damage.what for damage in lake.verify("main")] == ["corrupt"]


def test_a_sweep_leaves_all_that_refs_lead_to(lake, author, clock):
    kept = _written(lake, author, "raw.flights")
    lake.tag("v1")
    change = author.change("raw.flights", "overwrite")
    _make_files(lake, [file.path for file in change.added])
    lake.commit("main", [change], message="o")
    kept |= {file.path for file in change.added}
    clock.sleep(WEEK)
    swept = lake.sweep(dry_run=False)

    assert (swept.files, swept.commits, swept.objects) == ((), 0, 0)
    assert _here(lake) == kept
    assert author.rows("raw.flights", "v1") == 10


def test_files_of_a_dead_attempt_go_when_their_time_has_come(lake, author, clock):
    kept = _written(lake, author, "raw.flights")
    dead = {file.path for file in author.change("raw.flights", files=3).added}
    _make_files(lake, dead)
    young = lake.sweep(dry_run=False)
    clock.sleep(WEEK)
    told = lake.sweep()
    here = _here(lake)
    swept = lake.sweep(dry_run=False)

    assert young.files == ()
    assert (set(told.files), told.size_bytes, told.is_dry_run) == (dead, 300, True)
    assert here == kept | dead
    assert (set(swept.files), _here(lake)) == (dead, kept)
    assert lake.sweep(dry_run=False).files == ()


def test_a_deleted_branch_goes_after_the_grace_time(lake, author, clock):
    lake.create_branch("dev")
    own = _written(lake, author, "raw.flights", on="dev")
    clock.sleep(WEEK)
    lake.delete_branch("dev")
    soon = lake.sweep(dry_run=False)
    clock.sleep(WEEK)
    late = lake.sweep(dry_run=False)

    assert (soon.files, soon.commits) == ((), 0)
    assert (set(late.files), late.commits) == (own, 1)
    assert _here(lake) == set()
    assert lake.verify("main") == []


def test_an_expired_branch_goes_by_itself(lake, author, clock):
    lake.create_branch("run/1", expires_at=clock.now() + timedelta(days=14))
    _written(lake, author, "raw.flights", on="run/1")
    clock.sleep(8 * 24 * 3600)
    early = lake.sweep(dry_run=False)
    clock.sleep(8 * 24 * 3600)
    late = lake.sweep(dry_run=False)

    assert (early.branches, late.branches) == ((), ("run/1",))
    assert [ref.name for ref in lake.refs()] == ["main"]


def test_what_is_to_be_linked_is_kept(lake, author, clock):
    lake.create_branch("dev")
    own = _written(lake, author, "raw.flights", on="dev")
    content = lake.entry(KEY, "dev").content
    lake.delete_branch("dev")
    clock.sleep(3 * WEEK)
    swept = lake.sweep(dry_run=False, keep=[content])

    assert (swept.files, swept.commits, _here(lake)) == ((), 1, own)


def test_a_swept_lake_goes_on(lake, author, clock):
    _written(lake, author, "raw.flights")
    lake.create_branch("dev")
    _written(lake, author, "raw.flights", on="dev")
    lake.delete_branch("dev")
    clock.sleep(3 * WEEK)
    lake.sweep(dry_run=False)
    again = type(lake).open(lake.database, lake.warehouse, clock=clock)
    _written(again, author, "raw.flights")

    assert (again.verify("main"), author.rows("raw.flights")) == ([], 20)
