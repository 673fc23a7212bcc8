# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in a query or on the disk becomes an error that says who must act."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from mainstem.engines import open_engine
from mainstem.errors import SourceUnavailable, SqlInvalid, StepFailed, StorageFailed


def test_a_syntax_error_has_its_place(session):
    with pytest.raises(SqlInvalid) as caught:
        session.describe("select 1,\n  2 3 4\nfrom t")

    where = caught.value.where
    assert caught.value.code == "A7501"
    assert (where.line, where.excerpt) == (2, "  2 3 4")


def test_an_unknown_column_has_its_place_and_the_nearest(session, warehouse):
    warehouse.build(session, "select 1 as dep_delay, 2 as other")

    with pytest.raises(SqlInvalid) as caught:
        session.describe("select\n  'ä', avg(dep_dely) as x\nfrom raw.t")

    where = caught.value.where
    assert caught.value.code == "A7502"
    assert (where.line, where.column, where.length) == (2, 12, 8)
    assert caught.value.hint == "Did you mean `dep_delay`?"


def test_an_unknown_table_names_the_nearest(session, warehouse):
    warehouse.build(session, "select 1 as a", key="raw.flights")

    with pytest.raises(SqlInvalid) as caught:
        session.rows("select * from raw.flihgts")

    assert caught.value.code == "A7502"
    assert "flights" in caught.value.hint
    assert "mainstem_" not in str(caught.value.to_json())


def test_a_value_that_does_not_convert_has_its_place(session, warehouse):
    sql = "select 1 as a,\n  s::int as b from (select 'n/a' as s)"
    schema = warehouse.with_ids(session.describe(sql))

    with pytest.raises(StepFailed) as caught:
        session.write(sql, warehouse.target(schema))

    assert caught.value.code == "A7510"
    assert caught.value.where.line == 2
    assert "'n/a'" in caught.value.summary
    assert "{" not in caught.value.summary


def test_a_sum_that_overflows_names_its_column_and_leaves_no_file(session, warehouse):
    sql = "select sum(i) as total from (values (9223372036854775807), (1)) t(i)"
    schema = warehouse.with_ids(session.describe(sql))

    with pytest.raises(StepFailed) as caught:
        session.write(sql, warehouse.target(schema))

    assert caught.value.code == "A7511"
    assert "`total`" in caught.value.summary
    assert "9223372036854775808" in caught.value.summary
    assert warehouse.names() == []


def test_an_addition_that_overflows_is_a_failed_step(session):
    with pytest.raises(StepFailed) as caught:
        session.rows("select 9223372036854775807::bigint + i from range(2) t(i)")

    assert "Overflow" in caught.value.summary


def test_what_the_query_raises_itself_is_shown(session):
    with pytest.raises(StepFailed) as caught:
        session.rows("select error('three of a kind')")

    assert caught.value.summary == "three of a kind."


def test_a_file_of_the_user_that_is_missing_is_no_fault_of_the_lake(session, tmp_path):
    with pytest.raises(SourceUnavailable) as caught:
        session.rows(f"select * from read_csv('{tmp_path}/nowhere.csv')")

    assert "nowhere.csv" in caught.value.summary


def test_too_little_memory_says_so(tmp_path):
    engine = open_engine(memory_limit="20MB", threads=1, temp_directory=tmp_path / "spill")
    with engine.session() as session, pytest.raises(StorageFailed) as caught:
        session.rows("select list(i || repeat('x', 200)) from range(500000) t(i)")
    engine.close()

    assert caught.value.code == "A7512"


def test_a_full_spill_folder_is_a_full_disk(tmp_path):
    engine = open_engine(memory_limit="60MB", threads=1, temp_directory=tmp_path / "spill")
    with engine.session() as session:
        session.rows("set global max_temp_directory_size = '1MB'")
        with pytest.raises(StorageFailed) as caught:
            session.rows("select count(distinct i || repeat('x', 50)) from range(2000000) t(i)")
    engine.close()

    assert caught.value.code == "A5512"


def test_a_disk_that_is_full_while_writing_is_said_and_nothing_stays(tmp_path):
    program = f"""
        import resource, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        from conftest import Warehouse
        from mainstem.engines import open_engine
        from mainstem.errors import StorageFailed

        warehouse = Warehouse(Path({str(tmp_path)!r}) / "warehouse")
        engine = open_engine(temp_directory={str(tmp_path / "spill")!r})
        with engine.session() as session:
            sql = "select hash(i) as h from range(1000000) t(i)"
            schema = warehouse.with_ids(session.describe(sql))
            target = warehouse.target(schema)
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
            try:
                session.write(sql, target)
            except StorageFailed as error:
                print(error.code, warehouse.names())
    """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "A5512 []", done.stderr


def test_a_disk_that_is_full_at_fsync_is_said(session, warehouse, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    schema = warehouse.with_ids(session.describe("select 1 as a"))
    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StorageFailed) as caught:
        session.write("select 1 as a", warehouse.target(schema))

    assert caught.value.code == "A5512"
    assert "the disk is full" in caught.value.summary
    assert warehouse.names() == []


def test_a_spill_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    engine = open_engine(temp_directory=tmp_path / "file" / "spill")

    with pytest.raises(StorageFailed) as caught, engine.session():
        pass

    assert caught.value.code == "A5512"


def test_a_failed_query_leaves_the_session_usable(session):
    with pytest.raises(StepFailed):
        session.rows("select error('no')")

    assert session.rows("select 1") == [(1,)]
