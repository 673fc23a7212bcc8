# SPDX-License-Identifier: Apache-2.0
"""The database of simulations: what the port promises, within one process."""

from contextlib import suppress

import pytest

from mainstem.database import MemoryDatabase, Migration
from mainstem.errors import DatabaseUnavailable, InternalError

_TABLE = Migration(
    package="fruit", number=1, statements=("create table fruit (name text primary key)",)
)


@pytest.fixture
def database():
    database = MemoryDatabase()
    database.migrate([_TABLE])
    yield database
    database.close()


def _count(database):
    with database.read() as transaction:
        return transaction.execute("select count(*) from fruit")[0][0]


def test_an_error_within_a_write_rolls_all_of_it_back(database):
    with suppress(ZeroDivisionError), database.write() as transaction:
        transaction.execute("insert into fruit values ('fig')")
        _ = 1 / 0

    assert _count(database) == 0


def test_reads_nest_also_within_a_write(database):
    with database.write() as transaction, database.read(), database.read() as reading:
        transaction.execute("insert into fruit values ('fig')")
        assert reading.execute("select name from fruit") == [("fig",)]

    assert _count(database) == 1


def test_a_write_within_another_block_is_refused(database):
    with database.read(), pytest.raises(InternalError), database.write():
        pass

    assert _count(database) == 0


def test_two_databases_know_nothing_of_each_other(database):
    assert MemoryDatabase().is_new()
    assert not database.is_new()


def test_one_that_is_closed_says_so(database):
    database.close()

    with pytest.raises(DatabaseUnavailable), database.read():
        pass
