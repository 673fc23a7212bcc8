# SPDX-License-Identifier: Apache-2.0
"""Rows, values and files that do not fit: none is lost, each is named."""

import gzip
import os

import pytest

from mainstem.errors import ContractBroken, MainstemError, SchemaDrifted, SourceUnavailable


def _many(count=30_000):
    """More rows than the sniffer looks at."""
    return "id,x\n" + "".join(f"{number},{number}\n" for number in range(count))


def test_rows_with_too_many_or_too_few_fields_are_quarantined(shop):
    shop.file("data/t.csv", "id,name\n1,a\n2,b,c,d\n3\n4,e\n")
    asset = shop.asset("t.csv")

    outcome = shop.load(asset)

    assert shop.rows(asset) == [(1, "a"), (4, "e")]
    assert shop.quarantined(asset) == [
        ("data/t.csv", 3, "", "4 fields where 2 are expected", "2,b,c,d"),
        ("data/t.csv", 4, "", "1 field where 2 are expected", "3"),
    ]
    assert "2 rows quarantined in raw.t__quarantine" in outcome.notes
    assert any("data/t.csv:3" in warning for warning in outcome.warnings)


def test_a_value_of_another_type_after_the_sample_widens_the_column_on_first_load(shop):
    shop.file("data/t.csv", _many() + "30000,1.5\n")
    asset = shop.asset("t.csv")

    shop.load(asset)

    assert shop.types(asset) == {"id": "long", "x": "double"}
    assert shop.table(asset).row_count == 30_001
    assert shop.quarantined(asset) == []


def test_text_after_the_sample_makes_the_column_text_on_first_load(shop):
    shop.file("data/t.csv", _many() + "30000,soon\n")
    asset = shop.asset("t.csv")

    shop.load(asset)

    assert shop.types(asset) == {"id": "long", "x": "string"}
    assert shop.table(asset).row_count == 30_001


def test_integers_beyond_64_bits_widen_without_loss(shop):
    shop.file("data/t.csv", _many() + "30000,99999999999999999999\n")
    asset = shop.asset("t.csv")

    shop.load(asset)

    assert shop.types(asset)["x"] == "decimal(38,0)"
    assert str(shop.rows(asset)[-1][1]) == "99999999999999999999"


def test_a_declared_type_is_not_widened(shop):
    shop.file("data/t.csv", "id,x\n1,2\n2,soon\n")
    asset = shop.asset("{files: t.csv, columns: {x: int}}")

    shop.load(asset)

    assert shop.types(asset)["x"] == "int"
    assert shop.quarantined(asset) == [("data/t.csv", 3, "x", "`soon` is not INTEGER", "2,soon")]


def test_a_column_that_changes_type_between_files_of_a_first_load_is_widened(shop):
    shop.file("data/1.csv", "id,x\n1,2\n")
    shop.file("data/2.csv", "id,x\n2,2.5\n")
    shop.file("data/3.csv", "id,x\n3,\n")
    asset = shop.asset('"*.csv"')

    shop.load(asset)

    assert shop.types(asset) == {"id": "long", "x": "double"}
    assert shop.rows(asset) == [(1, 2.0), (2, 2.5), (3, None)]


def test_a_value_of_another_type_in_a_later_file_is_quarantined(shop):
    asset = shop.asset('{files: "*.csv", write: append}')
    shop.file("data/1.csv", "id,x\n1,1\n")
    shop.load(asset)
    shop.file("data/2.csv", "id,x\n2,2\n3,soon\n")

    shop.load(asset)

    assert shop.rows(asset) == [(1, 1), (2, 2)]
    assert shop.quarantined(asset) == [("data/2.csv", 3, "x", "`soon` is not BIGINT", "3,soon")]


def test_a_fraction_is_never_rounded_into_an_integer_column(shop):
    asset = shop.asset('{files: "*.csv", write: append}')
    shop.file("data/1.csv", "id,x\n1,1\n")
    shop.load(asset)
    shop.file("data/2.csv", "id,x\n2,2.0\n3,2.5\n4,9007199254740993\n")

    shop.load(asset)

    assert shop.rows(asset) == [(1, 1), (2, 2), (4, 9007199254740993)]
    assert shop.quarantined(asset) == [
        ("data/2.csv", None, "x", "`2.5` is not BIGINT", '{"id":"3","x":"2.5"}')
    ]


def test_integers_that_doubles_cannot_hold_keep_every_digit(shop):
    shop.file("data/t.csv", "id\n9007199254740993\n-9223372036854775808\n")
    asset = shop.asset("t.csv")

    shop.load(asset)

    assert shop.rows(asset) == [(-9223372036854775808,), (9007199254740993,)]


def test_a_time_of_day_is_never_cut_off_a_date(shop):
    lines = [f"{number},2024-01-01" for number in range(30_000)]
    shop.file("data/t.csv", "\n".join(["id,at", *lines, "30000,2024-01-01 10:30:00"]) + "\n")
    asset = shop.asset("t.csv")

    shop.load(asset)

    assert shop.types(asset)["at"] == "timestamp"
    assert str(shop.rows(asset)[-1][1]) == "2024-01-01 10:30:00"


def test_codes_with_leading_zeros_stay_text(shop):
    shop.file("data/t.csv", "zip,n\n99999,1\n01234,2\n")
    asset = shop.asset("t.csv")

    shop.load(asset)

    assert shop.rows(asset) == [("01234", 2), ("99999", 1)]


def test_a_fraction_of_typed_files_is_never_rounded_either(shop):
    asset = shop.asset('{files: "*.jsonl", write: append}')
    shop.file("data/1.jsonl", '{"x": 1}\n')
    shop.load(asset)
    shop.file("data/2.jsonl", '{"x": 2.5}\n{"x": 3.0}\n')

    shop.load(asset)

    assert shop.rows(asset) == [(1,), (3,)]
    assert len(shop.quarantined(asset)) == 1


def test_a_later_file_of_which_no_row_fits_is_an_error(shop):
    asset = shop.asset('{files: "*.csv", write: append}')
    shop.file("data/1.csv", "id\n1\n")
    shop.load(asset)
    shop.file("data/2.csv", "id\nA1\nA2\n")

    with pytest.raises(SchemaDrifted) as caught:
        shop.load(asset)

    assert caught.value.code == "A3031"
    assert "data/2.csv:2: column `id` has `A" in caught.value.summary
    assert shop.rows(asset) == [(1,)]


@pytest.mark.parametrize(
    ("contract", "rows", "quarantined"),
    [
        ("quarantine", [(1, 1), (2, 2)], 1),
        ("discard_row", [(1, 1), (2, 2)], 0),
        ("discard_value", [(1, 1), (2, 2), (3, None)], 0),
    ],
)
def test_the_contract_decides_on_values_of_another_type(shop, contract, rows, quarantined):
    asset = shop.asset(f'{{files: "*.csv", write: append, contract: {contract}}}')
    shop.file("data/1.csv", "id,x\n1,1\n")
    shop.load(asset)
    shop.file("data/2.csv", "id,x\n2,2\n3,soon\n")

    outcome = shop.load(asset)

    assert shop.rows(asset) == rows
    assert len(shop.quarantined(asset)) == quarantined
    assert len(outcome.notes) == 2


def test_a_frozen_contract_refuses_the_file_and_shows_the_row(shop):
    asset = shop.asset('{files: "*.csv", write: append, contract: freeze}')
    shop.file("data/1.csv", "id,x\n1,1\n")
    shop.load(asset)
    shop.file("data/2.csv", "id,x\n2,2\n3,soon\n")

    with pytest.raises(SchemaDrifted) as caught:
        shop.load(asset)

    assert "data/2.csv:3" in caught.value.summary
    assert caught.value.details == "3,soon"
    assert shop.rows(asset) == [(1, 1)]


@pytest.mark.parametrize(
    ("contract", "columns", "rows"),
    [
        ("evolve", ["id", "new"], [(1, None), (2, "a"), (3, None)]),
        ("discard_value", ["id"], [(1,), (2,), (3,)]),
        ("discard_row", ["id"], [(1,), (3,)]),
        ("quarantine", ["id"], [(1,), (3,)]),
    ],
)
def test_the_contract_decides_on_new_columns(shop, contract, columns, rows):
    asset = shop.asset(f'{{files: "*.csv", write: append, contract: {{columns: {contract}}}}}')
    shop.file("data/1.csv", "id\n1\n")
    shop.load(asset)
    shop.file("data/2.csv", "id,new\n2,a\n3,\n")

    shop.load(asset)

    assert list(shop.types(asset)) == columns
    assert shop.rows(asset) == rows
    bad = [row[3] for row in shop.quarantined(asset)]
    assert bad == (["new column `new`"] if contract == "quarantine" else [])


def test_a_frozen_contract_refuses_new_columns(shop):
    asset = shop.asset('{files: "*.csv", write: append, contract: {columns: freeze}}')
    shop.file("data/1.csv", "id\n1\n")
    shop.load(asset)
    shop.file("data/2.csv", "id,new\n2,a\n")

    with pytest.raises(SchemaDrifted) as caught:
        shop.load(asset)

    assert caught.value.code == "A3030"


def test_a_missing_column_is_null_in_later_rows(shop):
    asset = shop.asset('{files: "*.csv", write: append}')
    shop.file("data/1.csv", "id,x\n1,1\n")
    shop.load(asset)
    shop.file("data/2.csv", "id\n2\n")

    shop.load(asset)

    assert shop.rows(asset) == [(1, 1), (2, None)]


def test_a_header_that_names_a_column_twice_is_an_error(shop):
    shop.file("data/t.csv", "id,name,id\n1,a,2\n")
    asset = shop.asset("t.csv")

    with pytest.raises(ContractBroken) as caught:
        shop.load(asset)

    assert caught.value.code == "A3020"
    assert "data/t.csv has the column `id` twice" in caught.value.summary


def test_a_header_in_the_middle_of_a_file_does_not_widen_its_columns(shop):
    shop.file("data/t.csv", _many() + "id,x\n30000,30000\n")
    asset = shop.asset("t.csv")

    shop.load(asset)

    assert shop.types(asset) == {"id": "long", "x": "long"}
    assert shop.table(asset).row_count == 30_001
    assert shop.quarantined(asset) == [("data/t.csv", 30_002, "", "the header again", "id,x")]


def test_an_empty_file_alone_is_an_error_and_beside_others_a_warning(shop):
    shop.file("data/1.csv", "")
    asset = shop.asset('"*.csv"')
    with pytest.raises(ContractBroken) as caught:
        shop.load(asset)
    shop.file("data/2.csv", "id\n1\n")

    outcome = shop.load(asset)

    assert caught.value.code == "A3022"
    assert outcome.warnings == ("data/1.csv is empty",)
    assert shop.rows(asset) == [(1,)]


def test_a_file_with_a_header_alone_makes_an_empty_table_whose_types_are_open(shop):
    asset = shop.asset('{files: "*.csv", write: append}')
    shop.file("data/1.csv", "id,name\n")
    shop.load(asset)
    empty = shop.rows(asset)
    shop.file("data/2.csv", "id,name\n1,a\n")

    shop.load(asset)

    assert empty == []
    assert shop.types(asset) == {"id": "long", "name": "string"}
    assert shop.rows(asset) == [(1, "a")]


def test_a_file_in_an_unnamed_encoding_is_refused_with_the_line(shop):
    shop.file("data/t.csv", "id,name\n1,a\n2,Zoë\n".encode("latin-1"))
    asset = shop.asset("t.csv")

    with pytest.raises(ContractBroken) as caught:
        shop.load(asset)

    assert caught.value.code == "A3015"
    assert caught.value.summary == "data/t.csv is not UTF-8: byte 0xeb in line 3."
    assert "latin-1" in caught.value.hint


def test_bytes_that_are_not_utf8_further_down_are_quarantined(shop):
    shop.file("data/t.csv", (_many(60_000) + "1,2\n").encode() + b"7,\xff\xfe\n8,8\n")
    asset = shop.asset("t.csv")

    outcome = shop.load(asset)

    assert len(shop.quarantined(asset)) == 1
    assert any("encoding:" in warning for warning in outcome.warnings)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_lines_are_counted_past_line_breaks_in_values_and_empty_lines(shop, ending):
    text = b'id,name\r\n1,"a\r\nb"\r\n\r\n2,b,c\r\n3,d\r\n4,"x\ny",z\r\n5,e\r\n6,f\r\n'
    shop.file(f"data/t.csv{ending}", gzip.compress(text) if ending else text)
    asset = shop.asset(f"t.csv{ending}")

    shop.load(asset)

    assert [row[1] for row in shop.quarantined(asset)] == [5, 7]
    assert [row[0] for row in shop.rows(asset)] == [1, 3, 5, 6]


def test_an_unterminated_quote_is_quarantined_with_all_it_swallowed(shop):
    shop.file("data/t.csv", 'id,name\n1,a\n2,"b\n3,c\n')
    asset = shop.asset("t.csv")

    shop.load(asset)

    assert shop.rows(asset) == [(1, "a")]
    assert shop.quarantined(asset)[0][4] == '2,"b\n3,c'


ROWS = "".join(f"{number},abcdefghij\n" for number in range(300_000))
"""Five megabytes; the reader's buffers have 32."""


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize(
    ("middle", "code", "said"),
    [
        ('7,"open\n', "A3035", "line 300002 opens a quote"),
        ('299999,"closed"\n7,"open\n', "A3035", "line 300003 opens a quote"),
        (f'7,"{ROWS * 8}"\n', "A3035", "line 300002 opens a quote"),
        (f'7,"{"x" * 40_000_000}"\n', "A3035", "line 300002 opens a quote"),
        (f"7,{'x' * 40_000_000}\n", "A3021", "line 300002 has 40,000,002 bytes"),
    ],
    ids=["open", "open-after-quotes", "far-below", "long-quoted", "long"],
)
def test_what_the_reader_would_lose_between_its_buffers_refuses_the_file(
    shop, middle, code, said, ending
):
    text = f"id,name\n{ROWS}{middle}{ROWS * 8}"
    compressed = gzip.compress(text.encode(), 1) if ending else text
    shop.file(f"data/t.csv{ending}", compressed)

    with pytest.raises(MainstemError) as caught:
        shop.load(shop.asset(f"t.csv{ending}"))

    assert caught.value.code == code
    assert said in str(caught.value)
    assert not list(shop.folder.rglob("*.parquet"))


def test_what_the_reader_notes_is_set_aside_however_large_the_file(shop):
    long = f"7,{'x' * 5_000_000}\n"
    shop.file("data/t.csv", f'id,name\n{ROWS}{long}8,"abc"d\n{ROWS * 8}')
    asset = shop.asset("t.csv")

    shop.load(asset)

    assert len(shop.rows(asset)) == 2_700_000
    assert [row[1] for row in shop.quarantined(asset)] == [300_002, 300_003]


def test_a_file_of_another_shape_altogether_is_an_error(shop):
    shop.file("data/t.csv", "Report 2024\n\nid,name\n1,a\n")
    asset = shop.asset("t.csv")

    with pytest.raises(MainstemError) as caught:
        shop.load(asset)

    assert caught.value.code == "A3034"
    assert "`skip`" in caught.value.hint
    assert "columns Report 2024" in caught.value.details


def test_invalid_json_lines_are_quarantined_with_their_number(shop):
    shop.file("data/t.jsonl", '{"id": 1}\n{"id": 2\n\n[3]\n{"id": 4}\n')
    asset = shop.asset("t.jsonl")

    shop.load(asset)

    assert shop.rows(asset) == [(1,), (4,)]
    found = shop.quarantined(asset)
    assert [(row[0], row[1], row[4]) for row in found] == [
        ("data/t.jsonl", 2, '{"id": 2'),
        ("data/t.jsonl", 4, "[3]"),
    ]


def test_json_values_of_another_type_are_quarantined_on_later_loads(shop):
    asset = shop.asset('{files: "*.jsonl", write: append}')
    shop.file("data/1.jsonl", '{"id": 1}\n')
    shop.load(asset)
    shop.file("data/2.jsonl", '{"id": 2}\n{"id": "x"}\n')

    shop.load(asset)

    assert shop.rows(asset) == [(1,), (2,)]
    assert [row[3] for row in shop.quarantined(asset)] == ["id: not BIGINT"]


def test_broken_json_names_the_file(shop):
    shop.file("data/t.json", '[{"id": 1}, {"id": ')
    asset = shop.asset("t.json")

    with pytest.raises(ContractBroken) as caught:
        shop.load(asset)

    assert caught.value.code == "A3021"
    assert "data/t.json" in caught.value.summary


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.csv.gz", "t.csv.zst", "t.zip"])
def test_a_file_that_is_not_what_its_ending_says_is_named(shop, name):
    shop.file(f"data/{name}", b"this is nothing of the kind")
    asset = shop.asset(name)

    with pytest.raises(MainstemError) as caught:
        shop.load(asset)

    assert f"data/{name}" in caught.value.summary
    assert caught.value.code in {"A3013", "A3021"}


def test_a_truncated_archive_is_named(shop):
    packed = gzip.compress(_many().encode())
    shop.file("data/t.csv.gz", packed[: len(packed) // 2])
    asset = shop.asset("t.csv.gz")

    with pytest.raises(MainstemError) as caught:
        shop.load(asset)

    assert "data/t.csv.gz" in caught.value.summary


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named(shop):
    path = shop.file("data/t.csv", "id\n1\n")
    path.chmod(0)
    asset = shop.asset("t.csv")

    with pytest.raises(SourceUnavailable) as caught:
        shop.load(asset)

    assert caught.value.code == "A3011"


def test_a_folder_is_not_a_file(shop):
    (shop.folder / "data" / "t.csv").mkdir(parents=True)
    asset = shop.asset("t.csv")

    with pytest.raises(SourceUnavailable) as caught:
        shop.load(asset)

    assert "is a folder" in caught.value.summary


def test_quarantined_rows_go_when_a_replaced_file_is_mended(shop):
    asset = shop.asset("t.csv")
    path = shop.file("data/t.csv", "id,name\n1,a\n2,b,c\n")
    shop.load(asset)
    before = len(shop.quarantined(asset))
    path.write_text("id,name\n1,a\n2,b\n")

    shop.load(asset)

    assert before == 1
    assert shop.quarantined(asset) == []


def test_a_rule_of_a_check_sets_rows_aside(shop):
    class Rule:
        check_id = "raw.t/between(x)"
        predicate = "x > 10"

    shop.file("data/t.csv", "id,x\n1,5\n2,50\n3,\n")
    asset = shop.asset("t.csv")

    outcome = shop.load(asset, quarantine=lambda schema: [Rule()])

    assert outcome.rows == {asset.key: 2}
    assert [row[3:] for row in shop.quarantined(asset)] == [("raw.t/between(x)", '{"id":2,"x":50}')]


@pytest.mark.parametrize(
    ("table", "code", "part"),
    [
        ("{files: t.csv, columns: {nam: text}}", "A3005", "Did you mean `name`?"),
        ("{files: t.csv, select: [nam]}", "A3005", "Did you mean `name`?"),
        ("{files: t.csv, key: nam}", "A3006", "Did you mean `name`?"),
        ('{files: t.csv, where: "nam = 1"}', "A3007", "nam"),
        ('{files: t.csv, where: "name ="}', "A3007", "where"),
        ("{files: t.csv, encoding: klingon}", "A3014", "klingon"),
    ],
)
def test_options_that_do_not_fit_the_file_are_named(shop, table, code, part):
    shop.file("data/t.csv", "id,name\n1,a\n")

    with pytest.raises(MainstemError) as caught:
        shop.load(shop.asset(table))

    assert caught.value.code == code
    assert part in str(caught.value)
    assert caught.value.where.file == "ingest/shop.yml"
