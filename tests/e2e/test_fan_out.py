# SPDX-License-Identifier: Apache-2.0
"""`context.map`: items in warm workers at once, results kept for other attempts, errors of each."""

import pytest

HEAD = """\
import os
from pathlib import Path

import pyarrow as pa
from mainstem import ItemFailed, asset

TRIES = Path(__file__).parents[2] / "tries"


def work(n):
    with TRIES.open("a") as tries:
        tries.write(f"{n} {os.getpid()}\\n")
    if n == 3 and not (TRIES.parent / "mended").exists():
        raise ConnectionError(f"no {n}")
    return n * 10


"""


def _model(shop, body, options=""):
    return shop.write(
        "models/marts/fanned.py",
        f"{HEAD}@asset({options})\ndef fanned(context) -> pa.Table:\n    {body}\n",
    )


def _tries(shop):
    return [line.split() for line in shop.text("tries").splitlines()]


def _values(shop):
    return [row["n"] for row in shop.query("select n from marts.fanned order by n")]


def test_a_thousand_items_are_done_in_other_workers_and_come_back_in_order(shop):
    _model(shop, 'return pa.table({"n": context.map(work, range(100, 1100))})')

    shop.runs_well("marts.fanned")

    assert _values(shop) == [n * 10 for n in range(100, 1100)]
    tries = _tries(shop)
    assert len(tries) == 1000
    assert len({pid for _, pid in tries}) > 1
    assert not list(shop.state.glob("logs/run-*/items"))


def test_another_attempt_does_only_the_items_that_failed(shop):
    mends = '(TRIES.parent / "mended").touch() if context.attempt > 1 else None'
    body = f'{mends}\n    return pa.table({{"n": context.map(work, range(6))}})'
    _model(shop, body, "retries=1, retry_delay='1ms', retry_on=[ConnectionError]")

    shop.runs_well("marts.fanned")

    assert _values(shop) == [0, 10, 20, 30, 40, 50]
    assert sorted(n for n, _ in _tries(shop)) == ["0", "1", "2", "3", "3", "4", "5"]


def test_items_that_fail_are_told_together(shop):
    _model(shop, 'return pa.table({"n": context.map(work, range(6))})')

    told = shop.failed("A7119", "run", "marts.fanned")

    assert "1 of 6 items" in told
    assert "no 3" in told


@pytest.mark.parametrize("function", ["work", "lambda n: work(n)"])
def test_failed_items_can_be_kept_among_the_results(shop, function):
    body = (
        f"found = context.map({function}, range(6), key=str, on_error='keep')\n"
        "    assert [each.key for each in found if isinstance(each, ItemFailed)] == ['3']\n"
        "    return pa.table({'n': [n for n in found if not isinstance(n, ItemFailed)]})"
    )
    _model(shop, body)

    shop.runs_well("marts.fanned")

    assert _values(shop) == [0, 10, 20, 40, 50]


def test_a_function_that_only_this_process_knows_keeps_its_results_too(shop):
    mends = '(TRIES.parent / "mended").touch() if context.attempt > 1 else None'
    body = f'{mends}\n    return pa.table({{"n": context.map(lambda n: work(n), range(6))}})'
    _model(shop, body, "retries=1, retry_delay='1ms'")

    shop.runs_well("marts.fanned")

    assert sorted(n for n, _ in _tries(shop)) == ["0", "1", "2", "3", "3", "4", "5"]


def test_equal_items_need_a_key(shop):
    _model(shop, 'return pa.table({"n": context.map(work, [1, 1])})')

    shop.failed("A7120", "run", "marts.fanned")
