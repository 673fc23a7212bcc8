# SPDX-License-Identifier: Apache-2.0
"""Views of `select *` follow what they read, and so does what reads them."""


def test_a_new_column_of_a_source_goes_through_a_view_of_all_columns(shop):
    shop.write("models/staging/orders.sql", "select * from raw.orders")
    shop.write("models/marts/large.sql", "/* ---\nmaterialized: table\n--- */\nfrom staging.orders")
    shop.run()
    shop.write("data/orders.csv", "id,amount,channel\n1,2,web\n")

    shop.run()

    with shop.open() as project:
        expected = [{"id": 1, "amount": 2, "channel": "web"}]
        assert project.sql("select * from staging.orders").to_pylist() == expected
        assert project.sql("select * from marts.large").to_pylist() == expected


def test_a_view_of_all_columns_follows_another_type_and_forgets_what_is_gone(shop):
    shop.write("models/staging/orders.sql", "select * from raw.orders")
    shop.write("models/marts/large.sql", "/* ---\nmaterialized: table\n--- */\nfrom staging.orders")
    shop.run()
    shop.write("data/orders.csv", "id\nabc\n")

    shop.run()

    with shop.open() as project:
        assert project.sql("select * from staging.orders").to_pylist() == [{"id": "abc"}]
        assert project.sql("select * from marts.large").to_pylist() == [{"id": "abc"}]
