# SPDX-License-Identifier: Apache-2.0
"""Put on the path of a server that is to die: SIGKILL at one end of its N-th write transaction.

All that outlives a process is what it committed, so the moments that matter most lie just before
and just after a commit; `CHAOS_DIES_AT` counts both ends of each.
"""

import contextlib
import os
import signal

from mainstem.database.postgres.adapter import PostgresDatabase
from mainstem.database.sqlite import SqliteDatabase

_left = [int(os.environ.get("CHAOS_DIES_AT", "0"))]


def _come_closer():
    _left[0] -= 1
    if _left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)


def _mortal(write):
    @contextlib.contextmanager
    def mortal(self, *, durable=False):
        with write(self, durable=durable) as transaction:
            yield transaction
            _come_closer()
        _come_closer()

    return mortal


if _left[0]:
    SqliteDatabase.write = _mortal(SqliteDatabase.write)
    PostgresDatabase.write = _mortal(PostgresDatabase.write)
