# SPDX-License-Identifier: Apache-2.0
"""Closing while a thread that did not stop when told to still uses the database."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest

from mainstem.database import open_database
from mainstem.errors import DatabaseUnavailable

LONG = (
    "with recursive n (i) as (select 1 union all select i + 1 from n where i < 3000000) "
    "select count(*) from n"
)


@pytest.fixture
def database(database_url):
    opened = open_database(database_url)
    with opened.write() as transaction:
        transaction.execute("create table t (x integer)")
    yield opened
    opened.close()


def _rows(url):
    again = open_database(url)
    with again.read() as transaction:
        found = transaction.execute("select count(*) from t")[0][0]
    again.close()
    return found


@pytest.mark.parametrize("kind", ["read", "write"])
def test_a_statement_that_goes_on_in_another_thread_does_not_stop_closing(database, kind, tmp_path):
    begun = threading.Event()

    def work():
        with suppress(DatabaseUnavailable), getattr(database, kind)() as transaction:
            begun.set()
            transaction.execute(LONG)

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait(10)

    database.close()

    thread.join(60)
    assert not thread.is_alive()
    assert not (tmp_path / "lake.db-wal").exists()  # the last connection is closed


def test_what_a_thread_writes_after_closing_is_not_committed(database):
    begun, closed = threading.Event(), threading.Event()
    raised = []

    def work():
        try:
            with database.write() as transaction:
                transaction.execute("insert into t values (1)")
                begun.set()
                closed.wait(10)
                transaction.execute("insert into t values (2)")
        except DatabaseUnavailable as error:
            raised.append(error.code)

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait(10)
    database.close()
    closed.set()
    thread.join(10)

    assert raised == ["A5004"]
    assert _rows(database.url) == 0


def test_who_waits_to_write_while_it_is_closed_is_told(database):
    begun, closed = threading.Event(), threading.Event()
    raised = []

    def hold():
        with suppress(DatabaseUnavailable), database.write():
            begun.set()
            closed.wait(10)

    def wait():
        try:
            with database.write() as transaction:
                transaction.execute("insert into t values (1)")
        except DatabaseUnavailable as error:
            raised.append(error.code)

    threads = [threading.Thread(target=hold), threading.Thread(target=wait)]
    threads[0].start()
    begun.wait(10)
    threads[1].start()
    database.close()
    closed.set()
    for thread in threads:
        thread.join(10)

    assert raised == ["A5004"]
    assert _rows(database.url) == 0
