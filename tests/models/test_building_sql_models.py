# SPDX-License-Identifier: Apache-2.0
"""SQL models built on a real lake by the real engine: views, tables, ephemeral models."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mainstem.errors import Cancelled, ContractBroken, SqlInvalid, StepFailed
from mainstem.models import Rule
from mainstem.types import AssetKey, TableRef, ViewRef

TABLE = "/* ---\nmaterialized: table\n--- */\n"


def test_a_table_holds_the_rows_of_its_query(shop):
    shop.table("raw.orders", "select * from (values (1, 'a'), (2, 'b')) as v(id, name)")
    shop.write("models/marts/big.sql", TABLE + "select id * 10 as id10 from raw.orders")

    outcome = shop.build("marts.big")

    assert shop.all("marts.big") == [(10,), (20,)]
    assert outcome.rows == {AssetKey.parse("marts.big"): 2}


def test_a_view_stores_its_query_with_full_names_and_no_rows(shop):
    shop.table("raw.orders", "select 1 as id")
    shop.write("models/marts/v.sql", "select id from {{ ref('orders') }} as o")

    shop.build("marts.v")

    relation = shop.lake.relation(AssetKey.parse("marts.v"), "main")
    assert isinstance(relation, ViewRef)
    assert relation.sql == "select id from raw.orders as o"
    assert shop.all("marts.v") == [(1,)]


def test_a_view_is_not_defined_again_because_data_came(shop):
    shop.table("raw.orders", "select 1 as id")
    shop.write("models/marts/v.sql", "select id from raw.orders")
    shop.build("marts.v")
    shop.table("raw.orders", "select 2 as id")

    outcome = shop.build("marts.v")

    assert outcome.changes == ()
    assert outcome.unchanged == (AssetKey.parse("marts.v"),)
    assert shop.all("marts.v") == [(2,)]


def test_a_table_reads_views_over_views(shop):
    shop.table("raw.orders", "select unnest([1, 2, 3]) as id")
    shop.write("models/a/one.sql", "select id + 1 as id from raw.orders")
    shop.write("models/b/two.sql", "select id * 2 as id from a.one")
    shop.write("models/c/three.sql", TABLE + "select sum(id) as total from two")
    for key in ("a.one", "b.two", "c.three"):
        shop.build(key)

    assert shop.all("c.three") == [(18,)]


def test_ephemeral_models_are_part_of_the_query_that_reads_them(shop):
    shop.table("raw.orders", "select unnest([1, 2, 3]) as id")
    shop.write(
        "models/a/kept.sql",
        "/* ---\nmaterialized: ephemeral\n--- */\nselect id from raw.orders where id > 1 -- some",
    )
    shop.write(
        "models/a/moved.sql",
        "{{ config(materialized='ephemeral') }}select kept.id + 1 as id from {{ ref('kept') }}",
    )
    shop.write(
        "models/b/t.sql",
        TABLE + "with x as (select * from a.moved) select * from x union all select id from a.kept",
    )

    shop.build("b.t")

    assert shop.all("b.t") == [(2,), (3,), (3,), (4,)]
    assert shop.step("b.t").inputs == (AssetKey.parse("raw.orders"),)


def test_all_steps_of_a_run_see_one_time_also_through_views(shop):
    when = datetime(2020, 2, 29, 23, 59, tzinfo=UTC)
    shop.write("models/v.sql", "select now() as seen")
    shop.write("models/t.sql", TABLE + "select seen, current_date as day, now() from main.v")
    shop.build("main.v", when=when)

    shop.build("main.t", when=when)

    assert shop.all(
        "main.t",
        "seen = timestamptz '2020-02-29 23:59+00', day, columns(* exclude (seen, day)) = seen",
    ) == [(True, datetime(2020, 2, 29).date(), True)]
    relation = shop.lake.relation(AssetKey.parse("main.t"), "main")
    assert relation.schema.names == ("seen", "day", "now()")


def test_run_started_at_is_filled_in_when_the_model_runs(shop):
    shop.write("models/t.sql", TABLE + "select '{{ run_started_at.strftime('%Y-%m') }}' as month")

    shop.build("main.t", when=datetime(2031, 5, 1, tzinfo=UTC))

    assert shop.all("main.t") == [("2031-05",)]


def test_a_contract_that_is_kept_lets_the_table_pass(shop):
    shop.write(
        "models/t.sql",
        "/* ---\nmaterialized: table\ncontract: {id: bigint, name: text}\n--- */\n"
        "select 1::bigint as id, 'a' as name",
    )

    shop.build("main.t")

    assert shop.all("main.t") == [(1, "a")]


def test_a_broken_contract_names_every_column_that_breaks_it(shop):
    shop.write(
        "models/t.sql",
        "/* ---\nmaterialized: table\ncontract: {id: bigint, name: text}\n--- */\n"
        "select 1 as id, 2 as more",
    )

    with pytest.raises(ContractBroken) as caught:
        shop.build("main.t")

    assert caught.value.code == "A2050"
    assert "`id` is int, promised was long" in caught.value.summary
    assert "`name` (string) is missing" in caught.value.summary
    assert "`more` (int) was not promised" in caught.value.summary
    assert caught.value.where.file == "models/t.sql"


def test_rows_that_break_a_rule_go_to_the_quarantine(shop):
    shop.write("models/t.sql", TABLE + "select unnest([1, null, 300]) as n, random() as r")
    rules = [
        Rule(check_id="not_null(n)", predicate="n is null"),
        Rule(check_id="small", predicate="n > 100"),
    ]

    outcome = shop.build("main.t", quarantine=lambda schema: rules)

    assert shop.all("main.t", "n") == [(1,)]
    assert shop.all("main.t__quarantine", "n, quarantine_reason") == [
        (300, "small"),
        (None, "not_null(n)"),
    ]
    assert outcome.notes == ("2 rows quarantined in main.t__quarantine",)


def test_a_later_build_without_bad_rows_empties_the_quarantine(shop):
    rules = [Rule(check_id="small", predicate="n > 100")]
    shop.write("models/t.sql", TABLE + "select 300 as n")
    shop.build("main.t", quarantine=lambda schema: rules)
    shop.write("models/t.sql", TABLE + "select 3 as n")

    shop.build("main.t", quarantine=lambda schema: rules)

    assert shop.all("main.t__quarantine", "n") == []


def test_no_quarantine_table_appears_while_no_row_is_bad(shop):
    rules = [Rule(check_id="small", predicate="n > 100")]
    shop.write("models/t.sql", TABLE + "select 3 as n")

    outcome = shop.build("main.t", quarantine=lambda schema: rules)

    assert [change.key for change in outcome.changes] == [AssetKey.parse("main.t")]


def test_an_error_at_run_time_names_the_models_file(shop):
    shop.write(
        "models/marts/t.sql",
        TABLE + "select cast(x as int) as n from (values ('1'), ('no')) as v(x)",
    )

    with pytest.raises(StepFailed) as caught:
        shop.build("marts.t")

    assert caught.value.where.file == "models/marts/t.sql"
    assert caught.value.where.asset == "marts.t"


def test_a_table_without_rows_keeps_its_columns(shop):
    shop.write("models/t.sql", TABLE + "select 1 as a, 'x' as b where false")

    shop.build("main.t")

    relation = shop.lake.relation(AssetKey.parse("main.t"), "main")
    assert isinstance(relation, TableRef)
    assert relation.schema.names == ("a", "b")
    assert shop.all("main.t") == []


def test_an_unknown_column_is_told_with_its_line_though_the_engine_found_it(shop):
    shop.table("raw.orders", "select 1 as id, 2 as amount")
    text = "select\n  id,\n  amuont + 1 as more\nfrom {{ ref('orders') }}"
    shop.write("models/marts/t.sql", TABLE + text)

    with pytest.raises(SqlInvalid) as caught:
        shop.build("marts.t")

    error = caught.value
    assert error.code == "A2041"
    assert error.summary == "column `amuont` does not exist in raw.orders."
    assert error.known[0] == "amount"
    assert (error.where.file, error.where.line, error.where.column) == ("models/marts/t.sql", 6, 3)
    assert error.where.asset == "marts.t"


def test_an_error_that_only_the_engine_knows_has_the_models_line(shop):
    shop.table("raw.orders", "select 1 as id")
    text = "select\n  id,\n  no_such_function(id) as more\nfrom {{ ref('orders') }}"
    shop.write("models/marts/t.sql", TABLE + text)

    with pytest.raises(SqlInvalid) as caught:
        shop.build("marts.t")

    assert "no_such_function" in caught.value.summary
    assert (caught.value.where.file, caught.value.where.line) == ("models/marts/t.sql", 6)


def test_a_sum_that_overflows_names_the_column(shop):
    shop.write(
        "models/t.sql",
        TABLE + "select sum(n) as total from (values (9223372036854775807), (1)) as v(n)",
    )

    with pytest.raises(StepFailed) as caught:
        shop.build("main.t")

    assert "total" in caught.value.summary


def test_a_cancelled_step_says_so(shop):
    shop.write("models/t.sql", TABLE + "select count(*) as n from range(100000000000)")

    with pytest.raises(Cancelled):
        shop.execute(shop.step("main.t"), cancel=CancelsAtOnce())


class CancelsAtOnce:
    is_cancelled = True

    def on_cancel(self, stop):
        stop()
        return lambda: None
