# SPDX-License-Identifier: Apache-2.0
"""What every adapter of the database port promises; a new adapter is added to `_ADAPTERS`."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from mainstem.database import Database, Migration, open_database
from mainstem.errors import DatabaseUnavailable, InternalError

_TABLE = Migration(
    package="fruit",
    number=1,
    statements=("create table fruit (name text primary key, count integer not null)",),
)
_ADAPTERS: dict[str, Callable[[Path], Database]] = {
    "sqlite": lambda folder: open_database(f"sqlite:///{folder / 'lake.db'}", busy_timeout_s=0.2),
}


@pytest.fixture(params=sorted(_ADAPTERS))
def opened(request, tmp_path):
    made: list[Database] = []

    def open_again() -> Database:
        made.append(_ADAPTERS[request.param](tmp_path))
        return made[-1]

    yield open_again
    for database in made:
        database.close()


@pytest.fixture
def database(opened) -> Database:
    database = opened()
    database.migrate([_TABLE])
    return database


def _count(database: Database) -> int:
    with database.read() as transaction:
        return transaction.execute("select count(*) from fruit")[0][0]


def test_what_a_write_committed_a_read_sees(database):
    with database.write() as transaction:
        transaction.executemany("insert into fruit values (?, ?)", [("fig", 1), ("kiwi", 2)])

    with database.read() as transaction:
        assert transaction.execute("select name, count from fruit order by name") == [
            ("fig", 1),
            ("kiwi", 2),
        ]


def test_an_error_within_the_block_rolls_all_of_it_back(database):
    with suppress(ZeroDivisionError), database.write() as transaction:
        transaction.execute("insert into fruit values ('fig', 1)")
        _ = 1 / 0

    assert _count(database) == 0


def test_a_read_sees_one_state_while_others_write(database, opened):
    other = opened()
    with database.read() as transaction:
        before = transaction.execute("select count(*) from fruit")
        with other.write() as writing:
            writing.execute("insert into fruit values ('fig', 1)")
        after = transaction.execute("select count(*) from fruit")

    assert before == after == [(0,)]


def test_reads_nest_and_run_beside_an_open_write(database):
    with database.write() as writing:
        writing.execute("insert into fruit values ('fig', 1)")
        with database.read() as outer, database.read() as inner:
            seen = (outer.execute("select count(*) from fruit"), _count(database))
            assert inner.execute("select 1") == [(1,)]

    assert seen == ([(0,)], 0)


def test_a_read_cannot_change_anything(database):
    with pytest.raises(Exception, match=r"(?i)read"), database.read() as transaction:
        transaction.execute("insert into fruit values ('fig', 1)")

    assert _count(database) == 0


def test_a_locked_database_is_an_error_after_the_timeout(database, opened):
    other = opened()
    with database.write(), pytest.raises(DatabaseUnavailable) as caught, other.write():
        pass

    assert caught.value.code == "A5003"


def test_a_write_within_a_write_of_the_same_thread_is_our_bug(database):
    with database.write(), pytest.raises(InternalError), database.write():
        pass


def test_a_transaction_is_useless_after_its_block(database):
    with database.write() as transaction:
        pass

    with pytest.raises(InternalError):
        transaction.execute("select 1")


def test_threads_take_turns_to_write(database):
    def add(start: int) -> None:
        for number in range(start, start + 25):
            with database.write() as transaction:
                transaction.execute("insert into fruit values (?, 1)", (str(number),))

    threads = [threading.Thread(target=add, args=(start,)) for start in (0, 100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert _count(database) == 100


def test_migrations_are_applied_once_and_in_order(database, opened):
    second = Migration(
        package="fruit",
        number=2,
        statements=(
            "alter table fruit add column colour text",
            "insert into fruit values('a',1,'')",
        ),
    )
    opened().migrate([_TABLE, second])
    opened().migrate([_TABLE, second])

    assert _count(database) == 1


def test_a_failing_migration_leaves_nothing_behind(database):
    broken = Migration(package="fruit", number=2, statements=("create table b (x int)", "oops"))
    with pytest.raises(InternalError):
        database.migrate([_TABLE, broken])

    with pytest.raises(InternalError), database.read() as transaction:
        transaction.execute("select * from b")


def test_a_newer_schema_than_ours_is_refused(database):
    database.migrate([_TABLE, Migration(package="fruit", number=2, statements=())])
    with pytest.raises(DatabaseUnavailable) as caught:
        database.migrate([_TABLE])

    assert caught.value.code == "A5008"


def test_a_durable_write_is_an_ordinary_write_to_readers(database):
    with database.write(durable=True) as transaction:
        transaction.execute("insert into fruit values ('fig', 1)")
    with database.write() as transaction:
        transaction.execute("insert into fruit values ('kiwi', 1)")

    assert _count(database) == 2


def test_a_closed_database_says_so(database):
    database.close()
    with pytest.raises(DatabaseUnavailable) as caught, database.read():
        pass

    assert caught.value.code == "A5004"


_DIES = """
import os, sys
from mainstem.database import open_database
database = open_database(sys.argv[1])
with database.write() as transaction:
    transaction.execute("insert into fruit values ('kept', 1)")
with database.write() as transaction:
    transaction.execute("insert into fruit values ('lost', 1)")
    os.kill(os.getpid(), 9)
"""


def test_a_process_killed_within_a_transaction_leaves_the_committed_ones(database):
    died = subprocess.run([sys.executable, "-c", _DIES, database.url], check=False)

    assert died.returncode == -9
    with database.read() as transaction:
        assert transaction.execute("select name from fruit") == [("kept",)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_opens_connections_of_its_own(database):
    with database.write() as transaction:
        transaction.execute("insert into fruit values ('fig', 1)")
    child = os.fork()
    if child == 0:
        with database.write() as transaction:
            transaction.execute("insert into fruit values ('kiwi', 1)")
        os._exit(0)
    os.waitpid(child, 0)
    with database.write() as transaction:
        transaction.execute("insert into fruit values ('lime', 1)")

    assert _count(database) == 3
