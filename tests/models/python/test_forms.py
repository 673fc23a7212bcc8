# SPDX-License-Identifier: Apache-2.0
"""Data in and out of functions, in every form."""

import pyarrow as pa
import pytest

from mainstem.errors import MainstemError, ModelInvalid, SchemaDrifted, StepFailed
from mainstem.models.worker.message import Expected
from mainstem.models.worker.sink import Sink
from mainstem.types import AssetKey

FLIGHTS = pa.table({"origin": ["JFK", "EWR", None], "delay": pa.array([10, None, 3], pa.int64())})
ROWS = FLIGHTS.to_pylist()
HEAD = """
import duckdb, pandas as pd, polars as pl, pyarrow as pa
from mainstem import TableRef, asset
@asset
"""

PASSED_ON = {
    "arrow": "def a(flights: pa.Table) -> pa.Table:\n    return flights",
    "bare": "def a(flights):\n    assert type(flights) is pa.Table\n    return flights",
    "reader": "def a(flights: pa.RecordBatchReader):\n    return flights",
    "polars": "def a(flights: pl.DataFrame) -> pl.DataFrame:\n    return flights",
    "lazy": "def a(flights: pl.LazyFrame) -> pl.LazyFrame:\n    return flights",
    "duckdb": "def a(flights: duckdb.DuckDBPyRelation):\n    return flights.filter('true')",
    "reference": "def a(flights: TableRef) -> TableRef:\n    return flights",
    "batches": "def a(flights: pa.RecordBatchReader):\n    yield from flights",
    "tables": "def a(flights: pa.Table):\n    yield flights[:1]\n    yield flights[1:]",
    "rows": "def a(flights: pa.Table):\n    return flights.to_pylist()",
    "yielded_rows": "def a(flights: pa.Table):\n    yield from flights.to_pylist()",
    "listed": "def a(flights: pa.Table):\n    return [flights.slice(0, 2), flights.slice(2)]",
    "capsule": "class C:\n    def __init__(self, t): self.t = t\n"
    "    def __arrow_c_stream__(self, s=None): return self.t.__arrow_c_stream__(s)\n"
    "@asset\ndef a(flights: pa.Table):\n    return C(flights)",
}


@pytest.mark.parametrize("body", PASSED_ON.values(), ids=list(PASSED_ON))
@pytest.mark.parametrize("source", ["table", "view"])
def test_rows_pass_through_each_form_unchanged(world, body, source):
    world.put("raw.source" if source == "view" else "raw.flights", FLIGHTS)
    if source == "view":
        world.put_view("raw.flights", "select * from raw.source", FLIGHTS, ["raw.source"])
        if "TableRef" in body:
            pytest.skip("a view has no files")
    head = HEAD.replace("@asset", "") if body.startswith("class") else HEAD
    outcome = world.build(head + body + "\n")

    assert world.rows() == ROWS
    assert list(outcome.rows.values()) == [3]


def test_pandas_has_its_own_nulls_and_drops_unnamed_indexes(world):
    world.put("raw.flights", FLIGHTS)
    world.build(
        HEAD + "def a(flights: pd.DataFrame) -> pd.DataFrame:\n"
        "    assert flights.delay.isna().sum() == 1\n"
        "    return flights[flights.delay > 5]\n"
    )

    assert world.rows() == [{"origin": "JFK", "delay": 10.0}]


def test_named_indexes_of_pandas_become_columns(world):
    world.put("raw.flights", FLIGHTS)
    world.build(
        HEAD + "def a(flights: pd.DataFrame):\n    return flights.groupby('origin').mean()\n"
    )

    assert world.rows() == [{"origin": "EWR", "delay": None}, {"origin": "JFK", "delay": 10.0}]


def test_an_empty_table_keeps_its_columns(world):
    world.put("raw.flights", FLIGHTS.slice(0, 0))
    world.build(HEAD + "def a(flights: pl.LazyFrame):\n    return flights\n")

    assert world.rows() == []
    assert world.lake.relation(AssetKey("marts", "a")).schema.names == ("origin", "delay")


def test_rows_may_lack_columns_and_have_none(world):
    world.build(
        HEAD
        + "def a():\n    yield {'x': 1}\n    yield {'y': 'b', 'x': None}\n    yield {'x': 2.5}\n"
    )

    assert world.rows() == [
        {"x": 1.0, "y": None},
        {"x": None, "y": "b"},
        {"x": 2.5, "y": None},
    ]


def test_chunks_of_different_widths_are_united(world):
    world.build(
        HEAD + "def a():\n    yield pa.table({'x': pa.array([1], pa.int32())})\n"
        "    yield pa.table({'x': [2**40], 'y': ['b']})\n"
    )

    assert world.rows() == [{"x": 1, "y": None}, {"x": 2**40, "y": "b"}]


def test_pieces_are_written_when_they_fill_memory(world):
    key = AssetKey("marts", "a")
    expected = Expected(key=key, mode="overwrite")
    sink = Sink(expected, world.told, flush_bytes=1000)
    for start in range(0, 1000, 100):
        sink.add(pa.table({"x": range(start, start + 100)}))
    (written,) = sink.close()

    assert written.rows == 1000
    assert len(written.added) == 5


def test_pieces_that_do_not_fit_those_written_are_refused(world):
    sink = Sink(
        Expected(key=AssetKey("marts", "a"), mode="overwrite"),
        world.told,
        flush_bytes=1,
    )
    sink.add(pa.table({"x": [1]}))

    with pytest.raises(SchemaDrifted) as more:
        sink.add(pa.table({"x": [1], "late": [2]}))
    with pytest.raises(SchemaDrifted) as other:
        sink.add(pa.table({"x": ["text"]}))
    assert "`late`" in more.value.summary
    assert other.value.code == "A7114"


WRONG = {
    "number": ("return 3", "`int`"),
    "text": ("return 'abc'", "`str`"),
    "none": ("return None", "None"),
    "numbers": ("return [1, 2]", "`int`"),
    "yielded_none": ("yield None", "None"),
    "array": ("return pa.array([1])", "pyarrow.lib.Int64Array"),
    "series": ("return pl.Series([1])", "Series"),
}


@pytest.mark.parametrize(("body", "named"), WRONG.values(), ids=list(WRONG))
def test_the_wrong_type_is_named_with_what_is_allowed(world, body, named):
    with pytest.raises(StepFailed) as caught:
        world.build(HEAD + f"def a() -> pa.Table:\n    {body}\n")

    assert caught.value.code == "A7113"
    assert named in caught.value.summary
    assert "pl.LazyFrame" in caught.value.summary
    assert caught.value.where.asset == "marts.a"


def test_an_effect_that_returns_something_is_told(world):
    with pytest.raises(StepFailed) as caught:
        world.build(HEAD + "def a() -> None:\n    return 3\n")

    assert caught.value.code == "A7113"
    assert "`int`" in caught.value.summary


def test_a_generator_that_yields_nothing_says_why_that_is_no_table(world):
    with pytest.raises(StepFailed) as caught:
        world.build(HEAD + "def a():\n    yield from ()\n")

    assert caught.value.code == "A7114"


def test_values_without_a_common_type_name_the_column(world):
    with pytest.raises(SchemaDrifted) as caught:
        world.build(HEAD + "def a():\n    return [{'x': 1}, {'x': 'b'}]\n")

    assert caught.value.code == "A7114"
    assert "`x`" in caught.value.summary


NO_TABLE = {
    "mixed": "return pd.DataFrame({'x': [1, 'b']})",
    "no_columns": "return pa.table({})",
    "empty_dicts": "return [{}, {}]",
    "twins": "return pa.table([[1], [2]], names=['x', 'X'])",
    "twice": "return pa.table([[1], [2]], names=['x', 'x'])",
    "objects": "return pl.DataFrame({'x': [object()]})",
}


@pytest.mark.parametrize("body", NO_TABLE.values(), ids=list(NO_TABLE))
def test_frames_that_are_no_tables_are_told_and_the_worker_lives(world, body):
    with pytest.raises(MainstemError) as caught:
        world.build(HEAD + f"def a():\n    {body}\n")

    assert caught.value.code in {"A7110", "A7114", "A5501", "A5502"}
    assert caught.value.where.asset == "marts.a"


def test_a_column_type_that_no_table_holds_names_the_column(world):
    with pytest.raises(SchemaDrifted) as caught:
        world.build(
            HEAD + "def a():\n    return pa.table({'x': pa.array([1], pa.duration('s'))})\n"
        )

    assert "`x`" in caught.value.summary


def test_a_view_cannot_come_as_a_table_reference(world):
    world.put("raw.source", FLIGHTS)
    world.put_view("raw.flights", "select * from raw.source", FLIGHTS, ["raw.source"])
    with pytest.raises(ModelInvalid) as caught:
        world.build(HEAD + "def a(flights: TableRef):\n    return []\n")

    assert caught.value.code == "A7117"


def test_a_column_added_after_some_files_is_null_in_them_in_lazy_frames(world):
    world.put("raw.flights", FLIGHTS)
    text = (
        "import polars as pl, pyarrow as pa\nfrom mainstem import asset\n"
        "@asset(materialized='incremental')\n"
        "def a(flights: pa.Table, this: pl.LazyFrame | None):\n"
        "    if this is None: return flights\n"
        "    assert this.collect().height == 3\n"
        "    return flights.append_column('new', pa.array([1, 2, 3]))\n"
    )
    step = world.step(text)
    world.execute(step)
    world.execute(step)
    world.build(
        "import polars as pl\nfrom mainstem import asset\n@asset\n"
        "def b(a: pl.LazyFrame):\n    return a.select(pl.col('new').sum(), pl.len())\n"
    )

    assert world.rows("marts.b") == [{"new": 6, "len": 6}]
