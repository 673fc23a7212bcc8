# SPDX-License-Identifier: Apache-2.0
"""Months built alone, held, deleted, filled back, swept up after; on SQLite and on PostgreSQL."""

from datetime import timedelta

import pytest

import mainstem as api
from mainstem.project import collect
from mainstem.types import SystemClock

pytestmark = pytest.mark.slow

MONTHLY = """\
/* ---
materialized: table
partitions: {by: month, column: ordered, start: 2024-01-01, end: 2024-07-01}
checks: [{not_null: [amount]}]
--- */
select ordered, id, amount from raw.orders
"""
COUNTED = """\
import pyarrow as pa
from mainstem import asset
from mainstem.partitions import monthly


@asset(partitions=monthly("2024-01-01", column="ordered", end="2024-07-01"))
def counted(monthly: pa.Table, context) -> pa.Table:
    first = monthly["ordered"].slice(0, 1)
    return pa.table({"ordered": first, "n": [monthly.num_rows] * len(first)})
"""
BAD = 4
"""The month that its check holds until the file is mended."""


class Later(SystemClock):
    """The machine's clock, two months ahead."""

    __slots__ = ()

    def now(self):
        return super().now() + timedelta(days=60)


def _orders(number):
    """Give a file with an order in each of six months; one of the first file has no amount."""
    lines = [
        f"{number * 10 + month},2024-0{month}-15,{'' if (number, month) == (1, BAD) else month}"
        for month in range(1, 7)
    ]
    return "id,ordered,amount\n" + "\n".join(lines) + "\n"


@pytest.fixture
def months(shop, database_url):
    shop.write(
        "mainstem.yml",
        f'name: shop\nlake: {{database: "{database_url}", warehouse: files}}\n'
        "serve: {lease: 2s, grace: 1s}\n",
    )
    for path in ("models/staging/orders.sql", "models/marts/totals.sql", "data/orders1.csv"):
        (shop.folder / path).unlink()
    shop.write("ingest/shop.yml", shop.text("ingest/shop.yml").replace("append", "replace"))
    shop.write("data/orders.csv", _orders(1))
    shop.write("models/parts/monthly.sql", MONTHLY)
    shop.write("models/parts/counted.py", COUNTED)
    return shop


def _built(shop, asset):
    with api.open(shop.folder) as project:
        return project.partitions(asset).built.text()


def _rows(shop):
    sums = "select count(*) as n, sum(amount) as amount from parts.monthly"
    counts = "select sum(n) as n from parts.counted"
    return shop.query(sums)[0], shop.query(counts)[0]


def _serve_until_filled(shop, number):
    server = shop.start("serve", "--no-http", "--json")
    try:
        for line in server.stdout:
            if '"launch"' in line and '"finished"' in line:
                shown = shop.call("backfill", "show", str(number), "--json").stdout
                if '"running"' not in shown:
                    return shown
    finally:
        server.terminate()
        server.communicate(timeout=60)
    raise AssertionError("the server ended before the backfill did")


def test_months_are_built_held_deleted_filled_and_swept_up_after(months):
    some = months.call("run", "--partition", "2024-01..2024-02")
    held = months.call("run")
    assert (some.returncode, held.returncode) == (0, 2), some.stderr + held.stderr
    assert _built(months, "parts.monthly") == "2024-01..2024-03,2024-05..2024-06"
    assert _built(months, "parts.counted") == "2024-01..2024-03,2024-05..2024-06"

    months.write("data/orders.csv", _orders(2))
    deleted = months.call("partitions", "parts.monthly", "--delete", "2024-01", "--yes")
    assert deleted.returncode == 0, deleted.stdout + deleted.stderr
    months.runs_well("raw.orders")
    made = months.call("backfill", "create", "parts.monthly+", "--chunk", "2")
    assert made.returncode == 0, made.stdout + made.stderr
    shown = _serve_until_filled(months, 1)

    assert '"succeeded"' in shown
    assert _built(months, "parts.monthly") == _built(months, "parts.counted") == "2024-01..2024-06"
    before = _rows(months)
    assert before == ({"n": 6, "amount": 21}, {"n": 6})
    files = sum(path.is_file() for path in (months.folder / "files").rglob("*"))
    with api.open(months.folder, clock=Later()) as project:
        collected = collect(project.services, project.recording, dry_run=False)
        assert collect(project.services, project.recording, dry_run=False).files == 0
    assert collected.files > 0
    assert collected.branches
    assert sum(path.is_file() for path in (months.folder / "files").rglob("*")) < files
    assert _rows(months) == before
    assert "Nothing to do" in months.runs_well()
