# SPDX-License-Identifier: Apache-2.0
"""Which queries a new column of an input could change though they do not name it."""

import pytest

from mainstem.sql import compares_unnamed, parse


@pytest.mark.parametrize(
    "sql",
    [
        "select count(*) as n from (select distinct * from a)",
        "select id from (select * from a union select * from b)",
        "select a.id from a natural join b",
        "select max(columns(*)) from a",
        "from a select distinct *",
    ],
)
def test_what_compares_whole_rows_may_change(sql):
    assert compares_unnamed(parse(sql))


@pytest.mark.parametrize(
    "sql",
    [
        "select id, count(*) as n from a group by id",
        "with a1 as (select * from a) select id from a1 join b using (id)",
        "select distinct id from a",
        "select id from a union all select id from b",
    ],
)
def test_what_names_its_columns_does_not(sql):
    assert not compares_unnamed(parse(sql))
