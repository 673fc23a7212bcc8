# SPDX-License-Identifier: Apache-2.0
"""Files become tables: formats, compressions, ways of writing."""

import gzip
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from pyarrow import feather


def test_a_csv_file_becomes_a_typed_table(shop):
    shop.file(
        "data/t.csv", "id,name,price,day,seen\n1,a,1.5,2024-01-31,true\n2,b,,2024-02-01,false\n"
    )
    asset = shop.asset("t.csv")

    outcome = shop.load(asset)

    assert outcome.rows == {asset.key: 2}
    assert shop.types(asset) == {
        "id": "long",
        "name": "string",
        "price": "double",
        "day": "date",
        "seen": "boolean",
    }
    assert shop.rows(asset, columns="id, price") == [(1, 1.5), (2, None)]


def test_null_words_are_null_only_when_they_are_named(shop):
    shop.file("data/t.csv", "a,b\n1,NA\nNA,2\n")
    plain, named = shop.asset("t.csv"), shop.asset("{files: t.csv, null_values: [NA]}")

    shop.load(plain)
    as_text = shop.rows(plain)
    shop.load(named)

    assert as_text == [("1", "NA"), ("NA", "2")]
    assert shop.rows(named) == [(1, None), (None, 2)]


@pytest.mark.parametrize("ending", ["gz", "zst", "zip"])
def test_compressed_files_are_read(shop, ending):
    text = b"id,name\n1,a\n2,b\n"
    path = shop.folder / "data" / f"t.csv.{ending}"
    path.parent.mkdir()
    if ending == "gz":
        path.write_bytes(gzip.compress(text))
    elif ending == "zst":
        path.write_bytes(zstandard.compress(text))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("t.csv", text)
    asset = shop.asset(f"t.csv.{ending}")

    shop.load(asset)

    assert shop.rows(asset) == [(1, "a"), (2, "b")]


def test_all_members_of_an_archive_are_read(shop):
    path = shop.file("data/t.zip", b"")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/one.csv", "id\n1\n")
        archive.writestr("two.csv", "id\n2\n")
        archive.writestr("readme.md", "no data")
    asset = shop.asset('{files: t.zip, member: "*.csv", format: csv}')

    shop.load(asset)

    assert shop.rows(asset) == [(1,), (2,)]


def test_json_lines_keep_nested_values_as_json(shop):
    shop.file("data/t.jsonl", '{"id": 1, "tags": ["a"], "at": {"x": 1}}\n{"id": 2, "new": "z"}\n')
    asset = shop.asset("t.jsonl")

    shop.load(asset)

    assert shop.rows(asset) == [(1, '["a"]', '{"x":1}', None), (2, None, None, "z")]


def test_nested_values_become_structs_when_asked(shop):
    shop.file("data/t.json", '[{"id": 1, "at": {"x": 1, "y": ["p"]}}, {"id": 2, "at": null}]')
    asset = shop.asset("{files: t.json, nested: struct}")

    shop.load(asset)

    assert shop.rows(asset) == [(1, {"x": 1, "y": ["p"]}), (2, None)]


def test_parquet_files_are_united_by_name(shop):
    (shop.folder / "data").mkdir()
    pq.write_table(pa.table({"id": [1], "a": ["x"]}), shop.folder / "data" / "1.parquet")
    pq.write_table(pa.table({"b": [1.5], "id": [2]}), shop.folder / "data" / "2.parquet")
    asset = shop.asset('"*.parquet"')

    shop.load(asset)

    assert shop.rows(asset) == [(1, "x", None), (2, None, 1.5)]


@pytest.mark.parametrize("form", ["feather", "file", "stream"])
def test_arrow_files_are_read(shop, form):
    table = pa.table({"id": pa.array([1, 2], pa.int32()), "name": ["a", None]})
    path = shop.file("data/t.arrow", b"")
    if form == "feather":
        feather.write_feather(table, path)
    else:
        opener = pa.ipc.new_file if form == "file" else pa.ipc.new_stream
        with opener(path, table.schema) as writer:
            writer.write_table(table)
    asset = shop.asset("t.arrow")

    shop.load(asset)

    assert shop.rows(asset) == [(1, "a"), (2, None)]
    assert shop.types(asset)["id"] == "int"


def test_columns_are_typed_renamed_selected_and_rows_filtered(shop):
    shop.file("data/t.csv", "Order Id,at,internal_x,amount\n1,2024-01-01T05:00:00Z,9,10\n2,,8,-1\n")
    asset = shop.asset(
        "{files: t.csv, columns: {Order Id: {rename: id, type: int}, at: timestamptz, "
        'amount: "decimal(10,2)"}, select: ["*", "!internal_*"], where: amount > 0}'
    )

    shop.load(asset)

    assert shop.types(asset) == {"id": "int", "at": "timestamptz", "amount": "decimal(10,2)"}
    assert [(row[0], str(row[2])) for row in shop.rows(asset)] == [(1, "10.00")]


def test_where_may_use_a_column_that_is_not_selected(shop):
    shop.file("data/t.csv", "id,kind\n1,a\n2,b\n")
    asset = shop.asset("{files: t.csv, select: [id], where: \"kind = 'b' -- only these\"}")

    shop.load(asset)

    assert shop.rows(asset) == [(2,)]


def test_columns_that_differ_in_case_alone_are_renamed(shop):
    shop.file("data/t.csv", "id,ID,Id_2,iD\n1,2,3,4\n")
    asset = shop.asset("t.csv")

    shop.load(asset)

    assert list(shop.types(asset)) == ["id", "ID_3", "Id_2", "iD_4"]


def test_files_in_another_encoding_are_read(shop):
    shop.file("data/t.csv", "id;name\n1;Zoë\n".encode("utf-16"))
    asset = shop.asset("{files: t.csv, encoding: utf-16}")

    shop.load(asset)

    assert shop.rows(asset) == [(1, "Zoë")]


def test_dialects_may_differ_between_files_of_one_table(shop):
    shop.file("data/1.csv", "id;name\n1;a\n")
    shop.file("data/2.tsv", "name\tid\tmore\nb\t2\tx\n")
    asset = shop.asset('{files: ["*.csv", "*.tsv"]}')

    shop.load(asset)

    assert shop.rows(asset) == [(1, "a", None), (2, "b", "x")]


def test_a_file_without_a_header_takes_the_names_of_the_columns_key(shop):
    shop.file("data/t.csv", "1,a\n2,b\n")
    asset = shop.asset("{files: t.csv, header: false, columns: {id: int, name: text}}")

    shop.load(asset)

    assert shop.types(asset) == {"id": "int", "name": "string"}
    assert shop.rows(asset) == [(1, "a"), (2, "b")]


def test_quotes_and_line_breaks_inside_values_survive(shop):
    shop.file("data/t.csv", 'id,text\r\n1,"a ""b"", c\nd"\r\n2,plain\r\n')
    asset = shop.asset("t.csv")

    shop.load(asset)

    assert shop.rows(asset) == [(1, 'a "b", c\nd'), (2, "plain")]


def test_quotes_that_come_after_the_sample_are_quotes(shop):
    lines = [f"{number},plain" for number in range(30_000)]
    shop.file("data/t.csv", "\n".join(["id,text", *lines, '30000,"a, b"']) + "\n")
    asset = shop.asset("t.csv")

    shop.load(asset)

    assert shop.rows(asset)[-1] == (30_000, "a, b")
    assert shop.quarantined(asset) == []


def test_partitioned_tables_are_laid_out_by_month(shop):
    shop.file("data/t.csv", "id,at\n1,2024-01-31 10:00:00\n2,2024-02-01 10:00:00\n")
    asset = shop.asset('{files: t.csv, partition_by: ["month(at)"]}')

    shop.load(asset)

    assert sorted(file.partition for file in shop.table(asset).files) == [(648,), (649,)]


@pytest.mark.parametrize("form", ["parquet", "feather"])
def test_nanoseconds_are_kept_as_microseconds_where_nothing_is_lost(shop, form):
    times = pa.array([1_000, 2_000_000_500], pa.timestamp("ns"))
    table = pa.table({"id": [1, 2], "at": times})
    path = shop.file(f"data/t.{form}", b"")
    pq.write_table(table, path) if form == "parquet" else feather.write_feather(table, path)
    plain = shop.asset(f"t.{form}")
    declared = shop.asset(f"{{files: t.{form}, columns: {{at: timestamp}}}}")

    shop.load(plain)
    kept, aside = shop.rows(plain, columns="id"), shop.quarantined(plain)
    shop.load(declared)

    assert shop.types(plain)["at"] == "timestamp"
    assert (kept, len(aside), aside[0][3]) == ([(1,)], 1, "at: not TIMESTAMP")
    assert shop.rows(declared, columns="id") == [(1,), (2,)]


def test_a_later_parquet_file_may_have_narrower_types(shop):
    asset = shop.asset('{files: "*.parquet", write: append}')
    (shop.folder / "data").mkdir()
    wide = pa.table({"id": pa.array([2**40]), "x": pa.array([1.5]), "day": pa.array(["a"])})
    pq.write_table(wide, shop.folder / "data" / "1.parquet")
    shop.load(asset)
    narrow = pa.table({"id": pa.array([1], pa.int8()), "x": pa.array([2]), "day": pa.array([None])})
    pq.write_table(narrow, shop.folder / "data" / "2.parquet")

    shop.load(asset)

    assert shop.rows(asset) == [(1, 2.0, None), (2**40, 1.5, "a")]


def test_a_later_parquet_file_with_a_wider_type_promotes_the_column(shop):
    asset = shop.asset('{files: "*.parquet", write: append}')
    (shop.folder / "data").mkdir()
    narrow = pa.table({"id": pa.array([1], pa.int32()), "x": pa.array([1.5], pa.float32())})
    pq.write_table(narrow, shop.folder / "data" / "1.parquet")
    shop.load(asset)
    pq.write_table(pa.table({"id": [2**40], "x": [0.1]}), shop.folder / "data" / "2.parquet")

    shop.load(asset)

    assert shop.types(asset) == {"id": "long", "x": "double"}
    assert shop.rows(asset) == [(1, 1.5), (2**40, 0.1)]


def test_an_escape_far_down_in_the_sample_is_found(shop):
    plain = "".join(f"{number},a plain value without marks\n" for number in range(15_000))
    shop.file("data/t.csv", "id,name\n" + plain + '15000,"say \\"hi\\", then go"\n')
    asset = shop.asset("t.csv")

    shop.load(asset)

    assert shop.rows(asset, columns="name")[-1] == ('say "hi", then go',)
