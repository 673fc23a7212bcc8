# SPDX-License-Identifier: Apache-2.0
"""A built project behind the API, called without a network."""

import asyncio
import shutil
from contextlib import asynccontextmanager
from itertools import count

import httpx
import pytest

import mainstem
from mainstem.api import ApiSettings, application

FILES = {
    "mainstem.yml": "name: shop\n",
    "ingest/shop.yml": "type: files\npath: data/\ninto: raw\ntables:\n  orders: orders.csv\n",
    "data/orders.csv": "id,customer,amount\n1,ann,10\n2,bob,20\n3,,30\n",
    "models/staging/orders.sql": (
        "/* ---\nmaterialized: table\ndescription: Orders as they are sold\n"
        "checks: [{not_null: id}, {row_count: {min: 1}}]\n--- */\n"
        "select id, customer, amount from raw.orders\n"
    ),
    "models/marts/large.sql": "select id, amount from staging.orders where amount >= 20\n",
}

COPIES = count(1)


def write(folder, files):
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.fixture(scope="session")
def built_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api-shop")
    build(folder)
    return folder


def build(folder):
    write(folder, {name: text for name, text in FILES.items() if not (folder / name).exists()})
    with mainstem.open(folder) as project:
        assert project.run().status == "succeeded"


@pytest.fixture(scope="session")
def built_on_postgres(tmp_path_factory, postgres_server):
    """The same on a server, in a database that others are copied from."""
    folder = tmp_path_factory.mktemp("api-shop-postgres")
    postgres_server.execute("create database api_shop")
    url = postgres_server.url("shop", database="api_shop")
    (folder / "mainstem.yml").write_text(f"{FILES['mainstem.yml']}lake: {{database: '{url}'}}\n")
    build(folder)
    return folder


@pytest.fixture
def database(request):
    """Where the project keeps its state; see `pytest_generate_tests`."""
    return request.param


@pytest.fixture
def folder(request, tmp_path, database):
    target = tmp_path / "shop"
    if database == "sqlite":
        shutil.copytree(request.getfixturevalue("built_once"), target)
        yield target
        return
    server = request.getfixturevalue("postgres_server")
    shutil.copytree(request.getfixturevalue("built_on_postgres"), target)
    name = f"api_shop_{next(COPIES)}"
    server.execute(f"create database {name} template api_shop")
    settings = target / "mainstem.yml"
    settings.write_text(settings.read_text().replace("@/api_shop?", f"@/{name}?"))
    yield target
    server.execute(f"drop database {name} with (force)")


@pytest.fixture
def configure(folder):
    """Write mainstem.yml; where the database is stays."""
    settings = folder / "mainstem.yml"
    before = settings.read_text()

    def say(text):
        settings.write_text(text + before.removeprefix(FILES["mainstem.yml"]))

    return say


@pytest.fixture
def project(folder):
    with mainstem.open(folder) as opened:
        yield opened


CORE = {"test_queries", "test_mutations", "test_backfills", "test_triggers"}


def pytest_generate_tests(metafunc):
    """Try whatever has a project on both databases.

    On PostgreSQL in the fast lane only what asks the database most; a test with many cases asks it
    the same in each.
    """
    if "database" not in metafunc.fixturenames:
        return
    is_one = not any(metafunc.definition.iter_markers("parametrize"))
    is_core = metafunc.module.__name__.rpartition(".")[2] in CORE
    marks = () if is_core and is_one else (pytest.mark.slow,)
    both = ["sqlite", pytest.param("postgres", marks=marks)]
    metafunc.parametrize("database", both, indirect=True)


class Caller:
    """Calls an application as a program on this machine would."""

    def __init__(self, app, *, address="127.0.0.1", host="localhost:3000"):
        self.app, self.address, self.host = app, address, host

    @asynccontextmanager
    async def client(self):
        transport = httpx.ASGITransport(
            self.app, client=(self.address, 1234), raise_app_exceptions=False
        )
        async with httpx.AsyncClient(
            transport=transport, base_url=f"http://{self.host}", timeout=30
        ) as client:
            yield client

    def __call__(self, method, url, **options):
        async def call():
            async with self.client() as client:
                return await client.request(method, url, **options)

        return asyncio.run(call())

    def get(self, url, **options):
        return self("GET", url, **options)

    def post(self, url, **options):
        return self("POST", url, **options)

    def ask(self, query, variables=None, **options):
        """Ask GraphQL, and give data; errors fail."""
        answer = self.answer(query, variables, **options)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def answer(self, query, variables=None, **options):
        body = {"query": query, "variables": variables or {}}
        return self.post("/graphql", json=body, **options).json()

    def refused(self, query, variables=None, **options):
        """Ask GraphQL for what is refused; gives the first error's fields."""
        answer = self.answer(query, variables, **options)
        assert answer.get("errors"), answer
        return answer["errors"][0]["extensions"]


@pytest.fixture(scope="session")
def calling():
    """Make callers of any application."""
    return Caller


@pytest.fixture
def served(project):
    """Make callers of the project, with settings and from an address."""

    def make(address="127.0.0.1", host="localhost:3000", **settings):
        return Caller(
            application(project, settings=ApiSettings(**settings)), address=address, host=host
        )

    return make


@pytest.fixture
def api(served):
    return served()
