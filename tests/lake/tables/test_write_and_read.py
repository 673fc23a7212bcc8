# SPDX-License-Identifier: Apache-2.0
"""Arrow in, data files, Arrow out: types, sizes, statistics, and what goes wrong with disks."""

import datetime as dt
import decimal
import errno
import os
import subprocess
import sys
import uuid
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mainstem.errors import AssetNotFound, ContractBroken, SchemaDrifted, StorageFailed
from mainstem.lake.arrow_types import arrow_schema, schema_of_arrow
from mainstem.lake.reader import read_arrow, read_batches
from mainstem.lake.writer import write_arrow
from mainstem.types import LayoutColumn

IDS = [uuid.UUID(int=7), None, uuid.UUID(int=2**128 - 1)]
NAIVE = [dt.datetime(1960, 1, 1, 12), None, dt.datetime(2020, 2, 29)]

EVERY_TYPE = pa.table(
    {
        "boolean": pa.array([True, None, False]),
        "int": pa.array([1, None, -(2**31)], pa.int32()),
        "long": pa.array([1, None, 2**63 - 1], pa.int64()),
        "float": pa.array([1.5, None, float("nan")], pa.float32()),
        "double": pa.array([-0.0, None, float("inf")], pa.float64()),
        "date": pa.array([dt.date(1, 1, 1), None, dt.date(9999, 12, 31)]),
        "time": pa.array([dt.time(0), None, dt.time(23, 59, 59, 999999)], pa.time64("us")),
        "timestamp": pa.array(NAIVE, pa.timestamp("us")),
        "timestamptz": pa.array(NAIVE, pa.timestamp("us", tz="UTC")),
        "string": pa.array(["", None, "ü" * 40]),
        "uuid": pa.array(IDS, pa.uuid()),
        "binary": pa.array([b"", None, b"\xff" * 40]),
        "fixed": pa.array([b"abcd", None, b"\x00" * 4], pa.binary(4)),
        "decimal": pa.array([decimal.Decimal("-1.50"), None, decimal.Decimal("99.99")]),
        "wide": pa.array(
            [decimal.Decimal(10**37), None, decimal.Decimal(-1)], pa.decimal128(38, 0)
        ),
        "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": None}]),
        "list": pa.array([[1, None], None, []]),
        "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        "deep": pa.array([[{"m": [[1], None]}], None, [None, {"m": None}]]),
    }
)


def test_every_type_comes_back_as_it_went_in(lab):
    lab.write("append", EVERY_TYPE)

    assert repr(lab.rows().to_pylist()) == repr(EVERY_TYPE.to_pylist())
    assert lab.rows().schema.types == arrow_schema(lab.state.schema).types


def test_bounds_and_counts_of_every_type(lab):
    lab.write("append", EVERY_TYPE)
    (file,) = lab.files()
    by_name = {field.name: field.id for field in lab.state.schema.fields}
    bounds = {
        name: (file.lower_bounds.get(number), file.upper_bounds.get(number))
        for name, number in by_name.items()
    }

    assert bounds == {
        "boolean": (False, True),
        "int": (-(2**31), 1),
        "long": (1, 2**63 - 1),
        "float": (1.5, 1.5),
        "double": (-0.0, None),
        "date": (-719162, 2932896),
        "time": (0, 86_399_999_999),
        "timestamp": (-315_576_000_000_000, 1_582_934_400_000_000),
        "timestamptz": (-315_576_000_000_000, 1_582_934_400_000_000),
        "string": ("", "ü" * 15 + "ý"),
        "uuid": (IDS[0].hex, IDS[2].hex),
        "binary": (None, None),
        "fixed": ("00000000", b"abcd".hex()),
        "decimal": (-150, 9999),
        "wide": (-1, 10**37),
        "struct": (None, None),
        "list": (None, None),
        "map": (None, None),
        "deep": (None, None),
    }
    inner = lab.state.schema.field("struct").type.fields[0].id
    assert (file.lower_bounds[inner], file.null_counts[inner]) == (1, 2)
    assert file.nan_counts == {by_name["float"]: 1, by_name["double"]: 0}
    assert all(file.null_counts[by_name[name]] == 1 for name in ("int", "uuid", "wide"))


@pytest.mark.parametrize(
    ("of", "stored"),
    [
        (pa.int8(), "int"),
        (pa.uint16(), "int"),
        (pa.uint32(), "long"),
        (pa.uint64(), "decimal(20,0)"),
        (pa.float16(), "float"),
        (pa.large_string(), "string"),
        (pa.string_view(), "string"),
        (pa.dictionary(pa.int8(), pa.string()), "string"),
        (pa.large_binary(), "binary"),
        (pa.date64(), "date"),
        (pa.time32("s"), "time"),
        (pa.timestamp("ns"), "timestamp"),
        (pa.timestamp("s", tz="Europe/Berlin"), "timestamptz"),
        (pa.null(), "int"),
        (pa.decimal256(30, 3), "decimal(30,3)"),
        (pa.binary(7), "fixed[7]"),
        (pa.large_list(pa.int8()), "list<int>"),
        (pa.list_(pa.int8(), 2), "list<int>"),
        (pa.list_view(pa.string()), "list<string>"),
        (pa.json_(), "string"),
    ],
)
def test_arrow_types_that_a_table_has_not_are_stored_as_ones_it_has(lab, of, stored):
    assert str(schema_of_arrow(pa.schema([("v", of)])).fields[0].type) == stored

    lab.write("append", pa.table([pa.nulls(2, of)], names=["v"]))

    assert lab.rows().column("v").to_pylist() == [None, None]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1, 255], pa.uint8()), [1, 255]),
        (pa.array([2**64 - 1], pa.uint64()), [decimal.Decimal(2**64 - 1)]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array(["a", "b"], pa.string_view()), ["a", "b"]),
        (pa.array([1_000], pa.timestamp("ns")), [dt.datetime(1970, 1, 1, 0, 0, 0, 1)]),
        (pa.array([[1], [2]], pa.list_(pa.int8(), 1)), [[1], [2]]),
        (pa.array([[1], None], pa.large_list(pa.int8())), [[1], None]),
        (pa.array(["a", None]).dictionary_encode().slice(1), [None]),
        (pa.array([[1], [2, 3], None, []], pa.large_list(pa.int8())).slice(1, 2), [[2, 3], None]),
    ],
)
def test_their_values_are_converted(lab, values, expected):
    lab.write("append", pa.table({"v": values}))

    assert lab.rows().column("v").to_pylist() == expected


@pytest.mark.parametrize("of", [pa.duration("s"), pa.month_day_nano_interval()])
def test_an_arrow_type_that_no_table_holds_is_named(of):
    with pytest.raises(SchemaDrifted) as caught:
        schema_of_arrow(pa.schema([("ok", pa.int64()), ("bad", of)]))

    assert caught.value.code == "A5503"
    assert "`bad`" in caught.value.summary
    assert caught.value.hint


def test_a_value_that_loses_something_is_refused_and_nothing_is_left(lab):
    lossy = pa.table({"ok": [1], "when": pa.array([1], pa.timestamp("ns"))})
    target = lab.target(schema_of_arrow(lossy.schema))

    with pytest.raises(SchemaDrifted) as caught:
        write_arrow(lossy, target)

    assert caught.value.code == "A5504"
    assert "`when`" in caught.value.summary
    assert not list(Path(lab.warehouse, "data").iterdir())


def test_columns_are_matched_by_name_without_case_and_absent_ones_are_null(lab):
    lab.write("append", pa.table({"Id": [1], "s": [{"x": 1, "y": "a"}]}))
    lab.write("append", pa.table({"S": pa.array([{"Y": "b"}]), "ID": [2]}))
    lab.write("append", pa.table({"id": [3]}))

    assert lab.rows().to_pylist() == [
        {"Id": 1, "s": {"x": 1, "y": "a"}},
        {"Id": 2, "s": {"x": None, "y": "b"}},
        {"Id": 3, "s": None},
    ]


def test_nested_uuids_are_written_and_read(lab):
    inner = pa.array([uuid.UUID(int=1), uuid.UUID(int=2)], pa.uuid())
    values = pa.ListArray.from_arrays(pa.array([0, 2]), inner)
    lab.write("append", pa.table({"v": values}))
    lab.write("append", pa.table({"w": [1]}))

    assert lab.rows().to_pylist()[0] == {"v": [uuid.UUID(int=1), uuid.UUID(int=2)], "w": None}


def test_a_required_column_without_a_value_is_refused(lab):
    schema = schema_of_arrow(pa.schema([("id", pa.int64())]))
    schema = replace(schema, fields=(replace(schema.fields[0], required=True),))
    target = lab.target(schema)

    with pytest.raises(ContractBroken) as caught:
        write_arrow(pa.table({"id": [1, None, None]}), target)

    assert "2 of 3" in caught.value.summary


def test_no_row_gives_no_file(lab):
    lab.write("overwrite", pa.table({"a": pa.array([], pa.int64())}))

    assert lab.files() == ()
    assert lab.rows().schema.names == ["a"]
    assert lab.rows().num_rows == 0


def test_a_file_is_closed_at_its_size(lab):
    rows = pa.table({"v": pa.array(os.urandom(8) for _ in range(40_000))})
    batches = rows.to_batches(max_chunksize=5_000)
    target = lab.target(schema_of_arrow(rows.schema))

    written = write_arrow(
        pa.RecordBatchReader.from_batches(rows.schema, batches), target, file_bytes=100_000
    )

    assert len(written) > 2
    assert sum(file.record_count for file in written) == 40_000


def test_every_file_is_named_after_its_attempt_and_laid_out_by_partition(lab):
    rows = pa.table({"g": ["a", "b", "a", None], "v": [1, 2, 3, 4]})
    target = lab.target(
        schema_of_arrow(rows.schema), partition_by=[LayoutColumn(column="g")], replaces=True
    )

    written = write_arrow(rows, target)

    assert {file.partition for file in written} == {("a",), ("b",), (None,)}
    assert all(Path(file.path).name.startswith(target.prefix) for file in written)


def test_more_partitions_than_open_files_still_give_every_row_once(lab):
    count = 300
    days = [dt.date(2020, 1, 1) + dt.timedelta(days=number % count) for number in range(3 * count)]
    rows = pa.table({"day": days, "v": range(3 * count)})

    lab.write("overwrite", rows, partition_by=[LayoutColumn(column="day")])

    assert len(lab.files()) == count
    assert sorted(lab.rows().column("v").to_pylist()) == list(range(3 * count))


@pytest.mark.slow
def test_a_stream_of_many_batches_is_written_in_bounded_memory(lab):
    script = f"""
import resource, pyarrow as pa
from pathlib import Path
from mainstem.testing.tables import TableLab
from mainstem.lake.arrow_types import schema_of_arrow
from mainstem.lake.writer import write_arrow
lab = TableLab(Path({lab.warehouse!r}))
one = pa.record_batch({{"v": pa.array(range(1_000_000), pa.int64())}})
target = lab.target(schema_of_arrow(one.schema))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
written = write_arrow((one for _ in range(100)), target)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(sum(file.record_count for file in written), grown // 1024)
"""
    output = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout

    rows, grown_mb = map(int, output.split())
    assert rows == 100_000_000
    assert grown_mb < 550, "800 MB went through"


def test_files_hold_field_ids_at_every_level(lab):
    lab.write("append", EVERY_TYPE)
    (file,) = lab.files()

    schema = pq.read_schema(Path(lab.warehouse, file.path))

    deep = schema.field("deep").type.value_field
    assert deep.metadata[b"PARQUET:field_id"]
    assert deep.type.field("m").type.value_field.metadata[b"PARQUET:field_id"]


def test_a_full_disk_says_so_and_leaves_nothing(lab, monkeypatch):
    rows = pa.table({"v": [1, 2, 3]})
    target = lab.target(schema_of_arrow(rows.schema))

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFailed) as caught:
        write_arrow(rows, target)

    assert caught.value.code == "A5550"
    assert "disk is full" in caught.value.summary
    assert not list(Path(lab.warehouse, "data").iterdir())


def test_a_folder_that_is_gone_says_so(lab):
    rows = pa.table({"v": [1]})
    target = replace(lab.target(schema_of_arrow(rows.schema)), directory="gone")

    with pytest.raises(StorageFailed) as caught:
        write_arrow(rows, target)

    assert caught.value.code == "A5551"


def damage_missing(path):
    path.unlink()


def damage_truncated(path):
    path.write_bytes(path.read_bytes()[:-9])


def damage_bytes(path):
    content = bytearray(path.read_bytes())
    content[-40:] = b"\x00" * 40
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "code"),
    [(damage_missing, "A5552"), (damage_truncated, "A5553"), (damage_bytes, "A5553")],
)
@pytest.mark.parametrize(
    "read", [read_arrow, lambda ref: read_batches(ref).read_all()], ids=["arrow", "batches"]
)
def test_a_damaged_file_is_named_with_its_table(lab, damage, code, read):
    lab.write("append", pa.table({"v": [1, 2, 3]}))
    lab.write("append", pa.table({"v": [4]}))
    (file, _) = lab.files()
    damage(Path(lab.warehouse, file.path))

    with pytest.raises(StorageFailed) as caught:
        read(lab.ref())

    assert caught.value.code == code
    assert "raw.orders" in caught.value.summary
    assert file.path in caught.value.summary
    assert caught.value.hint


def test_some_columns_are_read_in_the_order_asked_for(lab):
    lab.write("append", pa.table({"a": [1], "b": [2], "c": [3]}))

    assert lab.rows(columns=["C", "a"]).to_pylist() == [{"c": 3, "a": 1}]


def test_a_column_of_later_files_alone_is_null_in_earlier_ones(lab):
    lab.write("append", pa.table({"a": [1, 2]}))
    lab.write("append", pa.table({"a": [3], "b": ["x"]}))

    assert lab.rows(columns=["b"]).column("b").to_pylist() == [None, None, "x"]
    assert read_batches(lab.ref(), ["b"]).read_all().column("b").to_pylist() == [None, None, "x"]


def test_an_unknown_column_gets_a_suggestion(lab):
    lab.write("append", pa.table({"carrier": [1]}))

    with pytest.raises(AssetNotFound, match="carrier"):
        lab.rows(columns=["carier"])


def test_batches_are_what_the_table_is(lab):
    lab.write("append", EVERY_TYPE)
    lab.write("append", EVERY_TYPE.select(["int", "string"]))

    assert repr(read_batches(lab.ref()).read_all().to_pylist()) == repr(lab.rows().to_pylist())


def test_a_file_without_ids_inside_is_read_by_the_names_it_was_written_with(lab):
    lab.write("append", pa.table({"a": [1], "b": ["x"]}))
    (file,) = lab.files()
    path = Path(lab.warehouse, file.path)
    pq.write_table(pa.table({"b": ["y"], "a": pa.array([2], pa.int64())}), path)
    ref = replace(lab.ref(), files=(replace(file, size_bytes=path.stat().st_size),))

    assert read_arrow(ref).to_pylist() == [{"a": 2, "b": "y"}]
