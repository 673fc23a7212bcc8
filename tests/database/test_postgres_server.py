# SPDX-License-Identifier: Apache-2.0
"""What can happen to a PostgreSQL database: refused, unreachable, cut off, dropped, set back."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from urllib.parse import quote

import psycopg
import pytest

from mainstem.database import Migration, open_database
from mainstem.database.postgres.failure import translated
from mainstem.errors import ConfigInvalid, DatabaseUnavailable, MainstemError

TABLE = Migration(package="t", number=1, statements=("create table t (x text)",))


@pytest.fixture
def database(postgres_url):
    database = open_database(postgres_url, busy_timeout_s=10)
    database.migrate([TABLE])
    yield database
    database.close()


def _rows(database):
    with database.read() as transaction:
        return [x for (x,) in transaction.execute("select x from t order by x")]


def _add(database, x):
    with database.write() as transaction:
        transaction.execute("insert into t values (?)", (x,))


def test_a_wrong_password_is_told_without_it(postgres_server):
    url = postgres_server.url("any", user="locked", password="lion/@:%")
    with pytest.raises(ConfigInvalid) as caught:
        open_database(url)

    assert caught.value.code == "A5061"
    assert "locked@/postgres" in caught.value.summary
    assert "lion" not in f"{caught.value!r} {caught.value.to_json()} {caught.value.__cause__!r}"


def test_the_right_password_lets_in_and_is_shown_nowhere(postgres_server):
    postgres_server.execute("create schema if not exists lockeds authorization locked")
    database = open_database(postgres_server.url("lockeds", user="locked", password="tiger"))
    database.migrate([TABLE])
    _add(database, "fig")

    assert _rows(database) == ["fig"]
    shown = [database.url, repr(database), repr(database._connector.address)]
    assert "tiger" not in "".join(shown)
    database.close()
    postgres_server.execute("drop schema lockeds cascade")


def test_a_role_that_may_not_make_the_schema_is_told_so(postgres_server):
    with pytest.raises(ConfigInvalid) as caught:
        open_database(postgres_server.url("not_mine", user="locked", password="tiger"))

    assert caught.value.code == "A5061"
    assert "permission denied" in caught.value.summary


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"database": "nowhere"}, "A5063"),
        ({"user": "nobody"}, "A5061"),
        ({"host": "/nowhere"}, "A5060"),
        ({"options": "-csearch_path=nothing_there,public"}, None),
    ],
)
def test_what_cannot_be_opened_says_why(postgres_server, change, code):
    database = None
    with suppress(MainstemError):
        database = open_database(postgres_server.url(**change))
    if code is None:
        assert database is not None
        database.close()
        postgres_server.execute("drop schema nothing_there cascade")
        return

    with pytest.raises(MainstemError) as caught:
        open_database(postgres_server.url(**change))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("more", "schema"),
    [
        ({}, "mainstem"),
        ({"options": "-csearch_path=mine,public"}, "mine"),
        ({"schema": "My"}, "My"),
    ],
)
def test_a_lake_is_one_schema(postgres_server, more, schema):
    database = open_database(postgres_server.url(**more))
    database.migrate([TABLE])
    database.close()

    found = postgres_server.execute(
        "select schemaname from pg_tables where tablename = 'migration' and schemaname = %s",
        (schema,),
    )
    assert found == [(schema,)]
    postgres_server.execute(f'drop schema "{schema}" cascade')


def test_a_writer_that_says_nothing_for_too_long_is_thrown_out(database, postgres_server):
    def stall():
        with database.write() as transaction:
            transaction.execute("set local idle_in_transaction_session_timeout = 50")
            transaction.execute("select 1")
            postgres_server.execute("select pg_sleep(1)")
            transaction.execute("insert into t values ('late')")

    with pytest.raises(DatabaseUnavailable) as caught:
        stall()

    assert caught.value.code == "A5060"
    _add(database, "next")
    assert _rows(database) == ["next"]


def test_who_waits_for_a_writer_that_is_asleep_outlasts_it(database, postgres_url):
    woken = threading.Event()
    begun = threading.Event()
    ends = []

    def sleep():
        try:
            with asleep.write() as transaction:
                transaction.execute("insert into t values ('asleep')")
                begun.set()
                woken.wait(60)
        except DatabaseUnavailable as error:
            ends.append(error.code)

    asleep = open_database(postgres_url, busy_timeout_s=4.0)
    thread = threading.Thread(target=sleep)
    thread.start()
    begun.wait(30)
    waiting = open_database(postgres_url, busy_timeout_s=20.0)
    _add(waiting, "awake")
    woken.set()
    thread.join(30)
    asleep.close()
    waiting.close()

    assert _rows(database) == ["awake"]
    assert ends == ["A5060"]


def test_a_database_of_another_encoding_is_refused(postgres_server):
    postgres_server.execute("create database latin encoding 'LATIN1' locale 'C' template template0")
    with pytest.raises(ConfigInvalid) as caught:
        open_database(postgres_server.url("x", database="latin"))

    assert caught.value.code == "A5063"
    postgres_server.execute("drop database latin")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://shop:ti:ger@host:tiger/lake",
        "postgres://shop@host:5432:tiger/lake?password=tiger",
        "postgresql://shop@host/lake?passwort=tiger",
        "postgresql://shop:li@tiger@host/lake",
    ],
)
def test_a_url_that_cannot_be_read_is_not_repeated(url):
    with pytest.raises(ConfigInvalid) as caught:
        open_database(url)

    assert caught.value.code == "A5007"
    assert caught.value.__cause__ is None
    assert "tiger" not in f"{caught.value} {caught.value.to_json()}"


def _output(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return done.stdout.decode()


def test_without_psycopg_it_is_said_what_to_install():
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from mainstem.database import open_database\n"
        "try:\n    open_database('postgresql://u:tiger@h/d')\n"
        "except Exception as error:\n    print(error.code, error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert done.stdout == "A5062 Install it: pip install 'mainstem[postgres]'.\n"


def test_psycopg_is_loaded_only_when_a_url_asks_for_it():
    program = "import sys, mainstem.database; print([m for m in sys.modules if 'psycopg' in m])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert done.stdout == "[]\n"


def test_after_a_restart_of_the_server_the_next_transaction_connects_again(own_postgres_server):
    database = open_database(own_postgres_server.url("lake"), busy_timeout_s=10)
    database.migrate([TABLE])
    _add(database, "before")
    assert _rows(database) == ["before"]
    watch = database.watch()

    own_postgres_server.stop("immediate")
    with pytest.raises(DatabaseUnavailable) as caught:
        _rows(database)
    with pytest.raises(DatabaseUnavailable):
        _add(database, "nowhere")
    assert watch.wait(10)  # Something may have been missed.
    own_postgres_server.start()

    assert caught.value.code == "A5060"
    assert caught.value.is_retryable
    assert _rows(database) == ["before"]
    _add(database, "after")
    assert _rows(database) == ["after", "before"]
    assert watch.wait(0)
    other = open_database(own_postgres_server.url("lake"))
    _add(other, "other")
    other.close()
    assert watch.wait(10)
    watch.close()
    database.close()


def test_a_connection_that_is_lost_in_a_transaction_loses_all_of_it(database, postgres_server):
    def lose():
        with database.write() as transaction:
            transaction.execute("insert into t values ('lost')")
            [(pid,)] = transaction.execute("select pg_backend_pid()")
            postgres_server.execute("select pg_terminate_backend(%s, 5000)", (pid,))
            transaction.execute("select 1")

    with pytest.raises(DatabaseUnavailable) as caught:
        lose()

    assert caught.value.code == "A5060"
    _add(database, "kept")
    assert _rows(database) == ["kept"]


def test_a_commit_that_never_arrived_is_known_to_be_lost(database, postgres_server):
    def lose():
        with database.write() as transaction:
            [(pid,)] = transaction.execute("select pg_backend_pid()")
            transaction.execute("insert into t values ('lost')")
            postgres_server.execute("select pg_terminate_backend(%s, 5000)", (pid,))

    with pytest.raises(DatabaseUnavailable) as caught:
        lose()

    assert caught.value.code == "A5060"
    assert _rows(database) == []


def test_a_commit_whose_answer_was_lost_is_known_to_be_there(postgres_server, tmp_path, proxy):
    database = open_database(postgres_server.url("doubt", host=proxy.folder), busy_timeout_s=10)
    database.migrate([TABLE])
    database.close()
    database = open_database(postgres_server.url("doubt", host=proxy.folder), busy_timeout_s=10)
    proxy.drops_answer(b"COMMIT\0")
    _add(database, "there")

    assert proxy.dropped == 1
    assert _rows(database) == ["there"]
    database.close()
    postgres_server.execute("drop schema doubt cascade")


def test_ten_inserts_and_the_commit_are_one_round_trip(postgres_server, proxy):
    database = open_database(postgres_server.url("trips", host=proxy.folder))
    database.migrate([TABLE])
    _add(database, "warm")
    proxy.turns = 0
    with database.write() as transaction:
        begun = proxy.turns
        # The commit itself is prepared by now; the bell that is rung with it has a name.
        proxy.holds_answers_until(b"mainstem_")
        for number in range(10):
            transaction.execute("insert into t values (?)", (str(number),))
        unanswered = proxy.turns
    proxy.turns = 0
    proxy.holds_answers_until(b"select x")
    rows = _rows(database)

    assert (begun, unanswered, proxy.turns) == (1, 1, 2)
    assert rows == [*"0123456789", "warm"]
    database.close()
    postgres_server.execute("drop schema trips cascade")


@pytest.mark.parametrize(
    ("setting", "is_durable", "level"),
    [
        ("on", True, "on"),
        ("remote_apply", True, "remote_apply"),
        ("off", True, "on"),
        ("remote_apply", False, "local"),
        ("off", False, "local"),
    ],
)
def test_a_commit_is_on_disk_and_a_durable_one_waits_as_the_server_says(
    postgres_server, postgres_url, setting, is_durable, level
):
    more = quote(f"-c synchronous_commit={setting}")
    database = open_database(f"{postgres_url}&options={more}")
    with database.write(durable=is_durable) as transaction:
        found = transaction.execute("select current_setting('synchronous_commit')")

    assert found == [(level,)]
    database.close()


def test_a_schema_that_was_dropped_is_not_made_anew(database, postgres_server, postgres_url):
    _add(database, "fig")
    name = postgres_url.rpartition("schema=")[2]
    postgres_server.execute(f'drop schema "{name}" cascade; create schema "{name}"')
    with database._readers.session(may_exceed=True) as session:
        session.close()

    with pytest.raises(DatabaseUnavailable) as caught:
        _rows(database)
    assert caught.value.code == "A5004"


def test_a_database_that_was_set_back_is_noticed_by_who_writes(database, postgres_server):
    _add(database, "kept")
    saved = _trace(database)
    _add(database, "lost in the restore")
    _set_back(database, saved)

    with pytest.raises(DatabaseUnavailable) as caught:
        _add(database, "new")
    assert caught.value.code == "A5004"


def test_a_database_that_was_set_back_is_noticed_by_who_connects_again(database):
    _add(database, "kept")
    saved = _trace(database)
    _add(database, "lost in the restore")
    _set_back(database, saved)
    other = open_database(database.url)
    _add(other, "of somebody who came after the restore")
    other.close()
    with database._readers.session(may_exceed=True) as session:
        session.close()

    with pytest.raises(DatabaseUnavailable) as caught:
        _rows(database)
    assert caught.value.code == "A5004"


def _trace(database):
    with database.read() as transaction:
        return transaction.execute("select slot, number, token from database_write")


def _set_back(database, saved):
    with psycopg.connect(database.url.partition("?")[0] + _socket(database)) as connection:
        connection.execute(f"set search_path to {database._connector.address.schema}")
        connection.execute("delete from database_write")
        connection.cursor().executemany("insert into database_write values (%s, %s, %s)", saved)


def _socket(database):
    return f"?host={database._connector.address.parameters['host']}"


def test_text_with_nul_is_kept_with_a_sign_for_it(database):
    _add(database, "a\0b")

    assert _rows(database) == ["a␀b"]


def test_many_may_open_a_new_lake_at_once(postgres_server):
    url, failed = postgres_server.new_url(), []

    def work(number):
        try:
            database = open_database(url, busy_timeout_s=60)
            database.migrate([TABLE])
            _add(database, str(number))
            database.close()
        except MainstemError as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    database = open_database(url)
    assert len(_rows(database)) == 8
    database.close()


def test_two_lakes_of_one_server_do_not_wait_for_each_other(database, postgres_server):
    other = open_database(postgres_server.new_url(), busy_timeout_s=0.5)
    other.migrate([TABLE])
    with database.write():
        _add(other, "fig")

    assert _rows(other) == ["fig"]
    other.close()


@pytest.mark.parametrize(
    ("error", "code", "is_retryable"),
    [
        (psycopg.errors.LockNotAvailable, "A5003", True),
        (psycopg.errors.SerializationFailure, "A5060", True),
        (psycopg.errors.DeadlockDetected, "A5060", True),
        (psycopg.errors.AdminShutdown, "A5060", True),
        (psycopg.errors.IdleInTransactionSessionTimeout, "A5060", True),
        (psycopg.errors.TransactionTimeout, "A5060", True),
        (psycopg.errors.TooManyConnections, "A5060", True),
        (psycopg.OperationalError, "A5060", True),
        (psycopg.errors.DiskFull, "A5005", False),
        (psycopg.errors.ReadOnlySqlTransaction, "A5006", True),
        (psycopg.errors.DataCorrupted, "A5002", True),
        (psycopg.errors.InsufficientPrivilege, "A5061", False),
        (psycopg.errors.DuplicatePreparedStatement, "A5063", False),
        (psycopg.errors.InvalidSqlStatementName, "A5063", False),
        (psycopg.errors.UniqueViolation, "A9045", False),
        (psycopg.errors.SyntaxError, "A9045", False),
        (psycopg.errors.PipelineAborted, "A9045", False),
    ],
)
def test_every_failure_has_a_code_and_says_whether_to_try_again(error, code, is_retryable):
    known = translated(error("what the server said"), "postgresql://h/d", "select 1")

    assert (known.code, known.is_retryable) == (code, is_retryable)
