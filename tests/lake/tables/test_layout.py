# SPDX-License-Identifier: Apache-2.0
"""Layouts and transforms, held to PyIceberg's."""

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg import transforms
from pyiceberg.types import DateType, TimestampType

from mainstem.errors import SchemaDrifted
from mainstem.lake.arrow_types import schema_of_arrow
from mainstem.lake.evolution import assign_ids
from mainstem.lake.layout import assign_spec, layout_of
from mainstem.lake.partitioning import transform_column
from mainstem.lake.planner import physical, transformed
from mainstem.testing.tables import CountingAllocator
from mainstem.types import LayoutColumn, Primitive

THEIRS = {
    "year": transforms.YearTransform(),
    "month": transforms.MonthTransform(),
    "day": transforms.DayTransform(),
    "hour": transforms.HourTransform(),
}
BY_DAYS = ["year", "month", "day"]
moments = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30))


@given(values=st.lists(moments | st.none(), min_size=1), how=st.sampled_from(sorted(THEIRS)))
def test_transforms_of_timestamps_are_pyicebergs(values, how):
    column = pa.chunked_array([pa.array(values, pa.timestamp("us"))])
    theirs = THEIRS[how].transform(TimestampType())
    of = Primitive("timestamp")

    ours = transform_column(column, of, how).to_pylist()

    micros = [None if value is None else physical(value, of) for value in values]
    assert ours == [theirs(value) for value in micros]
    assert ours == [None if value is None else transformed(value, of, how) for value in micros]


@given(
    values=st.lists(st.dates() | st.none(), min_size=1),
    how=st.sampled_from(["year", "month", "day"]),
)
def test_transforms_of_dates_are_pyicebergs(values, how):
    column = pa.chunked_array([pa.array(values, pa.date32())])
    theirs = THEIRS[how].transform(DateType())
    of = Primitive("date")

    ours = transform_column(column, of, how).to_pylist()

    days = [None if value is None else physical(value, of) for value in values]
    assert ours == [theirs(value) for value in days]
    assert ours == [None if value is None else transformed(value, of, how) for value in days]


@pytest.fixture
def allocator():
    return CountingAllocator()


@pytest.fixture
def schema(allocator):
    arrow = pa.schema(
        [
            ("at", pa.timestamp("us")),
            ("at_month", pa.int64()),
            ("day", pa.date32()),
            ("s", pa.struct([("x", pa.int64())])),
        ]
    )
    return assign_ids(schema_of_arrow(arrow), None, allocator, replaces=True)


def test_a_partition_field_never_takes_a_columns_name(schema, allocator):
    columns = [LayoutColumn(column="AT", transform="month"), LayoutColumn(column="day")]

    spec = assign_spec(columns, schema, allocator)

    assert [part.name for part in spec.fields] == ["at_month_2", "day"]
    assert [part.field_id for part in spec.fields] == [1000, 1001]


def test_the_same_layout_is_the_same_spec(schema, allocator):
    columns = [LayoutColumn(column="day", transform="year")]

    first, second = (assign_spec(columns, schema, allocator) for _ in range(2))

    assert first == second
    assert first.spec_id != assign_spec([], schema, allocator).spec_id
    assert layout_of(first, schema) == tuple(columns)


@pytest.mark.parametrize(
    "column",
    [
        LayoutColumn(column="dya"),
        LayoutColumn(column="day", transform="hour"),
        LayoutColumn(column="at_month", transform="month"),
        LayoutColumn(column="s"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(schema, allocator, column):
    with pytest.raises(SchemaDrifted) as caught:
        assign_spec([column], schema, allocator)

    assert caught.value.code == "A5506"
    assert caught.value.hint


def test_a_column_named_twice_is_refused(schema, allocator):
    with pytest.raises(SchemaDrifted, match="twice"):
        assign_spec([LayoutColumn(column="day"), LayoutColumn(column="DAY")], schema, allocator)
