# SPDX-License-Identifier: Apache-2.0
"""Sessions: apart from each other, stoppable from another thread, cheap to open."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from mainstem.engines import open_engine
from mainstem.engines.opening import usable_processors
from mainstem.errors import Cancelled, ConfigInvalid, SqlInvalid, StepFailed
from mainstem.types import machine_memory

ENDLESS = (
    "select count(*) from range(1000000) a, range(1000000) b where (a.range * b.range) % 7 = 1"
)


def test_what_one_session_registers_no_other_sees(engine, warehouse):
    with engine.session() as one, engine.session() as other:
        warehouse.build(one, "select 1 as a")
        one.register_arrow("frame", pa.table({"x": [1]}))

        for name in ("raw.t", "frame"):
            with pytest.raises(SqlInvalid):
                other.rows(f"select * from {name}")


def test_a_session_starts_empty_after_another_ended(engine, warehouse):
    with engine.session() as one:
        warehouse.build(one, "select 1 as a")

    with engine.session() as other, pytest.raises(SqlInvalid) as caught:
        other.rows("select * from raw.t")

    assert "mainstem_" not in str(caught.value)


def test_arrow_data_is_readable_with_and_without_a_namespace(session):
    session.register_arrow("frame", pa.table({"x": [1, 2]}))
    session.register_arrow("raw.frame", pa.table({"x": [3]}))

    assert session.rows("select sum(x) from (from frame union all from raw.frame)") == [(6,)]


def test_a_reader_is_written_once(session, warehouse):
    reader = pa.table({"x": list(range(1000))}).to_reader(max_chunksize=100)
    session.register_arrow("frame", reader)

    table = warehouse.build(session, "select * from frame")

    assert table.files[0].record_count == 1000


def test_python_variables_are_no_tables(session):
    leaked = pa.table({"x": [1]})

    with pytest.raises(SqlInvalid):
        session.rows("select * from leaked")
    assert leaked.num_rows == 1


def test_times_are_utc_whatever_the_machine_says(session):
    assert session.rows("select timestamptz '2020-01-01'::varchar") == [("2020-01-01 00:00:00+00",)]
    rows = session.rows("select timestamptz '2020-01-01 01:00:00+01' as t, null as n")
    assert rows[0][0].isoformat() == "2020-01-01T00:00:00+00:00"
    assert rows[0][1] is None


def test_parameters_are_bound(session):
    assert session.rows("select ?::int + 1", [41]) == [(42,)]
    assert session.arrow("select ? as x", ["a'b"]).to_pylist() == [{"x": "a'b"}]
    assert session.reader("select ?::int as x", [1]).read_all().to_pylist() == [{"x": 1}]


def test_settings_hold_for_one_session(engine):
    with engine.session(settings={"preserve_insertion_order": "false"}) as one:
        assert one.rows("select current_setting('preserve_insertion_order')") == [(False,)]
    with engine.session() as other:
        assert other.rows("select current_setting('preserve_insertion_order')") == [(True,)]


@pytest.mark.parametrize("settings", [{"no_such": "1"}, {"memory_limit": "1GB"}])
def test_a_setting_that_is_none_is_an_error(engine, settings):
    with pytest.raises(ConfigInvalid) as caught, engine.session(settings=settings):
        pass

    assert caught.value.code == "A7533"


def interrupt_soon(session):
    """Interrupt once the session is busy, from another thread."""

    def work():
        while session._idle.is_set():
            threading.Event().wait(0.001)
        session.interrupt()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_interrupt_stops_a_query_and_leaves_other_sessions_alone(engine):
    with engine.session() as one, engine.session() as other, ThreadPoolExecutor(1) as pool:
        thread = interrupt_soon(one)
        busy = pool.submit(other.rows, "select count(*) from range(3000000) t(i) where i % 7 = 1")

        with pytest.raises(Cancelled) as caught:
            one.rows(ENDLESS)

        thread.join()
        assert caught.value.code == "A7520"
        assert busy.result() == [(428572,)]


def test_interrupt_stops_a_write_and_leaves_no_file(engine, warehouse):
    with engine.session() as session:
        sql = "select a.range * b.range as x from range(1000000) a, range(1000000) b"
        schema = warehouse.with_ids(session.describe(sql))
        thread = interrupt_soon(session)

        with pytest.raises(Cancelled):
            session.write(sql, warehouse.target(schema))

        thread.join()
        assert warehouse.names() == []


def test_a_session_that_was_interrupted_runs_nothing_more(engine):
    with engine.session() as session:
        session.interrupt()

        with pytest.raises(Cancelled):
            session.rows("select 1")


def test_a_stream_can_be_interrupted_between_batches(engine):
    with engine.session() as session:
        reader = session.reader("select i from range(10000000) t(i)")
        first = reader.read_next_batch()
        session.interrupt()

        with pytest.raises(Cancelled):
            reader.read_all()
        assert first.num_rows > 0


def test_a_fault_in_the_middle_of_a_stream_is_our_error(session):
    reader = session.reader(
        "select (case when i = 900000 then 'x' else i::varchar end)::int as n"
        " from range(1000000) t(i)"
    )

    with pytest.raises(StepFailed) as caught:
        reader.read_all()

    assert "'x'" in caught.value.summary


def test_many_sessions_at_once_do_not_meet(engine, warehouse):
    def work(number):
        with engine.session() as session:
            table = warehouse.build(
                session, f"select {number} as a from range(1000)", prefix=f"p{number}"
            )
            return table.row_count, session.rows("select sum(a), count(*) from raw.t")

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(40)))

    assert [rows for _, rows in results] == [[(n * 1000, 1000)] for n in range(40)]


def test_an_engine_can_be_used_again_after_it_was_closed(tmp_path):
    engine = open_engine(temp_directory=tmp_path / "spill")
    with engine.session() as session:
        session.rows("select 1")
    engine.close()

    with engine.session() as session:
        assert session.rows("select 1") == [(1,)]
    engine.close()


def test_a_broken_instance_is_replaced(tmp_path):
    engine = open_engine(temp_directory=tmp_path / "spill")
    with engine.session() as session:
        session.saw_fatal_error = True
    broken = engine._instance

    with engine.session() as session:
        assert session.rows("select 1") == [(1,)]
    assert engine._instance is not broken
    engine.close()


def test_limits_of_the_machine_reach_duckdb(tmp_path):
    engine = open_engine(memory_limit="300MB", threads=1, temp_directory=tmp_path / "spill")
    with engine.session() as session:
        found = session.rows(
            "select current_setting('threads'), current_setting('memory_limit'),"
            " current_setting('temp_directory')"
        )
    engine.close()

    assert found == [(1, "286.1 MiB", str(tmp_path / "spill"))]
    assert usable_processors() >= 1
    assert machine_memory() > 2**28


def test_an_unknown_engine_names_the_nearest(tmp_path):
    with pytest.raises(ConfigInvalid) as caught:
        open_engine("duckbd", temp_directory=tmp_path)

    assert "`duckdb`" in caught.value.hint


def test_opening_an_engine_imports_nothing_heavy(tmp_path):
    program = (
        "import sys; from mainstem.engines import open_engine;"
        f"open_engine(temp_directory={str(tmp_path)!r});"
        "print([m for m in ('duckdb', 'pyarrow', 'sqlglot', 'pydantic') if m in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_nothing_is_loaded_from_the_network(session):
    rows = session.rows(
        "select name, value from duckdb_settings() where name like 'auto%known_extensions'"
    )

    assert {value for _, value in rows} == {"false"}


def test_records_are_rows_by_name_with_moments_in_utc(session):
    found = session.records(
        "select 1 as a, timestamptz '2020-01-01 01:00:00.5+01' as t, null::timestamptz as n"
    )

    assert [list(row) for row in found] == [["a", "t", "n"]]
    assert found[0]["t"].isoformat() == "2020-01-01T00:00:00.500000+00:00"
    assert (found[0]["a"], found[0]["n"]) == (1, None)


def test_a_query_is_described_anew_when_a_name_means_something_else(session):
    session.register_arrow("t", pa.table({"a": [1]}))
    before = session.describe("select * from t").names
    session.register_arrow("t", pa.table({"b": [1]}))

    assert (before, session.describe("select * from t").names) == (("a",), ("b",))


def test_a_query_is_described_by_one_like_it_without_a_look_at_itself(session):
    schema = session.describe("select a from nowhere", like="select null::BIGINT as a")

    assert [(field.name, str(field.type)) for field in schema] == [("a", "long")]
