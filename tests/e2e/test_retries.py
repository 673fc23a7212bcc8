# SPDX-License-Identifier: Apache-2.0
"""Retries and timeouts through the program: of Python, of SQL, of the whole run."""


def test_python_is_tried_again_after_the_exceptions_that_it_names(shop):
    shop.python(
        "if context.attempt < 3: raise ConnectionResetError('gone')\n    return orders",
        ", retries=2, retry_delay='1ms', retry_on=[ConnectionError]",
    )
    text = shop.text("models/marts/judged.py")
    shop.write("models/marts/judged.py", text.replace("orders: pa.Table)", "orders, context)"))

    shop.runs_well()

    assert shop.rows("marts.judged") == 3


def test_python_is_not_tried_again_after_others(shop):
    shop.python(
        "raise KeyError('typo')", ", retries=5, retry_delay='1ms', retry_on=[ConnectionError]"
    )

    told = shop.failed("A7110")

    assert "retry" not in told.casefold()


def test_the_run_says_how_often_assets_without_a_word_are_tried(shop):
    shop.python("raise ValueError('each time')")

    shop.failed("A7110", "run", "--retries", "1")

    steps = shop.query("select attempts from system.steps where asset = 'marts.judged'")
    assert steps == [{"attempts": 2}]


def test_a_query_is_stopped_at_its_timeout_and_tried_again(shop):
    endless = "select count(*) as n from range(10000000) a, range(10000000) b"
    shop.write(
        "models/marts/endless.sql",
        "/* ---\nmaterialized: table\ntimeout: 300ms\nretries: 1\nretry_delay: 1ms\n--- */\n"
        f"{endless}\n",
    )

    told = shop.failed("A6012")

    assert "(attempt 2)" in told


def test_a_run_that_takes_too_long_publishes_what_passed(shop):
    shop.python("time.sleep(600)")
    shop.table("models/marts/quick.sql", "select 1 as one")

    told = shop.failed("A6016", "run", "--run-timeout", "3s")

    assert "timeout of 3 s" in told
    assert shop.rows("marts.quick") == 1


def test_a_wrong_retry_option_is_named_with_its_line(shop):
    shop.write(
        "models/marts/quick.sql",
        "/* ---\nmaterialized: table\nretry_backoff: linear\n--- */\nselect 1 as one\n",
    )

    told = shop.refused("A1012")

    assert "models/marts/quick.sql:3" in told
    assert "exponential, fixed" in told
