# SPDX-License-Identifier: Apache-2.0
"""Integers that are read as doubles: what they cannot be fails, what they are stays."""

import duckdb
import pytest

from mainstem.ingest.strict import guarded, unguarded_column


def read(value, of):
    sql = f'select {guarded("n", of)} from (select ?::double as "n")'
    return duckdb.connect().execute(sql, [value]).fetchone()[0]


@pytest.mark.parametrize("of", ["BIGINT", "INTEGER", "UTINYINT"])
@pytest.mark.parametrize("value", [None, 0.0, 3.0, 127.0])
def test_an_integer_and_a_null_stay_what_they_are(value, of):
    assert read(value, of) == value


@pytest.mark.parametrize(
    ("value", "of"),
    [
        (1.5, "BIGINT"),
        (float("nan"), "BIGINT"),
        (float("inf"), "BIGINT"),
        (float("-inf"), "BIGINT"),
        (2.0**53, "BIGINT"),  # as 2^53 + 1 is read, too
        (-(2.0**53), "BIGINT"),
        (2.0**31, "INTEGER"),
        (256.0, "UTINYINT"),
        (-1.0, "UTINYINT"),
    ],
)
def test_what_is_no_integer_of_the_type_names_its_column(value, of):
    with pytest.raises(duckdb.Error) as caught:
        read(value, of)
    assert unguarded_column(str(caught.value)) == "n"
