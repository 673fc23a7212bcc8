# SPDX-License-Identifier: Apache-2.0
"""Pruning leaves out files that cannot match, and never one that can."""

import datetime as dt
import operator
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstem.lake.planner import Comparison, physical, prune, table_ref
from mainstem.lake.stats import CUT, cut_bytes_upwards, cut_upwards
from mainstem.types import LayoutColumn, Primitive

OPERATORS = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def pruned(lab, *conditions):
    return table_ref(lab.state, lab.manifests, lab.warehouse, lab.key, predicate=conditions).files


def test_bounds_and_partitions_leave_out_files(lab):
    for start in (0, 100, 200):
        values = range(start, start + 10)
        lab.write("append", pa.table({"id": values, "s": [f"s{n}" for n in values]}))

    assert len(pruned(lab, Comparison(column="ID", is_="=", value=105))) == 1
    assert len(pruned(lab, Comparison(column="id", is_=">", value=105))) == 2
    assert len(pruned(lab, Comparison(column="id", is_="in", value=[1, 205]))) == 2
    assert pruned(lab, Comparison(column="id", is_="=", value=55)) == ()
    assert pruned(lab, Comparison(column="id", is_="is null")) == ()
    assert len(pruned(lab, Comparison(column="id", is_="is not null"))) == 3
    assert len(pruned(lab, Comparison(column="unknown", is_="=", value=1))) == 3


def test_a_partition_of_time_leaves_out_files(lab):
    days = [dt.datetime(2013, month, 5) for month in range(1, 13)]
    lab.write(
        "append",
        pa.table({"at": pa.array(days, pa.timestamp("us"))}),
        partition_by=[LayoutColumn(column="at", transform="month")],
    )
    bare = [replace(file, lower_bounds={}, upper_bounds={}) for file in lab.files()]
    june = Comparison(column="at", is_=">=", value=dt.datetime(2013, 6, 20))

    assert len(prune(bare, [june], lab.state.schema, lab.state.specs)) == 7


def test_a_column_that_a_file_lacks_is_null_there(lab):
    lab.write("append", pa.table({"a": [1]}))
    lab.write("append", pa.table({"a": [2], "b": [5]}))

    assert len(pruned(lab, Comparison(column="b", is_="is null"))) == 1
    assert len(pruned(lab, Comparison(column="b", is_="=", value=5))) >= 1


def test_nan_is_greater_than_any_number(lab):
    lab.write("append", pa.table({"v": [1.0, float("nan")]}))

    assert len(pruned(lab, Comparison(column="v", is_=">", value=100.0))) == 1
    assert pruned(lab, Comparison(column="v", is_="<", value=0.0)) == ()


texts = st.text(max_size=40)
numbers = st.integers(-(2**63), 2**63 - 1)
moments = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31))


@pytest.mark.parametrize(
    ("of", "values"),
    [
        (pa.string(), texts),
        (pa.int64(), numbers),
        (pa.timestamp("us"), moments),
        (pa.date32(), st.dates()),
        (pa.binary(), st.binary(max_size=40)),
    ],
    ids=["string", "long", "timestamp", "date", "binary"],
)
def test_no_file_with_a_matching_row_is_left_out(lab, of, values):
    @settings(max_examples=40, deadline=None)
    @given(st.lists(values, min_size=1, max_size=5), values, st.sampled_from(sorted(OPERATORS)))
    def holds(content, value, is_):
        lab.branches["main"] = None
        lab.write("overwrite", pa.table({"v": pa.array(content, of)}))
        matches = any(OPERATORS[is_](own, value) for own in content)

        kept = pruned(lab, Comparison(column="v", is_=is_, value=value))

        assert kept or not matches

    holds()


@given(texts)
def test_an_upper_bound_of_text_is_short_and_above(text):
    bound = cut_upwards(text)

    assert bound is None or (bound >= text and len(bound) <= CUT)
    assert len(text) > CUT or bound == text


@given(st.binary(max_size=40))
def test_an_upper_bound_of_bytes_is_short_and_above(value):
    bound = cut_bytes_upwards(value)

    assert bound is None or (bound >= value and len(bound) <= CUT)


def test_there_is_nothing_above_the_highest():
    assert cut_upwards("\U0010ffff" * 40) is None
    assert cut_bytes_upwards(b"\xff" * 40) is None
    assert cut_upwards("\ud7ff" * 40)[-1] == "\ue000", "surrogates are no characters"


@pytest.mark.parametrize(
    ("value", "of", "expected"),
    [
        (dt.date(1969, 12, 31), "date", -1),
        (dt.datetime(1969, 12, 31, 23, 59, 59, 999999), "timestamp", -1),
        (dt.datetime(1970, 1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))), "timestamptz", 0),
        (dt.time(0, 0, 1), "time", 1_000_000),
        ("1.5", "decimal(9,2)", 150),
        (10**30, "decimal(38,2)", 10**32),
        (Decimal("9" * 36 + ".99"), "decimal(38,2)", 10**38 - 1),
        (Decimal("1.005"), "decimal(9,2)", Decimal("100.5")),
        (b"\x01\xff", "binary", "01ff"),
        (3, "double", 3.0),
        (True, "boolean", True),
    ],
)
def test_values_in_their_physical_form(value, of, expected):
    assert physical(value, Primitive(of)) == expected
