# SPDX-License-Identifier: Apache-2.0
"""Metadata for Iceberg readers goes when no ref leads to it, and never under a reader's feet."""

import os
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.table import StaticTable

from mainstem.types import AssetKey

T = AssetKey.parse("raw.t")
LONG_AGO = timedelta(days=30)


@pytest.fixture
def lake(lake):
    lake.append(T, pa.table({"n": [1]}))
    return lake


def _metadata(lake):
    return {path.name for path in Path(lake.warehouse).rglob("metadata/*")}


def _age(lake, by=LONG_AGO):
    """Let everything on disk have been written long ago, as the lake's clock sees it."""
    when = (lake.clock.now() - by).timestamp()
    for path in Path(lake.warehouse).rglob("metadata/*"):
        os.utime(path, (when, when))


def _rows(path):
    return StaticTable.from_metadata(path).scan().to_arrow()["n"].to_pylist()


def test_metadata_of_versions_before_goes_and_that_of_now_stays(lake, clock):
    old = lake.metadata_path(T)
    clock.sleep(LONG_AGO.total_seconds())
    lake.overwrite(T, pa.table({"n": [2]}))
    new = lake.metadata_path(T)
    _age(lake)
    told = lake.sweep()
    clock.sleep(LONG_AGO.total_seconds())
    _age(lake)
    swept = lake.sweep(dry_run=False)

    assert old.rpartition("/")[2] not in {path.rpartition("/")[2] for path in told.files}
    assert not Path(old).exists()
    assert _rows(new) == [2]
    assert swept.size_bytes > 0
    assert old.removeprefix(f"{lake.warehouse}/") in swept.files


def test_young_metadata_stays_whatever_it_is_of(lake, clock):
    lake.metadata_path(T)
    clock.sleep(LONG_AGO.total_seconds())
    lake.overwrite(T, pa.table({"n": [2]}))
    before = _metadata(lake)
    for path in Path(lake.warehouse).rglob("metadata/*"):
        os.utime(path, (clock.now().timestamp(),) * 2)

    swept = lake.sweep(dry_run=False)

    assert [path for path in swept.files if "metadata" in path] == []
    assert _metadata(lake) == before


def test_a_path_that_is_asked_for_again_is_made_again(lake, clock):
    lake.tag("v1")
    path = lake.metadata_path(T)
    clock.sleep(LONG_AGO.total_seconds())
    lake.overwrite(T, pa.table({"n": [2]}))
    lake.delete_tag("v1")
    commit = lake.resolve("main~1").id
    clock.sleep(LONG_AGO.total_seconds())
    _age(lake)
    lake.sweep(dry_run=False)
    gone = not Path(path).exists()

    again = lake.metadata_path(T, commit)

    assert gone
    assert again == path
    assert _rows(again) == [1]


def test_what_new_metadata_names_of_the_old_is_young_again(lake, clock):
    lake.metadata_path(T)
    _age(lake)
    lake.append(T, pa.table({"n": [2]}))
    path = lake.metadata_path(T)

    cutoff = lake.clock.now().timestamp() - 86_400
    named = list(Path(path).parent.glob("*.avro"))
    assert named
    assert all(file.stat().st_mtime > cutoff for file in named)


def test_metadata_of_a_dropped_table_goes(lake, clock):
    lake.metadata_path(T)
    lake.drop(T)
    clock.sleep(LONG_AGO.total_seconds())
    _age(lake, LONG_AGO * 2)

    lake.sweep(dry_run=False)

    assert _metadata(lake) == set()


def _appended_by_publish(lake, rows):
    if "run" not in {ref.name for ref in lake.refs()}:
        lake.create_branch("run")
    lake.append(T, pa.table({"n": rows}), branch="run")
    lake.publish("run", "main", [T], message="run")
    lake.delete_branch("run")
    return StaticTable.from_metadata(lake.metadata_path(T))


def test_what_a_run_appended_is_an_append_to_other_readers(lake):
    before = StaticTable.from_metadata(lake.metadata_path(T)).current_snapshot()
    table = _appended_by_publish(lake, [2, 3])

    snapshot = table.current_snapshot()
    added = [
        one for one in snapshot.manifests(table.io) if one.added_snapshot_id == snapshot.snapshot_id
    ]
    assert snapshot.summary.operation.value == "append"
    assert snapshot.parent_snapshot_id == before.snapshot_id
    assert snapshot.summary["added-records"] == "2"
    assert sum(one.added_rows_count for one in added) == 2
    assert sorted(table.scan().to_arrow()["n"].to_pylist()) == [1, 2, 3]


def test_appends_stay_appends_when_manifests_are_folded(lake):
    operations = set()
    for number in range(20):
        table = _appended_by_publish(lake, [number])
        operations.add(table.current_snapshot().summary.operation.value)
        assert table.current_snapshot().summary["added-records"] == "1"

    assert operations == {"append"}
    assert len(table.scan().to_arrow()) == 21


def test_what_replaces_rows_is_no_append(lake):
    lake.create_branch("run")
    lake.overwrite(T, pa.table({"n": [9]}), branch="run")
    lake.publish("run", "main", [T], message="run")

    table = StaticTable.from_metadata(lake.metadata_path(T))
    summary = table.current_snapshot().summary
    assert summary.operation.value == "overwrite"
    assert (summary["added-records"], summary["added-data-files"]) == ("1", "1")
    assert int(summary["deleted-records"]) > 0
