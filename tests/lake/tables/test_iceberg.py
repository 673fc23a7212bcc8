# SPDX-License-Identifier: Apache-2.0
"""The Iceberg projection: what other readers see at every snapshot, and which files are written."""

import datetime as dt
import shutil
from decimal import Decimal, localcontext
from pathlib import Path

import fastavro
import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg import conversions
from pyiceberg.table import StaticTable
from pyiceberg.types import DecimalType

from mainstem.lake.iceberg import metadata_files, write_metadata
from mainstem.lake.iceberg.avro import avro_name
from mainstem.lake.iceberg.binary import encode
from mainstem.lake.schema_edit import drop_column, promote_column, rename_column
from mainstem.types import LayoutColumn, Primitive


def rows(*ids, **more):
    return pa.table(
        {"id": pa.array(ids, pa.int32()), "v": [f"v{number}" for number in ids], **more}
    )


def read(metadata, where="", snapshot=None):
    table = StaticTable.from_metadata(metadata)
    scan = (
        table.scan(row_filter=where, snapshot_id=snapshot)
        if where
        else table.scan(snapshot_id=snapshot)
    )
    return scan.to_arrow()


def ids(table):
    return sorted(table.column("id").to_pylist())


def written(lab):
    folder = Path(lab.warehouse, lab.state.location, "metadata")
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_writing_twice_writes_nothing(lab):
    lab.write("append", rows(1))
    first = lab.metadata()
    before = written(lab)

    assert lab.metadata() == first
    assert written(lab) == before


def test_it_depends_on_the_state_alone(lab):
    lab.write("append", rows(1), partition_by=[LayoutColumn(column="v")])
    path = Path(lab.metadata())
    contents = {own: (path.parent / own).read_bytes() for own in written(lab)}
    shutil.rmtree(path.parent)

    assert Path(lab.metadata()) == path
    assert {own: (path.parent / own).read_bytes() for own in written(lab)} == contents


def test_an_append_adds_one_manifest_one_list_and_the_metadata(lab):
    for number in range(3):
        lab.write("append", rows(number))
    lab.metadata()
    before = set(written(lab))

    lab.write("append", rows(3))
    lab.metadata()

    assert len(set(written(lab)) - before) == 3


def test_all_files_it_names_are_known(lab):
    for number in range(12):
        lab.write("append", rows(number))
    path = lab.metadata()

    named = metadata_files(lab.state, lab.manifests, lab.warehouse)

    folder = Path(path).parent.relative_to(lab.warehouse).as_posix()
    assert named == {f"{folder}/{name}" for name in written(lab)}


def test_a_manifest_is_shared_by_branches_that_list_it(lab):
    lab.write("append", rows(1))
    lab.branch("base")
    lab.branch("dev")
    lab.write("append", rows(2))
    lab.write("append", rows(3), branch="dev")
    lab.metadata()
    lab.metadata("dev")
    manifests = {name for name in written(lab) if name.endswith("-m0.avro")}

    lab.merge("dev", "base", ours=["append"], theirs=["append"])

    assert ids(read(lab.metadata())) == [1, 2, 3]
    assert {name for name in written(lab) if name.endswith("-m0.avro")} == manifests


def test_a_warehouse_that_was_moved_is_written_for_its_new_place(lab, tmp_path):
    lab.write("append", rows(1, 2))
    old = lab.metadata()
    moved = tmp_path.parent / f"{tmp_path.name}-moved"
    shutil.move(tmp_path, moved)

    new = write_metadata(lab.state, lab.manifests, str(moved))

    assert Path(new).name != Path(old).name
    assert ids(read(new)) == [1, 2]


def test_every_kept_snapshot_can_be_read_as_it_was(lab):
    expected = {}
    lab.write("append", rows(0), partition_by=[LayoutColumn(column="id")])
    for number in range(1, 30):
        match number % 5:
            case 0:
                lab.write("upsert", rows(number - 1, number), on=["id"])
            case 1:
                lab.write("delete", rows(number - 1).select(["id"]), on=["id"])
            case 2:
                lab.write("overwrite", rows(*range(number)), partition_by=[])
            case _:
                lab.write("append", rows(number))
        expected[lab.state.snapshot_id] = ids(lab.rows())
    metadata = lab.metadata()

    kept = [snapshot.snapshot_id for snapshot in lab.state.snapshots]
    assert len(kept) == 20
    assert {own: ids(read(metadata, snapshot=own)) for own in kept} == {
        own: expected[own] for own in kept
    }


def test_snapshots_whose_files_have_forgotten_schemas_can_be_read(lab):
    lab.write("append", rows(1))
    lab.write("append", rows(2, w=pa.array(["x"])))
    for number in range(3, 22):
        lab.write("append", rows(number))
    lab.write("overwrite", pa.table({"id": [99]}))
    metadata = lab.metadata()

    oldest = lab.state.snapshots[0].snapshot_id

    assert 0 not in {schema.schema_id for schema in lab.state.schemas}
    assert ids(read(metadata, snapshot=oldest)) == [1, 2, 3]


def test_bounds_of_a_promoted_column_prune_right_before_and_after(lab):
    decimals = pa.array([1, 2], pa.decimal128(5, 2))
    floats = pa.array([1.5, 2.5], pa.float32())
    lab.write("append", rows(1, 2, d=decimals, f=floats), partition_by=[LayoutColumn(column="id")])
    old = lab.state.snapshot_id
    for name, to in (("id", "long"), ("d", "decimal(30,2)"), ("f", "double")):
        lab.evolve(promote_column(lab.state.schema, name, Primitive(to), lab.allocator))
    evolved_only = lab.metadata()
    wide = [pa.int64(), pa.string(), pa.decimal128(30, 2), pa.float64()]
    values = [pa.array([own], of) for own, of in zip([2**40, "x", None, 9.5], wide, strict=True)]
    lab.write("append", pa.table(values, names=["id", "v", "d", "f"]))
    metadata = lab.metadata()

    assert ids(read(evolved_only, "id >= 2")) == [2]
    assert ids(read(metadata, "id >= 2")) == [2, 2**40]
    assert ids(read(metadata, "id < 2")) == [1]
    assert ids(read(metadata, "d > 1.00")) == [2]
    assert ids(read(metadata, "f > 1.5")) == [2, 2**40]
    assert ids(read(metadata, "id = 1", snapshot=old)) == [1]


def test_filters_find_what_they_should_for_every_type(lab):
    number = 500
    table = pa.table(
        {
            "id": range(number),
            "day": [dt.date(1969, 1, 1) + dt.timedelta(days=n) for n in range(number)],
            "at": [dt.datetime(1969, 12, 1) + dt.timedelta(hours=5 * n) for n in range(number)],
            "name": [f"name with a long common start {n:05d}" for n in range(number)],
            "flag": [n % 2 == 0 for n in range(number)],
            "money": pa.array([n - 250 for n in range(number)], pa.decimal128(12, 2)),
        }
    )
    layout = [LayoutColumn(column="at", transform="month"), LayoutColumn(column="flag")]
    lab.write("overwrite", table.slice(0, 300), partition_by=layout)
    lab.write(
        "append", table.slice(300), partition_by=[LayoutColumn(column="day", transform="year")]
    )
    metadata = lab.metadata()

    filters = {
        "day >= '1970-02-01'": [n for n in range(number) if n >= 396],
        "at < '1969-12-02T00:00:00'": range(5),
        "name = 'name with a long common start 00123'": [123],
        "name > 'name with a long common start 00497'": [498, 499],
        "flag = true and id < 7": [0, 2, 4, 6],
        "money = -250.00": [0],
        "at = '1970-01-01T00:00:00'": [n for n in range(number) if 5 * n == 31 * 24],
    }
    for where, expected in filters.items():
        assert ids(read(metadata, where)) == list(expected), where


def test_renamed_and_dropped_columns_are_gone_for_others_too(lab):
    lab.write("append", rows(1))
    lab.evolve(rename_column(lab.state.schema, "v", "w", lab.allocator))
    lab.evolve(drop_column(lab.state.schema, "w", lab.allocator))
    lab.write("append", rows(2))

    assert read(lab.metadata()).sort_by("id").to_pylist() == [
        {"id": 1, "v": None},
        {"id": 2, "v": "v2"},
    ]


def test_a_table_without_rows_can_be_read(lab):
    lab.write("overwrite", rows())

    assert read(lab.metadata()).num_rows == 0


@pytest.mark.parametrize("name", ["a b", "ä", "1st", "a.b", "a-b", 'q"uote'])
def test_layouts_of_columns_with_any_name_can_be_read(lab, name):
    lab.write("append", pa.table({name: ["x", "y"]}), partition_by=[LayoutColumn(column=name)])

    assert sorted(read(lab.metadata()).column(0).to_pylist()) == ["x", "y"]


def test_names_are_made_fit_for_avro_as_icebergs_java_does():
    assert [avro_name(name) for name in ("ok_1", "1st", "a b", "ä", "-x")] == [
        "ok_1",
        "_1st",
        "a_x20b",
        "_xE4",
        "_x2Dx",
    ]


def test_what_must_survive_is_in_the_files(lab):
    lab.write("append", rows(1), row_key=["id"])
    metadata = orjson.loads(Path(lab.metadata()).read_bytes())
    snapshot = metadata["snapshots"][-1]
    with Path(snapshot["manifest-list"]).open("rb") as file:
        (listed,) = fastavro.reader(file)
    with Path(listed["manifest_path"]).open("rb") as file:
        reader = fastavro.reader(file)
        (entry,) = reader

    assert metadata["format-version"] == 2
    assert snapshot["summary"]["operation"] == "append"
    assert listed["sequence_number"] == snapshot["sequence-number"]
    assert (entry["status"], entry["snapshot_id"], entry["sequence_number"]) == (1, None, None)
    assert orjson.loads(reader.metadata["schema"])["fields"][0]["name"] == "id"


def test_a_write_that_died_leaves_nothing_that_is_taken_for_whole(lab, monkeypatch):
    lab.write("append", rows(1))
    replaced = Path.replace

    def dies(self, target):
        if str(target).endswith(".metadata.json"):
            raise KeyboardInterrupt
        return replaced(self, target)

    monkeypatch.setattr(Path, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        lab.metadata()
    monkeypatch.undo()

    assert ids(read(lab.metadata())) == [1]


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_partition_of_a_decimal_has_all_its_digits(lab, sign):
    values = pa.array([Decimal(sign + "9" * 36 + ".99")], pa.decimal128(38, 2))
    lab.write("append", pa.table({"d": values}), partition_by=[LayoutColumn(column="d")])

    assert read(lab.metadata(), f"d = {values[0]}").num_rows == 1


@given(value=st.integers(-(10**38) + 1, 10**38 - 1))
def test_decimals_are_written_as_pyiceberg_writes_them(value):
    theirs = conversions.to_bytes(DecimalType(38, 0), conversions_decimal(value))

    assert encode(value, Primitive("decimal(38,0)")) == theirs


def conversions_decimal(value):
    with localcontext(prec=50):
        return Decimal(value)


def test_a_layout_whose_column_is_gone_is_shown_without_it(lab):
    lab.write(
        "append", rows(1, 2), partition_by=[LayoutColumn(column="v"), LayoutColumn(column="id")]
    )
    lab.write("append", rows(3), partition_by=[])
    lab.evolve(drop_column(lab.state.schema, "v", lab.allocator, spec=lab.state.spec))
    metadata = lab.metadata()

    specs = orjson.loads(Path(metadata).read_bytes())["partition-specs"]

    assert [[field["name"] for field in spec["fields"]] for spec in specs] == [["id"], []]
    assert ids(read(metadata, "id = 2")) == [2]


def test_a_layout_gives_up_its_name_to_a_new_column(lab):
    lab.write("append", rows(1, 2), partition_by=[LayoutColumn(column="v")])
    lab.evolve(rename_column(lab.state.schema, "v", "w", lab.allocator))
    lab.write("append", pa.table({"v": ["new"]}))
    metadata = lab.metadata()

    (spec,) = orjson.loads(Path(metadata).read_bytes())["partition-specs"]

    assert [field["name"] for field in spec["fields"]] == ["v_1000"]
    assert ids(read(metadata, "w = 'v2'")) == [2]
