# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL's failures as our errors: each says what can be done, none repeats a password."""

from __future__ import annotations

import psycopg

from mainstem.errors import (
    ConfigInvalid,
    DatabaseUnavailable,
    InternalError,
    MainstemError,
    StorageFailed,
)

_THROWN_OUT = frozenset({"25P03", "25P04"})
"""The states of who was silent within a transaction, or stayed in it, for too long."""
_HINT_RETRY = "Nothing was written by this transaction; run the command again."


def translated(error: psycopg.Error, url: str, sql: str) -> MainstemError:
    """Turn a failure within a transaction into an error with a code and a next step.

    Args:
        error: What psycopg raised.
        url: The database, without its password.
        sql: The statement, or the statements of which one failed.
    """
    error = root_of(error)
    state = error.sqlstate or ""
    said = _said(error)
    match state[:2], state:
        case _, "55P03":
            return locked(url)
        case _, "40001" | "40P01" | "55000":
            return DatabaseUnavailable(
                "A5060",
                f"The database {url} gave up a transaction in favour of another: {said}.",
                hint=_HINT_RETRY,
            )
        case "53", "53100" | "53200":
            return StorageFailed(
                "A5005",
                f"The server of {url} has no space left: {said}; the transaction was rolled back.",
                hint="Free some space on the server, then run the command again: nothing was lost.",
            )
        case _, "25006":
            return DatabaseUnavailable(
                "A5006",
                f"The database {url} cannot be written: {said}.",
                hint="It is a standby, or was set to read only: connect to the primary (with "
                "several hosts in the URL, target_session_attrs=read-write finds it).",
            )
        case _, "42501":
            return _denied(url, said)
        case _, "42P05" | "26000":
            return ConfigInvalid(
                "A5063",
                f"The database {url} mixes up the sessions of its clients: {said}.",
                hint="A pooler in between must pool sessions, not transactions (PgBouncer: "
                "pool_mode = session).",
            )
        case "XX", "XX001" | "XX002":
            return DatabaseUnavailable(
                "A5002",
                f"The database {url} is damaged: {said}.",
                hint="Stop all Mainstem processes and restore the last backup.",
            )
        case (("08" | "57" | "53" | "58"), _):
            return lost(url, said)
        case _ if is_lost(error):
            return lost(url, said)
        case _:
            return InternalError("A9045", f"a statement failed: {said}.", details=sql)


def unreachable(error: psycopg.Error, url: str) -> MainstemError:
    """Turn a failure to connect into an error; libpq's text has no password."""
    state, said = error.sqlstate or "", _said(error)
    # Before there is a session, libpq gives the server's text but not its code.
    if state[:2] == "28" or "authentication failed" in said or "no password supplied" in said:
        return _denied(url, said)
    if "pg_hba.conf" in said or ("role" in said and "does not exist" in said):
        return _denied(url, said)
    if state == "3D000" or ("database" in said and "does not exist" in said):
        return ConfigInvalid(
            "A5063",
            f"There is no such database: {url}.",
            hint="Create it first: createdb -E UTF8 NAME. The schema within it is made for you.",
        )
    return DatabaseUnavailable(
        "A5060",
        f"The database {url} cannot be reached: {said}.",
        hint="Check that the server runs and that host and port are right, then run the command "
        "again: nothing was lost.",
    )


def is_lost(error: psycopg.Error) -> bool:
    """Tell whether it was the connection that failed, and not a statement."""
    error = root_of(error)
    if error.sqlstate is not None:
        return error.sqlstate in _THROWN_OUT or error.sqlstate[:3] in {"57P", "080", "08P"}
    is_of_libpq = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return is_of_libpq and not isinstance(error, psycopg.errors.PipelineAborted)


def root_of(error: psycopg.Error) -> psycopg.Error:
    """Give the first failure of a pipeline; all later statements only say that there was one."""
    while isinstance(error, psycopg.errors.PipelineAborted):
        if not isinstance(error.__context__, psycopg.Error):
            break
        error = error.__context__
    return error


def lost(url: str, said: str) -> DatabaseUnavailable:
    """Say that the connection was lost before the transaction was committed."""
    return DatabaseUnavailable(
        "A5060",
        f"The connection to the database {url} was lost: {said}.",
        hint=_HINT_RETRY,
    )


def locked(url: str) -> DatabaseUnavailable:
    """Say that somebody else holds the write lock."""
    return DatabaseUnavailable(
        "A5003",
        f"The database {url} is locked by another process, which did not let go in time.",
        hint="See who holds it (`mainstem runs`, or pg_stat_activity on the server), then run the "
        "command again.",
    )


def busy(url: str, count: int) -> DatabaseUnavailable:
    """Say that all connections of this process are in use."""
    return DatabaseUnavailable(
        "A5003",
        f"All {count} connections of this process to {url} were in use for too long.",
        hint="Run the command again, with fewer threads.",
    )


def moved(url: str, what: str) -> DatabaseUnavailable:
    """Say that the database is not what it was."""
    return DatabaseUnavailable(
        "A5004",
        f"The database {url} {what} while it was in use.",
        hint="Start again, on the database as it is now; this process wrote nothing to it.",
    )


def in_doubt(url: str) -> DatabaseUnavailable:
    """Say that nobody knows whether a transaction was committed."""
    return DatabaseUnavailable(
        "A5064",
        f"The connection to the database {url} was lost while a transaction was being committed, "
        "and the server did not come back in time to tell whether it was.",
        hint="Look at what is there (`mainstem runs`, `mainstem log`) before you run it again.",
    )


def _denied(url: str, said: str) -> ConfigInvalid:
    return ConfigInvalid(
        "A5061",
        f"The database {url} does not let us in: {said}.",
        hint="Check user, password and the rights of the role; the password may come from a "
        "variable, from PGPASSWORD or from ~/.pgpass.",
    )


def _said(error: psycopg.Error) -> str:
    text = error.diag.message_primary or str(error) or type(error).__name__
    return " ".join(text.split()).removesuffix(".")
