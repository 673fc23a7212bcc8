# SPDX-License-Identifier: Apache-2.0
"""Data that is wrong, through the real program: said with file and line, set aside, never lost."""

import os

import pytest

INGEST = """\
type: files
path: data/
into: raw
tables:
  orders: {files: "orders*.csv", write: append}
"""
QUARANTINE = "select file, line, column_name, reason, raw from raw.orders__quarantine order by line"


def test_a_missing_file_fails_its_table_alone(shop):
    shop.write("ingest/shop.yml", f"{INGEST}  customers: customers.csv\n")
    shop.write("data/orders2.csv", "id,amount\n4,40\n")

    said = shop.failed("A3010")

    assert "ingest/shop.yml:6: data/customers.csv does not exist." in said
    assert shop.query("select count(*) as n from staging.orders") == [{"n": 4}]
    shop.write("data/customers.csv", "id\n1\n")
    assert "raw.customers" in shop.runs_well()


@pytest.mark.parametrize(
    ("target", "code", "said"),
    [
        ("nowhere.csv", "A3010", "is a link to nowhere.csv, which does not exist"),
        ("orders2.csv", "A3011", "cannot be read: Too many levels of symbolic links"),
    ],
)
def test_a_link_that_leads_nowhere_is_a_missing_file_also_below_a_glob(shop, target, code, said):
    (shop.folder / "data/orders2.csv").symlink_to(target)

    assert f"data/orders2.csv {said}" in shop.failed(code)
    assert shop.rows("staging.orders") == 3


def test_a_row_with_too_many_fields_is_set_aside_with_file_line_and_reason(shop):
    shop.write("data/orders2.csv", "id,amount\n4,40\n5,50,99,oops\n6,60\n")

    said = shop.runs_well()

    assert "data/orders2.csv:3: 4 fields where 2 are expected" in said
    assert "1 row quarantined in raw.orders__quarantine" in said
    assert shop.query(QUARANTINE) == [
        {
            "file": "data/orders2.csv",
            "line": 3,
            "column_name": "",
            "reason": "4 fields where 2 are expected",
            "raw": "5,50,99,oops",
        }
    ]
    assert shop.query("select count(*) as n from marts.totals, staging.orders") == [{"n": 5}]


def test_a_header_twice_is_refused_with_both_positions(shop):
    shop.write("data/orders2.csv", "id,amount,id\n4,40,1\n")

    said = shop.failed("A3020")

    assert "has the column `id` twice, in positions 1 and 3 of 3" in said
    assert "Rename one in the file" in said
    shop.write("data/orders2.csv", "id,amount,id2\n4,40,1\n")
    assert "+1 row" in shop.runs_well()


def test_a_column_that_changes_its_type_between_files_sets_aside_what_does_not_fit(shop):
    shop.write("data/orders2.csv", "id,amount\n4,abc\n5,50\n")

    said = shop.runs_well()

    assert "`abc` is not BIGINT in column amount" in said
    found = shop.query(QUARANTINE)
    assert [(row["file"], row["line"], row["raw"]) for row in found] == [
        ("data/orders2.csv", 2, "4,abc")
    ]
    assert shop.query("select sum(amount) as s from raw.orders") == [{"s": 110}]


def test_a_file_that_changed_after_it_was_appended_is_refused_with_ways_out(shop):
    shop.write("data/orders1.csv", "id,amount\n1,11\n2,20\n3,30\n")

    said = shop.failed("A3012")

    assert "data/orders1.csv changed after being loaded into raw.orders" in said
    assert "Put the file back as it was and corrected or further rows into a new file" in said
    assert shop.query("select sum(amount) as s from raw.orders") == [{"s": 60}]


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        ("id,amount\n4,40\n".encode("utf-16"), "A3015", "Set `encoding: utf-16`"),
        (b"id,amount\n4,4\xe9\n", "A3015", "byte 0xe9 in line 2"),
        (
            b"id,amount\n4," + b"9" * 10_000_000 + b"\n",
            "A3021",
            "has a line of 10,000,003 bytes; a row may have 2,000,000",
        ),
        (b'id,amount\n4,40\n5,"50\n' + b"6,60\n" * 4000, "A3035", "line 3 opens a quote"),
    ],
)
def test_a_file_that_is_no_readable_text_is_refused_as_a_whole(shop, content, code, said):
    shop.write("data/orders2.csv", content)

    message = shop.failed(code)

    assert "data/orders2.csv" in message
    assert said in message
    assert len(message) < 3000
    assert shop.rows("raw.orders") == 3


def test_an_empty_file_among_others_is_said_and_changes_nothing(shop):
    shop.write("data/orders2.csv", b"")

    assert "data/orders2.csv is empty" in shop.runs_well()
    assert shop.query("select count(*) as n from raw.orders") == [{"n": 3}]


@pytest.mark.parametrize(
    ("select", "code", "said"),
    [
        ("select id,\n  cast('x' || id as integer) as b", "A7510", "'x1' to INT32"),
        ("select id * 9223372036854775807 as b", "A7510", "Compute with a wider type"),
        ("select sum(9223372036854775807::bigint + 0 * id) as b", "A7511", "beyond BIGINT"),
        ("select error('boom') as b", "A7510", "boom"),
        ("select interval 1 day as b", "A7506", "cast it to VARCHAR"),
        ("select id, amount as ID", "A7505", "names are compared without case"),
    ],
)
def test_sql_that_fails_when_it_runs_publishes_nothing_and_keeps_the_last_version(
    shop, select, code, said
):
    shop.table("models/marts/totals.sql", f"{select} from staging.orders")

    message = shop.failed(code)

    assert "models/marts/totals.sql:" in message
    assert said in message
    assert "readers keep the version of run 1" in message
    assert shop.query("select orders, amount from marts.totals") == [{"orders": 3, "amount": 60}]


def test_an_unfitting_call_says_what_to_do_instead_of_listing_overloads(shop):
    shop.table("models/marts/totals.sql", "select upper(id) || date_part(id, id) from raw.orders")

    message = shop.failed("A7502")

    assert "No function matches" in message
    assert "Cast an argument" in message
    assert "Candidate" not in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"id,name\n1,a\n2,b,c\n", "has 3 fields in line 3, where its header has 2"),
        (b"id,name\n1\n", "has 1 field in line 2"),
        (b"id,ID\n1,2\n", "has the column `ID` twice, in positions 1 and 2"),
        (b"id,name\n1,caf\xe9\n", "is not UTF-8: byte 0xe9 in line 2"),
        (b"", "has no header"),
    ],
)
def test_a_seed_is_taken_literally_or_refused_with_its_line(shop, content, said):
    shop.write("seeds/names.csv", "id,name\n1,a\n")
    shop.runs_well()
    shop.write("seeds/names.csv", content)

    message = shop.failed("A2051")

    assert f"seeds/names.csv {said}" in message
    assert shop.query("select * from seeds.names") == [{"id": 1, "name": "a"}]


def test_a_pipe_is_refused_rather_than_waited_for(shop):
    shop.write("ingest/shop.yml", f"{INGEST}  live: live.csv\n")
    os.mkfifo(shop.folder / "data/live.csv")

    assert "data/live.csv is a pipe or a device, not a file" in shop.failed("A3011")
