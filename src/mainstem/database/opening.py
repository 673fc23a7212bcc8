# SPDX-License-Identifier: Apache-2.0
"""From a URL or a path to an open database; refuses what cannot keep its promises."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from mainstem.database.file_system import refuse_network
from mainstem.database.port import Database
from mainstem.database.sqlite import SqliteDatabase
from mainstem.errors import ConfigInvalid

_POSTGRES = ("postgresql://", "postgres://")
_MOUNTS = Path("/proc/self/mounts")


def open_database(
    url_or_path: str, *, busy_timeout_s: float = 30.0, mounts: Path = _MOUNTS
) -> Database:
    """Open a database, creating the file and its folder if they are not there.

    Args:
        url_or_path: `sqlite:///relative/path`, `sqlite:////absolute/path`, or a plain path;
            `postgresql://user:password@host/database?schema=name`.
        busy_timeout_s: How long a writer waits for another process before it gives up.
        mounts: The machine's table of mounts; a file that does not exist allows everything.

    Raises:
        ConfigInvalid: The URL's scheme has no adapter, or the server does not let us in.
        DatabaseUnavailable: The file is damaged, cannot be opened, or on a network file system;
            the server cannot be reached.
    """
    if url_or_path.startswith(_POSTGRES):
        return _open_postgres(url_or_path, busy_timeout_s)
    path = Path(_path_of(url_or_path)).expanduser().absolute()
    refuse_network(path, mounts)
    return SqliteDatabase(path, busy_timeout_s=busy_timeout_s)


def _open_postgres(url: str, busy_timeout_s: float) -> Database:
    try:
        adapter = import_module("mainstem.database.postgres")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "psycopg":
            raise
        raise ConfigInvalid(
            "A5062",
            "The database is on a PostgreSQL server, and psycopg is not installed.",
            hint="Install it: pip install 'mainstem[postgres]'.",
        ) from None
    database: Database = adapter.PostgresDatabase(url, busy_timeout_s=busy_timeout_s)
    return database


def _path_of(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return rest[1:]
    raise ConfigInvalid(
        "A5007",
        f"`{_without_password(url)}` is not a database that can be opened.",
        hint="Write sqlite:///path/to/file.db, with four slashes for an absolute path, or "
        "postgresql://user@host/database?schema=name.",
        known=("sqlite:///", "postgresql://"),
    )


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("?")[0].partition("://")
    _, at, host = rest.rpartition("@")
    return f"{scheme}{separator}{'****@' if at else ''}{host}"
