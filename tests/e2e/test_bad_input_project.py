# SPDX-License-Identifier: Apache-2.0
"""A project that is wrong, through the real program: one clear error, nothing run, nothing lost."""

import pytest

INGEST = """\
type: files
path: data/
into: raw
tables:
  orders: {files: "orders*.csv", write: append}
"""


@pytest.mark.parametrize(
    ("path", "text", "code", "said"),
    [
        ("mainstem.yml", "name: shop\nenvirnments: {}\n", "A1010", "did you mean `environments`?"),
        ("mainstem.yml", "name: [1]\n", "A1011", "`name` is a list; allowed is text"),
        (
            "ingest/shop.yml",
            INGEST.replace("write:", "wrte:"),
            "A1010",
            "ingest/shop.yml:5:34",
        ),
        ("ingest/shop.yml", INGEST.replace("append", "apend"), "A1012", "did you mean `append`?"),
        ("ingest/shop.yml", INGEST.replace('"orders*.csv"', "3"), "A1011", "the number 3"),
        ("ingest/shop.yml", INGEST.replace("into:", "\tinto:"), "A1001", "Indent with spaces"),
        ("ingest/shop.yml", f"{INGEST}  orders: x.csv\n", "A1002", "already set in line 5"),
        (
            "models/m.yml",
            "assets:\n  - key: staging.orders\n    checks: [{uniqe: id}]\n",
            "A4001",
            "Did you mean `unique`?",
        ),
    ],
)
def test_an_unknown_key_or_type_in_yaml_is_one_error_that_names_the_place(
    shop, path, text, code, said
):
    shop.write(path, text)

    message = shop.refused(code)

    assert said in message
    assert path in message
    # What follows from the broken file is not reported: `raw.orders` is not unknown.
    assert "\n1 error; nothing was run." in message


def test_after_a_broken_file_is_mended_the_project_is_as_it_was(shop):
    shop.write("ingest/shop.yml", INGEST.replace("write:", "wrte:"))
    shop.refused("A1010")
    shop.write("ingest/shop.yml", INGEST)

    assert "Nothing to do" in shop.runs_well()


@pytest.mark.parametrize(
    ("select", "code", "place", "said"),
    [
        ("select 1 as n from staging.order", "A2003", "totals.sql:4:20", "`staging.orders`?"),
        ("select 1 as n,\n  sum(amout) as a from staging.orders", "A2041", ":5:7", "`amount`?"),
        ("select frm staging.orders", "A2010", "totals.sql:4:19", "Look at the word marked"),
        ("select 1 as a; select 2 as a", "A2011", "totals.sql:4:1", "found 2 statements"),
        ("drop table staging.orders", "A2011", "totals.sql:4:1", "found `drop`"),
        ("select * from {{ ref('order') }}", "A2003", "totals.sql:4:23", "did you mean"),
        ("select {{ ref('staging.orders') }}", "A2043", "totals.sql:4", "behind `from`"),
        ("select 1 as a\n{% if x %}", "A2020", "totals.sql:5", "not closed"),
        ("select\n  {{ nothing }} as b", "A2021", "totals.sql:5:6", "macros/"),
        ("select\n  {{ 1 / 0 }} as b", "A2025", "totals.sql:5:3", "division by zero"),
    ],
)
def test_wrong_sql_or_jinja_is_shown_in_the_line_of_the_source(shop, select, code, place, said):
    shop.table("models/marts/totals.sql", select)

    message = shop.refused(code)

    assert place in message
    assert said in message


def test_a_cycle_names_its_assets_and_files(shop):
    shop.table("models/marts/totals.sql", "select a from marts.other")
    shop.table("models/marts/other.sql", "select a from marts.totals")

    message = shop.refused("A2005")

    assert "marts.other -> marts.totals -> marts.other" in message
    assert "Break it in one of models/marts/other.sql, models/marts/totals.sql" in message


@pytest.mark.parametrize("name", ["totals.py", "Totals.sql"])
def test_two_assets_with_one_key_name_both_files(shop, name):
    if name == "Totals.sql":
        shop.table(f"models/marts/{name}", "select 1 as a")
    else:
        shop.write(
            f"models/marts/{name}",
            "import pyarrow as pa\nfrom mainstem import asset\n\n\n@asset()\n"
            "def totals() -> pa.Table:\n    return pa.table({'a': [1]})\n",
        )

    message = shop.refused("A2002")

    assert f"models/marts/{name}" in message
    assert "models/marts/totals.sql" in message


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"select '\xe9' as a\n", "A1063", "byte 0xe9 in line 1"),
        ("select 1 as a".encode("utf-16"), "A1063", "Save it in the encoding UTF-8"),
    ],
)
def test_a_model_that_is_no_utf_8_is_refused_rather_than_published_wrong(shop, content, code, said):
    shop.write("models/marts/odd.sql", content)

    assert said in shop.refused(code)


def test_a_byte_order_mark_is_no_part_of_a_model(shop):
    shop.write("models/marts/marked.sql", "\ufeffselect 1 as a\n")

    shop.runs_well()

    assert shop.query("select a from marts.marked") == [{"a": 1}]


def test_links_in_circles_are_named(shop):
    (shop.folder / "models/loop").symlink_to(shop.folder / "models")
    folder = shop.refused("A1064")
    (shop.folder / "models/loop").unlink()
    (shop.folder / "models/marts/l.sql").symlink_to("l.sql")
    file = shop.refused("A1064")

    assert "models/loop is a link to a folder that it is in" in folder
    assert "models/marts/l.sql cannot be read" in file


def test_a_folder_named_like_a_model_is_only_a_folder(shop):
    (shop.folder / "models/marts/dir.sql").mkdir()

    assert "Nothing to do" in shop.runs_well()


def test_names_that_are_words_of_sql_or_odd_can_be_built_and_read(shop):
    shop.table("models/marts/select.sql", 'select 1 as "order", 2 as "group by"')
    shop.table("models/marts/we ird's.sql", 'select * from marts."select"')

    shop.runs_well()

    assert shop.query('select * from marts."we ird\'s"') == [{"order": 1, "group by": 2}]


def test_a_folder_with_quotes_and_spaces_works(shop, tmp_path):
    shop.folder = shop.folder.rename(tmp_path / "a b'c\"ö%s")
    shop.state = shop.folder / ".mainstem"
    shop.write("data/orders2.csv", "id,amount\n4,40\n")

    shop.runs_well()

    assert shop.query("select count(*) as n from staging.orders") == [{"n": 4}]


@pytest.mark.parametrize("name", ["a..b", "a b", "main~1", "x@y", "../up", "x:y", "*", "a" * 300])
def test_a_branch_with_an_odd_name_is_refused_before_anything_runs(shop, name):
    message = shop.refused("A5014", "run", "--branch", name)

    assert "dev/alice" in message


@pytest.mark.parametrize(
    "sql",
    [
        "select 1; select 2",
        "drop table raw.orders",
        "copy (select 1) to 'x.csv'",
        "set threads = 1",
    ],
)
def test_a_query_is_one_select(shop, sql):
    shop.refused("A2011", "query", sql)

    assert not (shop.folder / "x.csv").exists()


def test_a_cache_that_other_code_wrote_is_not_used(shop):
    cache = shop.state / "cache" / "project-default.pickle"
    stamp_end = cache.read_bytes().index(b"/") + 1
    whole = cache.read_bytes()
    # One digit of the code's stamp: as another checkout of the same version would have it.
    digit = whole[stamp_end : stamp_end + 1]
    other = b"1" if digit != b"1" else b"2"
    cache.write_bytes(whole[:stamp_end] + other + whole[stamp_end + 1 :])

    assert "Nothing to do" in shop.runs_well()
    assert cache.read_bytes()[: len(whole)] != whole[:stamp_end] + other + whole[stamp_end + 1 :]
