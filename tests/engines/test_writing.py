# SPDX-License-Identifier: Apache-2.0
"""Query results as data files: names, ids, statistics, partitions, durability."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mainstem.engines.statistics import _above, _above_bytes
from mainstem.engines.writing import _verify, plan_copy
from mainstem.errors import ContractBroken, InternalError, SqlInvalid
from mainstem.types import Field, Primitive, Schema


def write(session, warehouse, sql, **options):
    schema = warehouse.with_ids(session.describe(sql))
    target = warehouse.target(schema, **options)
    return session.write(sql, target), schema


def test_a_file_is_named_after_the_attempt_and_relative_to_the_warehouse(session, warehouse):
    files, _ = write(session, warehouse, "select 1 as a", prefix="run-7-")

    assert files[0].path.startswith("raw/t/data/run-7-")
    assert (warehouse.folder / files[0].path).stat().st_size == files[0].size_bytes
    assert warehouse.names() == [files[0].path.rpartition("/")[2]]


def test_no_row_gives_no_file(session, warehouse):
    files, _ = write(session, warehouse, "select 1 as a where false")

    assert files == ()
    assert warehouse.names() == []


def test_no_row_gives_no_file_in_a_partitioned_table(session, warehouse):
    files, _ = write(session, warehouse, "select 1 as a where false", partition=[("a", "identity")])

    assert files == ()
    assert warehouse.names() == []


def test_every_field_has_its_id_nested_ones_too(session, warehouse):
    files, schema = write(
        session,
        warehouse,
        """select 1 as "a ""b", {'x y': [{'z': 1}]} as s, map {'k': {'v': 2}} as m""",
    )

    written = pq.read_schema(warehouse.folder / files[0].path)
    ids = [int(written.field(i).metadata[b"PARQUET:field_id"]) for i in range(3)]
    assert ids == [field.id for field in schema]
    item = written.field("s").type.field("x y")
    assert item.metadata is not None
    assert int(item.metadata[b"PARQUET:field_id"]) == schema.field("s").type.fields[0].id


def test_a_last_comment_or_semicolon_does_not_hurt(session, warehouse):
    files, _ = write(session, warehouse, "select 1 as a; -- the end")

    assert files[0].record_count == 1


def test_rows_keep_the_order_of_the_query(session, warehouse):
    sql = "select i from range(300000) t(i) order by hash(i)"
    expected = session.arrow(sql).column(0)

    for _ in range(5):  # DuckDB's files of a given size lose it one time in five
        warehouse.build(session, sql)

        assert session.arrow("select i from raw.t").column(0) == expected


def test_columns_are_matched_by_name_and_missing_ones_are_null(session, warehouse):
    schema = warehouse.with_ids(session.describe("select 1::bigint as a, 'x' as b, 1.5::double c"))
    files = session.write("select 'y' as B, 7 as a", warehouse.target(schema))

    session.register(warehouse.ref(schema, files))

    assert session.rows("select a, b, c, typeof(a) from raw.t") == [(7, "y", None, "BIGINT")]


def test_a_missing_required_column_is_an_error(session, warehouse):
    schema = warehouse.with_ids(session.describe("select 1 as a, 2 as b"))
    strict = Schema(fields=tuple(replace(field, required=True) for field in schema))

    with pytest.raises(ContractBroken) as caught:
        session.write("select 1 as a", warehouse.target(strict))

    assert caught.value.code == "A7509"
    assert "`b`" in caught.value.summary


def test_a_column_without_a_place_is_our_fault(session, warehouse):
    schema = warehouse.with_ids(session.describe("select 1 as a"))

    with pytest.raises(InternalError):
        session.write("select 1 as a, 2 as b", warehouse.target(schema))


def test_a_file_unlike_its_table_is_never_handed_out(session, warehouse):
    files, schema = write(session, warehouse, "select 1 as a, {'b': 2} as s")
    other = Schema(fields=(*schema.fields[:1], Field(name="s", type=Primitive("int"), id=2)))

    with pytest.raises(InternalError) as caught:
        _verify(str(warehouse.folder / files[0].path), warehouse.target(other), session.rows)

    assert caught.value.code == "A9054"


def test_bounds_and_counts_are_known_for_every_type(session, warehouse):
    sql = """
        select * from (values
            (true, 3, 30::bigint, 1.5::float, -2.5::double, -1.25::decimal(9,2), 'b',
             date '1969-12-31', time '10:00:00.5', timestamp '2020-01-01 00:00:00.000001',
             timestamptz '2020-01-01 01:00:00+01',
             'ffffffff-0000-0000-0000-000000000001'::uuid, 'ab'::blob),
            (false, -3, 10::bigint, 0.5::float, 'nan'::double, 2.5::decimal(9,2), 'ä',
             date '2020-02-29', time '00:00', timestamp '1960-01-01', timestamptz '2020-01-02',
             '00000000-0000-0000-0000-00000000000a'::uuid, 'b'::blob),
            (null, null, null, null, null, null, null, null, null, null, null, null, null)
        ) t(bo, i, l, f, d, de, s, da, ti, ts, tz, u, bi)
    """
    files, schema = write(session, warehouse, sql)

    low = {field.name: files[0].lower_bounds.get(field.id) for field in schema}
    high = {field.name: files[0].upper_bounds.get(field.id) for field in schema}
    assert low == {
        "bo": False,
        "i": -3,
        "l": 10,
        "f": 0.5,
        "d": -2.5,
        "de": -125,
        "s": "b",
        "da": -1,
        "ti": 0,
        "ts": -315_619_200_000_000,
        "tz": 1_577_836_800_000_000,
        "u": "0000000000000000000000000000000a",
        "bi": "6162",
    }
    assert high == {
        "bo": True,
        "i": 3,
        "l": 30,
        "f": 1.5,
        "d": -2.5,
        "de": 250,
        "s": "ä",
        "da": 18321,
        "ti": 36_000_500_000,
        "ts": 1_577_836_800_000_001,
        "tz": 1_577_923_200_000_000,
        "u": "ffffffff000000000000000000000001",
        "bi": "62",
    }
    assert set(files[0].null_counts.values()) == {1}
    assert set(files[0].value_counts.values()) == {3}
    assert files[0].nan_counts[schema.field("d").id] == 1
    assert set(files[0].column_sizes) == {field.id for field in schema}


def test_bounds_of_a_struct_are_known_and_of_list_elements_are_not(session, warehouse):
    files, schema = write(session, warehouse, "select {'a': 5} as s, [7] as l, map {'k': 1} as m")

    inner = schema.field("s").type.fields[0].id
    assert files[0].lower_bounds == {inner: 5}
    assert files[0].value_counts[schema.field("l").type.element_id] == 1
    assert files[0].value_counts[schema.field("m").type.key_id] == 1


def test_long_strings_have_short_bounds_that_still_hold(session, warehouse):
    sql = "select unnest([repeat('a', 100), repeat('é', 100)]) as s, repeat('x', 9999) as t"
    files, schema = write(session, warehouse, sql)

    s, t = schema.field("s").id, schema.field("t").id
    assert files[0].lower_bounds[s] == "a" * 64
    assert files[0].upper_bounds[s] > "é" * 100
    assert len(files[0].upper_bounds[s]) <= 64
    assert files[0].lower_bounds[t] < "x" * 9999 < files[0].upper_bounds[t]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b" * 64, "b" * 64),
        ("b" * 65, "b" * 63 + "c"),
        ("b" * 63 + chr(0x10FFFF) * 2, "b" * 62 + "c"),
        ("b" * 63 + chr(0xD7FF) * 2, "b" * 63 + chr(0xE000)),
        (chr(0x10FFFF) * 65, None),
    ],
)
def test_a_shortened_upper_bound_is_above(text, expected):
    assert _above(text) == expected


@pytest.mark.parametrize(
    ("digits", "expected"),
    [("ab" * 65, "ab" * 63 + "ac"), ("ab" + "ff" * 64, "ac"), ("ff" * 65, None)],
)
def test_a_shortened_upper_bound_of_bytes_is_above(digits, expected):
    assert _above_bytes(digits) == expected


def test_what_python_cannot_date_has_no_bounds(session, warehouse):
    files, schema = write(
        session, warehouse, "select 'infinity'::timestamp as a, '0044-03-15 (BC)'::date as b"
    )

    assert files[0].lower_bounds == {}
    assert files[0].value_counts[schema.field("a").id] == 1


def test_zeros_of_either_sign_lie_within_the_bounds(session, warehouse):
    files, schema = write(session, warehouse, "select unnest([0.0::double, 0.0::double]) as z")

    column = schema.field("z").id
    assert str(files[0].lower_bounds[column]) == "-0.0"
    assert str(files[0].upper_bounds[column]) == "0.0"


PARTITIONS = [
    ("'x' as p", "identity", "x"),
    ("'a/b=% *?[' as p", "identity", "a/b=% *?["),
    ("'' as p", "identity", ""),
    ("'#x' as p", "identity", "#x"),
    ("'__HIVE_DEFAULT_PARTITION__' as p", "identity", "__HIVE_DEFAULT_PARTITION__"),
    ("repeat('é', 300) as p", "identity", "é" * 300),
    ("repeat('x', 300)::blob as p", "identity", "78" * 300),
    ("'ab'::blob as p", "identity", "6162"),
    ("null::varchar as p", "identity", None),
    ("-5 as p", "identity", -5),
    ("true as p", "identity", True),
    ("1.5::double as p", "identity", 1.5),
    ("-1.25::decimal(9,2) as p", "identity", -125),
    ("date '1969-12-31' as p", "identity", -1),
    ("time '00:00:01' as p", "identity", 1_000_000),
    ("timestamp '1970-01-01 00:00:01' as p", "identity", 1_000_000),
    ("timestamptz '1970-01-01 01:00:01+01' as p", "identity", 1_000_000),
    (
        "'00000000-0000-0000-0000-00000000000a'::uuid as p",
        "identity",
        "0000000000000000000000000000000a",
    ),
    ("date '1969-12-31' as p", "year", -1),
    ("date '1969-12-31' as p", "month", -1),
    ("date '1969-12-31' as p", "day", -1),
    ("timestamp '1969-12-31 23:59:59' as p", "hour", -1),
    ("timestamp '1969-12-31 23:59:59' as p", "day", -1),
    ("timestamp '2013-03-10 12:00:00' as p", "month", 518),
    ("timestamptz '2013-01-01 00:30:00+01' as p", "month", 515),
    ("timestamptz '2013-01-01 00:30:00+01' as p", "hour", 376_943),
    ("null::date as p", "month", None),
]


@pytest.mark.parametrize(("column", "transform", "expected"), PARTITIONS)
def test_partition_values_are_exact(session, warehouse, column, transform, expected):
    files, schema = write(
        session, warehouse, f"select {column}, 1 as v", partition=[("p", transform)]
    )

    assert [file.partition for file in files] == [(expected,)]
    session.register(warehouse.ref(schema, files))
    assert session.rows("select count(*), count(v) from raw.t") == [(1, 1)]


def test_partitions_keep_all_rows_and_all_columns(session, warehouse):
    sql = "select i, i % 7 as g, date '2020-01-01' + (i % 90)::int as d from range(10000) t(i)"
    files, schema = write(session, warehouse, sql, partition=[("g", "identity"), ("d", "month")])

    session.register(warehouse.ref(schema, files))

    assert len(files) == 7 * 3
    assert all(file.spec_id == 1 for file in files)
    assert session.arrow("select * from raw.t order by i").equals(
        session.arrow(f"{sql} order by i")
    )
    for file in files:
        group = schema.field("g").id
        assert file.lower_bounds[group] == file.upper_bounds[group] == file.partition[0]
    assert all(name.endswith(".parquet") for name in warehouse.names())


@pytest.mark.parametrize(
    ("column", "transform"), [("[1] as p", "identity"), ("'x' as p", "month"), ("1 as p", "hour")]
)
def test_a_column_that_cannot_be_partitioned_is_an_error(session, warehouse, column, transform):
    with pytest.raises(SqlInvalid) as caught:
        write(session, warehouse, f"select {column}", partition=[("p", transform)])

    assert caught.value.code == "A7508"


def test_files_and_folders_are_on_the_disk_before_write_returns(session, warehouse, monkeypatch):
    synced = []
    original = os.fsync

    def record(handle):
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        original(handle)

    monkeypatch.setattr(os, "fsync", record)
    files, _ = write(session, warehouse, "select 1 as a")

    place = warehouse.folder / files[0].path
    assert synced[0] == str(place)
    assert synced[1:] == [str(folder) for folder in (place.parent, *list(place.parents)[1:4])]


def test_two_writes_of_one_attempt_do_not_meet(session, warehouse):
    schema = warehouse.with_ids(session.describe("select 1 as a"))
    target = warehouse.target(schema)

    files = [*session.write("select 1 as a", target), *session.write("select 2 as a", target)]

    session.register(warehouse.ref(schema, files))
    assert session.rows("select a from raw.t order by a") == [(1,), (2,)]


@pytest.mark.parametrize(
    ("sql", "given_type", "before"),
    [
        ("select 1 as a", "INTEGER", "copy ("),
        ("with w as (select 1 as a) from w", "INTEGER", "copy ("),
        ("select 1 as a", "TINYINT", 'copy (select cast("a" as INTEGER) as "a" from ('),
        ("from (select 1 as a)", "INTEGER", 'copy (select "a" as "a" from ('),
    ],
)
def test_only_a_select_whose_columns_are_as_stored_is_copied_as_it_is(
    session, warehouse, sql, given_type, before
):
    schema = warehouse.with_ids(session.describe("select 1 as a"))

    plan = plan_copy(sql, schema, warehouse.target(schema), given_types=[given_type])

    assert plan.before == before
    assert session.rows(plan.statement)[0][1] == 1


@pytest.mark.parametrize("partition", [(), [("a", "identity")]])
def test_half_written_files_bear_the_prefix_too(session, warehouse, partition):
    schema = warehouse.with_ids(session.describe("select 1 as a"))
    target = warehouse.target(schema, partition=partition, prefix="run-7-")
    plan = plan_copy("select 1 as a", schema, target, given_types=["INTEGER"])

    session.rows(plan.statement)

    left = [path for path in plan.folder.parent.rglob("*") if path.is_file()]
    assert [path.name.startswith("run-7-") for path in left] == [True]
    assert all(name.startswith("run-7-") for name in warehouse.names())
