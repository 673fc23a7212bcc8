# SPDX-License-Identifier: Apache-2.0
"""What every adapter of the database port promises; `database_url` is one on each of them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from mainstem.database import Database, Migration, open_database
from mainstem.errors import DatabaseUnavailable, InternalError

_TABLE = Migration(
    package="fruit",
    number=1,
    statements=("create table fruit (name text primary key, count integer not null)",),
)


@pytest.fixture
def opened(database_url):
    made: list[Database] = []

    def open_again(busy_timeout_s: float = 20) -> Database:
        made.append(open_database(database_url, busy_timeout_s=busy_timeout_s))
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
    other = opened(0.2)
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
    with database.write() as transaction:
        assert transaction.execute("select name from fruit") == [("kept",)]


# In a program of its own: a fork of the many threads of a test run may hang in any of their locks.
_FORKS = """
import os, sys
from mainstem.database import open_database
database = open_database(sys.argv[1])
def add(name):
    with database.write() as transaction:
        transaction.execute("insert into fruit values (?, 1)", (name,))
add("fig")
if not (child := os.fork()):
    add("kiwi")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
add("lime")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_opens_connections_of_its_own(database):
    subprocess.run([sys.executable, "-c", _FORKS, database.url], check=True, timeout=60)

    assert _count(database) == 3


def test_values_come_back_as_what_they_were(database):
    with database.write() as transaction:
        transaction.execute("create table v (n bigint, t text, b blob, f double precision)")
        transaction.execute("insert into v values (?, ?, ?, ?)", (2**62, "ü'%?", b"\0\xff", 0.1))
        transaction.execute("insert into v values (?, ?, ?, ?)", (True, None, b"", None))
        rows = transaction.execute("select n, t, b, f from v order by n")

    assert rows == [(1, None, b"", None), (2**62, "ü'%?", b"\0\xff", 0.1)]
    assert [type(value) for value in rows[1]] == [int, str, bytes, float]


def test_values_may_be_larger_than_what_a_socket_takes_at_once(database):
    sizes = [size for size in (300_000, 4_000_000) for _ in range(5)]
    with database.write() as transaction:
        transaction.execute("create table t (x text)")
        for size in sizes:
            added = transaction.execute("insert into t values (?) returning x", ("x" * size,))
            assert len(added[0][0]) == size
        transaction.executemany("insert into t values (?)", [("y" * size,) for size in sizes])

    with database.read() as transaction:
        found = transaction.execute("select sum(length(x)) from t")

    assert found == [(2 * sum(sizes),)]


def test_sums_are_whole_numbers_and_quotients_are_not(database):
    with database.write() as transaction:
        transaction.executemany("insert into fruit values (?, ?)", [("a", 2**40), ("b", 2**40)])

    with database.read() as transaction:
        row = transaction.execute("select sum(count), count(*), max(count) / 4.0 from fruit")[0]
    assert row == (2**41, 2, 2**38)
    assert [type(value) for value in row] == [int, int, float]


def test_text_is_ordered_by_code_point_on_every_machine(database):
    names = ["b", "B", "a", "Z", "é", "_", "1"]
    with database.write() as transaction:
        transaction.executemany("insert into fruit values (?, 1)", [(name,) for name in names])

    with database.read() as transaction:
        found = transaction.execute("select name from fruit order by name")
    assert [name for (name,) in found] == sorted(names)


def test_marks_and_percent_signs_in_literals_are_not_placeholders(database):
    sql = "select '?', '100 %', 'it''s ? %s', ? -- and what of ?\n as \"what?\""
    with database.read() as transaction:
        assert transaction.execute(sql, (7,)) == [("?", "100 %", "it's ? %s", 7)]


def test_an_upsert_says_what_came_of_it(database):
    sql = (
        "insert into fruit (name, count) values (?, ?) on conflict (name) do update set "
        "count = fruit.count + excluded.count returning count"
    )
    with database.write() as transaction:
        assert transaction.execute(sql, ("fig", 1)) == [(1,)]
        assert transaction.execute(sql, ("fig", 2)) == [(3,)]


def test_a_statement_that_fails_is_our_bug_and_says_which(database):
    def insert_twice() -> None:
        with database.write() as transaction:
            transaction.execute("insert into fruit values ('fig', 1)")
            transaction.execute("insert into fruit values ('fig', 2)")

    with pytest.raises(InternalError) as caught:
        insert_twice()

    assert caught.value.code == "A9045"
    assert "insert into fruit values ('fig', 2)" in caught.value.details
    assert _count(database) == 0


def test_a_failure_in_many_rows_rolls_all_back(database):
    with pytest.raises(InternalError), database.write() as transaction:
        transaction.executemany("insert into fruit values (?, ?)", [("a", 1), ("b", 1), ("a", 1)])

    assert _count(database) == 0


def test_a_write_sees_what_was_committed_while_it_waited_for_its_turn(database, opened):
    other, begun, seen = opened(), threading.Event(), []

    def wait_and_look() -> None:
        begun.set()
        with other.write() as transaction:
            seen.append(transaction.execute("select count(*) from fruit")[0][0])

    thread = threading.Thread(target=wait_and_look)
    with database.write() as transaction:
        thread.start()
        begun.wait(10)
        transaction.execute("insert into fruit values ('fig', 1)")
    thread.join(30)

    assert seen == [1]


def test_many_threads_read_at_once_and_within_writes(database):
    failed = []

    def look() -> None:
        try:
            for _ in range(5):
                with database.read() as outer, database.read() as inner:
                    outer.execute("select 1")
                    inner.execute("select count(*) from fruit")
        except Exception as error:  # noqa: BLE001  # whatever it is, the test shows it
            failed.append(error)

    threads = [threading.Thread(target=look) for _ in range(20)]
    with database.write():
        for thread in threads:
            thread.start()
        assert _count(database) == 0
    for thread in threads:
        thread.join(60)

    assert failed == []


def test_a_watch_wakes_for_what_another_process_committed(database, opened):
    other, watch = opened(), database.watch()
    before = watch.wait(0)
    with other.write() as transaction:
        transaction.execute("insert into fruit values ('fig', 1)")

    assert not before
    assert watch.wait(10)
    assert not watch.wait(0)
    watch.close()


def test_a_watch_wakes_while_it_waits(database, opened):
    other, watch, woken = opened(), database.watch(), []
    thread = threading.Thread(target=lambda: woken.append(watch.wait(30)))
    thread.start()
    with other.write() as transaction:
        transaction.execute("insert into fruit values ('fig', 1)")
    thread.join(30)

    assert woken == [True]
    watch.close()


def test_a_watch_does_not_wake_for_its_own_database_nor_for_nothing(database, opened):
    other, watch = opened(), database.watch()
    with database.write() as transaction:
        transaction.execute("insert into fruit values ('fig', 1)")
    with other.write() as transaction:
        transaction.execute("delete from fruit where name = 'kiwi'")
    with suppress(ZeroDivisionError), other.write() as transaction:
        transaction.execute("insert into fruit values ('lime', 1)")
        _ = 1 / 0

    assert not watch.wait(0.1)
    watch.close()


def test_a_watch_can_be_woken_by_hand(database):
    watch = database.watch()
    watch.wake()
    watch.wake()

    assert watch.wait(10)
    assert not watch.wait(0)
    watch.close()
