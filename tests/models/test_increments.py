# SPDX-License-Identifier: Apache-2.0
"""Incremental models: rows added, replaced by key or by partition, on a real lake."""

from __future__ import annotations

from datetime import date

import pytest

from mainstem.errors import AssetNotFound, ContractBroken, KeyNotUnique, ModelInvalid, SchemaDrifted
from mainstem.models import Rule
from mainstem.types import AssetKey

KEY = AssetKey.parse("marts.t")


def header(**options):
    lines = "\n".join(f"{name}: {value}" for name, value in options.items())
    return f"/* ---\nmaterialized: incremental\n{lines}\n--- */\n"


def orders(shop, *rows):
    values = ", ".join(f"({number}, date '{day}', {amount})" for number, day, amount in rows)
    shop.table("raw.orders", f"select * from (values {values}) as v(id, day, amount)")


def files(shop):
    return {file.path for file in shop.lake.relation(KEY, "main").files}


def test_without_a_key_newer_rows_are_added(shop):
    shop.write(
        "models/marts/t.sql",
        header() + "select id, day from raw.orders where {{ newer_than('day') }}",
    )
    orders(shop, (1, "2026-01-01", 10), (2, "2026-01-02", 20))
    shop.build(KEY)
    before = files(shop)
    orders(shop, (2, "2026-01-02", 99), (3, "2026-01-03", 30))

    outcome = shop.build(KEY)

    assert shop.all("marts.t", "id") == [(1,), (2,), (3,)]
    assert outcome.rows == {KEY: 1}
    assert outcome.changes[0].operation == "append"
    assert before < files(shop)


def test_with_a_key_rows_are_replaced(shop):
    text = (
        header(key="[id]")
        + "select id, amount, day from raw.orders where {{ newer_than('day', lookback='1 day') }}"
    )
    shop.write("models/marts/t.sql", text)
    orders(shop, (1, "2026-01-01", 10), (2, "2026-01-02", 20), (3, "2026-01-03", 30))
    shop.build(KEY)
    orders(shop, (1, "2026-01-01", 11), (3, "2026-01-03", 33), (4, "2026-01-04", 40))

    outcome = shop.build(KEY)

    assert shop.all("marts.t", "id, amount") == [(1, 10), (2, 20), (3, 33), (4, 40)]
    assert outcome.rows == {KEY: 2}
    assert outcome.changes[0].operation == "upsert"


def test_files_that_hold_none_of_the_keys_are_not_rewritten(shop):
    text = header(key="[id]") + "select id, amount from raw.orders"
    shop.write("models/marts/t.sql", text)
    orders(shop, (1, "2026-01-01", 1), (5, "2026-01-01", 5))
    shop.build(KEY)
    orders(shop, (10, "2026-01-01", 10), (15, "2026-01-01", 15))
    shop.build(KEY)
    orders(shop, (2, "2026-01-01", 2), (12, "2026-01-01", 12))
    shop.build(KEY)
    before = files(shop)
    orders(shop, (12, "2026-01-01", 99), (13, "2026-01-01", 13))

    outcome = shop.build(KEY)

    assert len(before) == 3
    assert len(outcome.changes[0].removed) == 1
    assert len(before & files(shop)) == 2
    assert shop.all("marts.t", "id, amount") == [
        (1, 1),
        (2, 2),
        (5, 5),
        (10, 10),
        (12, 99),
        (13, 13),
        (15, 15),
    ]


def test_keys_of_several_columns_and_types_are_matched(shop):
    text = header(key="[day, name]") + "select day, name, amount from raw.x"
    shop.write("models/marts/t.sql", text)
    shop.table(
        "raw.x",
        (
            "select date '2026-01-01' as day, 'a' as name, 1 as amount union all select date "
            "'2026-01-01', 'b', 2 union all select date '2026-01-02', 'a', 3"
        ),
    )
    shop.build(KEY)
    shop.table(
        "raw.x",
        (
            "select date '2026-01-01' as day, 'b' as name, 20 as amount union all select date "
            "'2026-01-02', 'b', 40"
        ),
    )

    shop.build(KEY)

    assert shop.all("marts.t") == [
        (date(2026, 1, 1), "a", 1),
        (date(2026, 1, 1), "b", 20),
        (date(2026, 1, 2), "a", 3),
        (date(2026, 1, 2), "b", 40),
    ]


def test_a_key_that_repeats_in_the_new_rows_is_refused_with_its_values(shop):
    shop.write("models/marts/t.sql", header(key="[id]") + "select id, amount from raw.orders")
    orders(shop, (1, "2026-01-01", 1))
    shop.build(KEY)
    orders(shop, (7, "2026-01-01", 1), (7, "2026-01-01", 2), (8, "2026-01-01", 3))

    with pytest.raises(KeyNotUnique) as caught:
        shop.build(KEY)

    assert caught.value.code == "A2048"
    assert "these keys come more than once: 7" in caught.value.summary
    assert shop.all("marts.t", "id") == [(1,)]


def test_a_key_that_repeats_on_the_first_build_is_refused_too(shop):
    shop.write("models/marts/t.sql", header(key="[id]") + "select id, amount from raw.orders")
    orders(shop, (7, "2026-01-01", 1), (7, "2026-01-01", 2))

    with pytest.raises(KeyNotUnique):
        shop.build(KEY)


def test_a_null_in_a_key_is_refused(shop):
    shop.write("models/marts/t.sql", header(key="[id]") + "select id, amount from raw.orders")
    orders(shop, ("null", "2026-01-01", 1))

    with pytest.raises(KeyNotUnique) as caught:
        shop.build(KEY)

    assert "1 row has a null in its key" in caught.value.summary


def test_delete_insert_replaces_all_rows_of_a_key_and_keeps_repeated_ones(shop):
    text = header(key="[id]", strategy="delete_insert") + "select id, amount from raw.orders"
    shop.write("models/marts/t.sql", text)
    orders(shop, (1, "2026-01-01", 1), (1, "2026-01-01", 2), (2, "2026-01-01", 3))
    shop.build(KEY)
    orders(shop, (1, "2026-01-01", 10), (1, "2026-01-01", 11), (3, "2026-01-01", 30))

    shop.build(KEY)

    assert shop.all("marts.t", "id, amount") == [(1, 10), (1, 11), (2, 3), (3, 30)]


def test_replace_partitions_replaces_the_partitions_that_come(shop):
    text = (
        header(strategy="replace_partitions", partition_by="[month(day)]")
        + "select id, day from raw.orders"
    )
    shop.write("models/marts/t.sql", text)
    orders(shop, (1, "2026-01-01", 1), (2, "2026-01-02", 1), (3, "2026-02-01", 1))
    shop.build(KEY)
    orders(shop, (9, "2026-01-31", 1))

    outcome = shop.build(KEY)

    assert outcome.changes[0].operation == "replace_partitions"
    assert shop.all("marts.t", "id") == [(3,), (9,)]


def test_is_incremental_chooses_the_branch_of_the_template(shop):
    text = header() + (
        "select id, {% if is_incremental() %}'later'{% else %}'first'{% endif %} as part "
        "from raw.orders"
        "{% if is_incremental() %} where id > (select max(id) from {{ this }}){% endif %}"
    )
    shop.write("models/marts/t.sql", text)
    orders(shop, (1, "2026-01-01", 1))
    shop.build(KEY)
    orders(shop, (1, "2026-01-01", 1), (2, "2026-01-01", 1))

    shop.build(KEY)

    assert shop.all("marts.t") == [(1, "first"), (2, "later")]


def test_a_full_refresh_replaces_all_rows(shop):
    shop.write(
        "models/marts/t.sql", header() + "select id from raw.orders where {{ newer_than('id') }}"
    )
    orders(shop, (1, "2026-01-01", 1), (2, "2026-01-01", 1))
    shop.build(KEY)
    orders(shop, (1, "2026-01-01", 1))

    shop.build(KEY, full_refresh=True)

    assert shop.all("marts.t") == [(1,)]


def test_the_plan_can_ask_for_all_rows(shop):
    shop.write(
        "models/marts/t.sql", header() + "select id from raw.orders where {{ newer_than('id') }}"
    )
    orders(shop, (1, "2026-01-01", 1), (2, "2026-01-01", 1))
    shop.build(KEY)
    orders(shop, (1, "2026-01-01", 1))

    shop.build(KEY, is_full_rebuild=True)

    assert shop.all("marts.t") == [(1,)]


def test_an_increment_without_rows_keeps_the_version(shop):
    shop.write(
        "models/marts/t.sql", header() + "select id from raw.orders where {{ newer_than('id') }}"
    )
    orders(shop, (1, "2026-01-01", 1))
    shop.build(KEY)

    outcome = shop.build(KEY)

    assert outcome.changes == ()
    assert outcome.unchanged == (KEY,)


def test_newer_than_lets_all_rows_in_while_the_table_is_empty(shop):
    shop.write(
        "models/marts/t.sql", header() + "select id from raw.orders where {{ newer_than('id') }}"
    )
    shop.table("raw.orders", "select 1 as id where false")
    shop.build(KEY)
    orders(shop, (1, "2026-01-01", 1))

    shop.build(KEY)

    assert shop.all("marts.t") == [(1,)]


def test_a_column_that_the_query_gains_is_added_and_null_in_old_rows(shop):
    shop.write("models/marts/t.sql", header(key="[id]") + "select id, amount from raw.orders")
    orders(shop, (1, "2026-01-01", 1), (2, "2026-01-01", 2))
    shop.build(KEY)
    shop.write("models/marts/t.sql", header(key="[id]") + "select id, amount, day from raw.orders")
    orders(shop, (2, "2026-01-02", 20))

    shop.build(KEY)

    assert shop.all("marts.t") == [(1, 1, None), (2, 20, date(2026, 1, 2))]


def test_a_column_that_the_query_loses_stays_null_in_new_rows(shop):
    shop.write("models/marts/t.sql", header() + "select id, amount from raw.orders")
    orders(shop, (1, "2026-01-01", 1))
    shop.build(KEY)
    shop.write("models/marts/t.sql", header() + "select id from raw.orders")
    orders(shop, (2, "2026-01-02", 20))

    shop.build(KEY)

    assert shop.all("marts.t") == [(1, 1), (2, None)]


def test_an_integer_column_widens_and_text_is_refused(shop):
    shop.write("models/marts/t.sql", header() + "select id from raw.x")
    shop.table("raw.x", "select 1::integer as id")
    shop.build(KEY)
    shop.table("raw.x", "select 5000000000 as id")
    shop.build(KEY)
    shop.table("raw.x", "select 'six' as id")

    with pytest.raises(SchemaDrifted):
        shop.build(KEY)

    assert shop.all("marts.t") == [(1,), (5000000000,)]


def test_newer_than_a_column_that_the_table_lacks_is_an_error_that_says_so(shop):
    shop.write(
        "models/marts/t.sql",
        header() + "select id as number from raw.orders where {{ newer_than('id') }}",
    )
    orders(shop, (1, "2026-01-01", 1))
    shop.build(KEY)

    with pytest.raises(AssetNotFound) as caught:
        shop.build(KEY)

    assert caught.value.code == "A2045"
    assert "`id`" in caught.value.hint


def test_a_key_column_that_is_not_selected_is_an_error_with_a_suggestion(shop):
    shop.write("models/marts/t.sql", header(key="[idd]") + "select id from raw.orders")
    orders(shop, (1, "2026-01-01", 1))

    with pytest.raises(ModelInvalid) as caught:
        shop.build(KEY)

    assert caught.value.code == "A2047"
    assert caught.value.hint == "Did you mean `id`?"


def test_a_key_is_found_again_in_another_partition(shop):
    text = header(key="[id]", partition_by="[month(day)]") + "select id, day from raw.orders"
    shop.write("models/marts/t.sql", text)
    orders(shop, (1, "2026-01-01", 1), (2, "2026-02-01", 1))
    shop.build(KEY)
    orders(shop, (1, "2026-02-15", 1), (3, "2026-03-01", 1))

    shop.build(KEY)

    assert shop.all("marts.t", "id, month(day)") == [(1, 2), (2, 2), (3, 3)]


def test_bad_rows_of_increments_gather_in_the_quarantine(shop):
    rules = [Rule(check_id="small", predicate="amount > 100")]
    shop.write(
        "models/marts/t.sql",
        header(key="[id]") + "select id, amount from raw.orders where {{ newer_than('id') }}",
    )
    orders(shop, (1, "2026-01-01", 1), (2, "2026-01-01", 999))
    shop.build(KEY, quarantine=lambda schema: rules)
    orders(shop, (3, "2026-01-01", 3), (4, "2026-01-01", 888))

    outcome = shop.build(KEY, quarantine=lambda schema: rules)

    assert shop.all("marts.t", "id") == [(1,), (3,)]
    assert shop.all("marts.t__quarantine", "id, amount") == [(2, 999), (4, 888)]
    assert outcome.notes == ("1 row quarantined in marts.t__quarantine",)


def test_lookback_reads_the_newest_rows_again(shop):
    text = header(key="[id]") + (
        "select id, day, amount from raw.orders where {{ newer_than('day', lookback='2 days') }}"
    )
    shop.write("models/marts/t.sql", text)
    orders(shop, (1, "2026-01-01", 1), (2, "2026-01-09", 1), (3, "2026-01-10", 1))
    shop.build(KEY)
    orders(shop, (1, "2026-01-01", 9), (2, "2026-01-09", 9), (3, "2026-01-10", 9))

    shop.build(KEY)

    assert shop.all("marts.t", "id, amount") == [(1, 1), (2, 9), (3, 9)]


def test_an_increment_of_a_contracted_model_keeps_the_contract(shop):
    text = header(contract="{id: integer}")
    shop.write("models/marts/t.sql", text + "select id from raw.orders")
    orders(shop, (1, "2026-01-01", 1))
    shop.build(KEY)
    shop.write("models/marts/t.sql", text + "select id::bigint as id from raw.orders")

    with pytest.raises(ContractBroken):
        shop.build(KEY)
