# SPDX-License-Identifier: Apache-2.0
"""What steps took of the machine: measured where they ran, and honest about what else ran there."""

import threading

import apsw
import pytest

from mainstem import state
from mainstem.runs.meter import Meter
from mainstem.types import SystemClock


@pytest.fixture
def database_url(tmp_path):
    """One adapter is enough: bytes are counted where pages can be."""
    return f"sqlite:///{tmp_path / 'lake.db'}"


def _burn(times=300_000):
    total = 0
    for number in range(times):
        total += number * number
    return total


def test_an_attempt_that_ran_alone_is_measured_by_the_process():
    meter = Meter(SystemClock())
    mark = meter.begin()
    _burn()

    usage = meter.end(mark)

    assert usage.measured == "process"
    assert usage.cpu_s > 0.005


def test_what_attempts_took_at_the_same_time_is_called_shared():
    meter = Meter(SystemClock())
    first = meter.begin()
    second = meter.begin()

    shared = [meter.end(first).measured, meter.end(second).measured]
    alone = meter.end(meter.begin()).measured

    assert shared == ["shared", "shared"]
    assert alone == "process"


def test_memory_is_that_of_the_attempt_and_not_of_those_before_it():
    meter = Meter(SystemClock())
    pause = threading.Event()

    def peak_of(size):
        mark = meter.begin()
        data = b"x" * size
        pause.wait(0.06)
        del data
        pause.wait(0.06)
        return meter.end(mark).peak_memory

    large, small = peak_of(300_000_000), peak_of(1_000)

    assert large > 300_000_000
    assert small < large - 200_000_000


def test_rows_bytes_seconds_and_processor_time_are_recorded_for_each_asset(world):
    world.add("main.a")

    finished = world.run()

    (step,) = finished.steps
    with world.database.read() as transaction:
        (kept,) = state.steps(transaction, finished.run_id)
    assert (kept.row_count, kept.size_bytes) == (10, 100)
    assert kept.usage is not None
    assert kept.usage.measured == "process"
    assert step.size_bytes == 100


def test_the_run_state_of_a_materialization_fits_in_a_kilobyte(world):
    for number in range(150):
        world.add(f"marts.orders_by_customer_{number}")
    world.run()
    before = _state_bytes(world)
    for asset in list(world.assets):
        world.add(str(asset.key), code="2")

    world.run()

    assert (_state_bytes(world) - before) / 150 <= 1024


def _state_bytes(world):
    """Pages of all tables and indexes of run state; the catalog of the lake has its own life."""
    connection = apsw.Connection(f"{world.folder}/lake.db")
    connection.pragma("wal_checkpoint(truncate)")
    sizes = connection.execute(
        "select sum(pgsize) from dbstat where name not like '%lake%' and name not like 'sqlite_s%'"
    ).fetchall()
    connection.close()
    return sizes[0][0]
