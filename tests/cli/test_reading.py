# SPDX-License-Identifier: Apache-2.0
"""query, show, compile, list, lineage."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest


def test_query_prints_a_table_and_counts_rows_beside_it(built, mainstem):
    done = mainstem("query", "select id, customer from shop.orders order by id limit 2")

    assert done.out.splitlines() == ["id  customer", "--  --------", " 1  ann", " 2  bob"]
    assert done.err == "2 rows · local · branch main\n"


def test_query_writes_csv_json_parquet_and_arrow(built, mainstem, tmp_path):
    sql = "select id, amount from shop.orders order by id"

    csv = mainstem("query", sql, "--format", "csv")
    document = mainstem("query", sql, "--format", "json").document
    mainstem("query", sql, "--format", "parquet", "--output", "out.parquet")
    mainstem("query", sql, "--format", "arrow", "--output", "out.arrow")

    assert csv.out.splitlines()[1:] == ["1,10", "2,20", "3,30"]
    assert document[0] == {"id": 1, "amount": 10}
    assert pq.read_table("out.parquet").num_rows == 3
    assert pa.ipc.open_stream("out.arrow").read_all().num_rows == 3


def test_a_limit_says_that_there_is_more(built, mainstem):
    done = mainstem("query", "select * from shop.orders", "--limit", "2")

    assert "2 rows, more exist" in done.err


def test_query_reads_any_version(built, mainstem):
    (built / "data/orders.csv").write_text("id,customer,amount\n1,ann,10\n9,zoe,90\n")
    mainstem("run")

    now = mainstem("query", "select max(id) as id from shop.orders", "--json")
    then = mainstem("query", "--at", "main~1", "select max(id) as id from shop.orders", "--json")

    assert (now.document, then.document) == ([{"id": 9}], [{"id": 3}])


def test_an_unknown_table_names_the_nearest(built, mainstem):
    done = mainstem("query", "select * from shop.oders")

    assert done.code == 1
    assert "shop.orders" in done.err


def test_an_unknown_ref_is_an_error(built, mainstem):
    done = mainstem("query", "--at", "mian", "select 1")

    assert done.code == 1
    assert "main" in done.err


def test_no_query_is_a_usage_error(built, mainstem):
    assert "error[A1059]" in mainstem("query").err


def test_show_describes_an_asset_and_its_first_rows(built, mainstem):
    done = mainstem("show", "main.total")

    assert done.code == 0, done.err
    assert "sql table · 1 row" in done.out
    assert "main.big" in done.out
    assert "row_count" in done.out


def test_show_preview_runs_edited_code_and_writes_nothing(built, mainstem):
    (built / "models/big.sql").write_text("select id * 100 as id, amount from shop.orders")

    preview = mainstem("show", "main.big", "--preview", "--json")
    query = mainstem("query", "select max(id) as id from main.big", "--json")

    assert preview.document["rows"][0]["id"] == 100
    assert query.document == [{"id": 3}]


def test_show_of_an_unknown_asset_names_the_nearest(built, mainstem):
    done = mainstem("show", "main.totl")

    assert done.code == 1
    assert "main.total" in done.err


def test_compile_prints_sql_with_full_names(built, mainstem):
    done = mainstem("compile", "main.total")

    assert "main.big" in done.out.replace('"', "")


def test_list_shows_rows_and_checks(built, mainstem):
    done = mainstem("list", "--json")

    rows = {row["key"]: (row["row_count"], row["check_count"]) for row in done.document}
    assert rows == {"shop.orders": (3, 1), "main.big": (None, 0), "main.total": (1, 1)}


def test_lineage_of_an_asset_reaches_its_file(built, mainstem):
    done = mainstem("lineage", "main.total")

    assert [line.split()[-1] if "ingest" in line else line for line in done.out.splitlines()] == [
        "main.total",
        "`- main.big",
        "ingest/shop.yml",
    ]


def test_lineage_of_a_column_reaches_the_raw_column(built, mainstem):
    done = mainstem("lineage", "main.total.amount")

    assert "shop.orders.amount" in done.out


def test_lineage_downstream_names_what_is_made_of_a_column(built, mainstem):
    done = mainstem("lineage", "--down", "shop.orders.amount")

    assert "main.total.amount" in done.out


def test_lineage_of_an_unknown_column_names_the_nearest(built, mainstem):
    done = mainstem("lineage", "main.total.amuont")

    assert done.code == 1
    assert "amount" in done.err


def test_columns_of_the_same_name_are_all_shown(built, mainstem):
    table = mainstem("query", "select 1 as a, 2 as a")
    document = mainstem("query", "select 1 as a, 2 as a", "--json").document

    assert table.out.splitlines()[-1].split() == ["1", "2"]
    assert document == [{"a": 1, "a_1": 2}]


def test_an_unknown_column_of_a_query_is_shown_where_it_was_written(built, mainstem):
    done = mainstem("query", "select amuont from shop.orders")

    assert done.code == 1
    assert "select amuont from shop.orders" in done.err
    assert "did you mean `amount`?" in done.err


@pytest.mark.parametrize("sql", ["describe shop.orders", "select 1; select 2", "drop table x", ""])
def test_what_is_no_query_is_refused(sql, built, mainstem):
    done = mainstem("query", sql)

    assert done.code == 1
    assert "A query is one SELECT statement." in done.err


def test_a_place_that_cannot_be_written_is_named(built, mainstem):
    done = mainstem("query", "select 1 as a", "--format", "csv", "--output", "no/such/file.csv")

    assert done.code == 1
    assert "error[A1062]" in done.err


def test_lists_and_structs_are_json_in_csv(built, mainstem):
    done = mainstem("query", "select [1, 2] as l, {'a': null} as s", "--format", "csv")

    assert done.out.splitlines()[1] == '"[1,2]","{""a"":null}"'


def test_a_limit_reads_no_more_than_it_needs(built, mainstem):
    done = mainstem("query", "select * from range(100000000000) as r(n)", "--limit", "2", "--json")

    assert done.document == [{"n": 0}, {"n": 1}]
