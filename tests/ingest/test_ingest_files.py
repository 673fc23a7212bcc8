# SPDX-License-Identifier: Apache-2.0
"""What ingest/NAME.yml may say, and what is wrong with it."""

import pickle
from pathlib import Path

import pytest

from mainstem.errors import ConfigInvalid, ErrorGroup
from mainstem.ingest import load_ingest_file, preview, suggest_ingest_file
from mainstem.types import AssetKey, LayoutColumn

NYC = """
type: files
path: data/
into: raw
tags: [nyc]
defaults: {null_values: ["", NA]}
tables:
  flights: {files: "flights*.csv.zip", write: append, partition_by: [carrier, month(time_hour)]}
  weather:
    files: weather.csv
    key: [origin, time_hour]
    checks: [{row_count: {min: 1}}]
    columns:
      time_hour: timestamptz
      wind_gust: {type: double, description: in mph, checks: [{between: {min: 0}}]}
      temp: {rename: temperature, checks: not_null}
  planes: planes.csv
"""


def load(text):
    return load_ingest_file(text, "ingest/nyc.yml")


def faults(text):
    with pytest.raises((ConfigInvalid, ErrorGroup)) as caught:
        load(text)
    return list(getattr(caught.value, "errors", [caught.value]))


def test_the_file_of_the_grammar_becomes_assets():
    flights, weather, planes = load(NYC)

    assert flights.key == AssetKey("raw", "flights")
    assert (flights.kind, flights.materialized, flights.line, flights.tags) == (
        "file",
        "table",
        8,
        ("nyc",),
    )
    assert flights.partition_by == (
        LayoutColumn(column="carrier"),
        LayoutColumn(column="time_hour", transform="month"),
    )
    assert [asset.definition.write for asset in (flights, weather, planes)] == [
        "append",
        "upsert",
        "replace",
    ]
    assert weather.row_key == ("origin", "time_hour")
    assert planes.definition.null_values == ("", "NA")
    assert weather.columns["wind_gust"] == {"type": "double", "description": "in mph"}


def test_checks_are_kept_as_written_with_column_and_line():
    weather = load(NYC)[1]

    found = [(check.value, check.column, check.line) for check in weather.definition.raw_checks]
    assert found == [
        ({"row_count": {"min": 1}}, None, 12),
        ({"between": {"min": 0}}, "wind_gust", 15),
        ("not_null", "temperature", 16),
    ]


def test_the_namespace_is_the_files_name_unless_it_is_set():
    asset = load("type: files\ntables: {planes: {files: p.csv, as: aircraft}}\n")[0]

    assert str(asset.key) == "nyc.aircraft"


def test_assets_can_be_kept_in_a_cache():
    assets = load(NYC)

    assert pickle.loads(pickle.dumps(assets)) == assets


def test_the_code_version_follows_what_shapes_data_alone():
    def version(table, more=""):
        return load(f"type: files\npath: d\n{more}tables: {{t: {table}}}\n")[0].code_version

    plain = version("{files: t.csv}")
    assert version("t.csv") == plain
    assert version("{files: t.csv, description: x, owner: y, tags: [z], checks: [a]}") == plain
    assert version("{files: t.csv, columns: {}}", "\n\n") == plain
    assert version("{files: t.csv, null_values: [NA]}") != plain
    assert version("{files: t.csv, columns: {a: int}}") != plain
    assert version("{files: t.csv, partition_by: [a]}") != plain


@pytest.mark.parametrize(
    ("table", "code", "part"),
    [
        ("{files: t.csv, wirte: append}", "A1010", "Did you mean `write`?"),
        ("{files: t.csv, write: upset}", "A1012", "Did you mean `upsert`?"),
        ("{files: t.csv, write: upsert}", "A3002", "key: [order_id]"),
        ("{files: t.csv, write: history}", "A3001", "`write: history`"),
        ("{files: t.csv, cursor: at}", "A3001", "incremental by their identity"),
        ("{files: t.csv, fresh_for: 1h}", "A3001", "looked at each time"),
        ("{files: t.csv, nested: tables}", "A3001", "json or struct"),
        ("{files: t.csv, columns: {a: {pii: hash}}}", "A3001", "`pii:`"),
        ("{files: t.csv, columns: {a: itn}}", "A3004", "Did you mean `int`?"),
        ("{files: t.csv, columns: {a: 'int; drop table x'}}", "A3004", "is not a type"),
        ("{files: t.csv, columns: {a: {type: 'decimal(99,2)'}}}", "A3004", "is not a type"),
        ("{files: t.csv, columns: {a: {rename: x}, X: int}}", "A3003", "would both be called"),
        ("{files: t.csv, partition_by: [week(a)]}", "A1012", "month(time_hour)"),
        ("{files: t.csv, skip: -1}", "A1012", "at least 0"),
        ("{write: append}", "A1013", "needs the key `files`"),
        ("", "A1011", "`t` is empty"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(table, code, part):
    error = faults(f"type: files\ntables:\n  t: {table}\n")[0]

    assert error.code == code
    assert part in str(error)
    assert error.where.line == 3


def test_all_faults_of_a_file_are_reported():
    found = faults("type: files\ntables:\n  a: {files: a.csv, wirte: x}\n  b: {fles: b.csv}\n")

    assert [(error.code, error.where.line) for error in found] == [("A1010", 3), ("A1010", 4)]


@pytest.mark.parametrize("kind", ["rest", "database", "singer", "python"])
def test_other_sources_say_that_they_cannot_be_used_yet(kind):
    error = faults(f"type: {kind}\nbase_url: x\ntables: {{a: {{path: /a}}}}\n")[0]

    assert error.code == "A3001"
    assert f"type `{kind}` cannot be loaded yet" in error.summary


def test_a_misspelled_type_is_named_with_the_nearest_key():
    found = faults("typ: files\ntables: {a: a.csv}\n")

    assert [(error.code, error.hint) for error in found] == [
        ("A1010", "Did you mean `type`?"),
        ("A1013", "Kind of source."),
    ]


def test_an_unknown_type_is_named_with_the_nearest():
    error = faults("type: fils\ntables: {a: a.csv}\n")[0]

    assert (error.code, error.hint) == ("A1012", "Did you mean `files`?")


def test_a_preview_tells_dialect_types_and_words_that_look_like_null(shop):
    shop.file("data/t.csv", "id;x\n1;NA\n2;5\n")

    found = preview(shop.asset("t.csv"), shop.engine, project_folder=shop.folder)

    assert found.dialects == ('delimiter semicolon, quote ", header',)
    assert [(field.name, str(field.type)) for field in found.columns] == [
        ("id", "long"),
        ("x", "string"),
    ]
    assert found.rows == ((1, "NA"), (2, "5"))
    assert found.null_words == ("NA",)


def test_a_suggested_ingest_file_loads_the_file(shop):
    path = shop.file("data/Sales 2024.csv", "id,x\n1,NA\n2,5\n")

    text = suggest_ingest_file(path, shop.folder)
    asset = load_ingest_file(text, "ingest/sales.yml")[0]
    shop.load(asset)

    assert str(asset.key) == "raw.sales_2024"
    assert shop.rows(asset) == [(1, None), (2, 5)]


def test_a_file_of_an_unknown_kind_gets_no_suggestion():
    with pytest.raises(ConfigInvalid) as caught:
        suggest_ingest_file(Path("x.docx"), Path())

    assert caught.value.code == "A3016"
