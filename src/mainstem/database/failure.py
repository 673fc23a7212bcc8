# SPDX-License-Identifier: Apache-2.0
"""SQLite's failures as our errors: each says what the owner of the file can do."""

from __future__ import annotations

import shutil
from pathlib import Path

import apsw

from mainstem.errors import DatabaseUnavailable, InternalError, MainstemError, StorageFailed

_LEAST_FREE_BYTES = 65_536
"""What opening a database takes: the index of its log has 32 kB, and grows by as much."""


def translated(error: apsw.Error, path: Path, sql: str) -> MainstemError:
    """Turn a failure of SQLite into an error with a code and a next step."""
    said = str(error)
    match error:
        case apsw.CorruptError() | apsw.NotADBError() | apsw.FormatError():
            return DatabaseUnavailable(
                "A5002",
                f"The database {path} is damaged: {said}.",
                hint="Stop all Mainstem processes, keep a copy of the file with its -wal and -shm "
                "beside it, and restore the last backup; `mainstem doctor` tells what is readable.",
            )
        case apsw.BusyError() | apsw.LockedError():
            return DatabaseUnavailable(
                "A5003",
                f"The database {path} is locked by another process, which did not let go in time.",
                hint="See who holds it (`mainstem runs`), then run the command again.",
            )
        case apsw.FullError():
            return _full(path)
        case apsw.IOError() if _is_full(path):
            # Even readers need some bytes: the index of the write-ahead log is a file.
            return _full(path)
        case apsw.IOError():
            return StorageFailed(
                "A5005",
                f"The disk failed under {path}: {said}; the transaction was rolled back.",
                hint="Check the disk and the space on it, then run the command again.",
            )
        case (
            apsw.CantOpenError() | apsw.ReadOnlyError() | apsw.PermissionsError() | apsw.AuthError()
        ):
            return DatabaseUnavailable(
                "A5006",
                f"The database {path} cannot be opened for writing: {said}.",
                hint="Check that the file and its folder belong to you and are writable.",
            )
        case _:
            return InternalError("A9045", f"a statement failed: {said}.", details=sql)


def _full(path: Path) -> StorageFailed:
    return StorageFailed(
        "A5005",
        f"The disk that holds {path} is full; the transaction was rolled back.",
        hint="Free some space, then run the command again: nothing was lost.",
    )


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < _LEAST_FREE_BYTES
    except OSError:
        return False


def moved(path: Path, what: str) -> DatabaseUnavailable:
    """Say that the file under an open database is not what it was."""
    return DatabaseUnavailable(
        "A5004",
        f"The database {path} {what} while it was in use.",
        hint="Put the file back, with its -wal beside it, and start again; nothing was written.",
    )
