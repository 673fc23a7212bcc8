# SPDX-License-Identifier: Apache-2.0
"""A project folder with a lake, in which one table is loaded from files."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest

from mainstem.config import load_variables
from mainstem.database import open_database
from mainstem.engines import open_engine
from mainstem.ingest import FileStep, load_ingest_file, observe
from mainstem.lake import Lake
from mainstem.types import TableRef


class StoppedClock:
    def __init__(self):
        self.time = datetime(2100, 1, 1, tzinfo=UTC)

    def now(self):
        self.time += timedelta(microseconds=1)
        return self.time

    def monotonic_s(self):
        return self.time.timestamp()

    def sleep(self, seconds):
        self.time += timedelta(seconds=seconds)


class NeverCancelled:
    is_cancelled = False

    def on_cancel(self, stop):
        return lambda: None


class Context:
    """Meets StepContext over a real lake."""

    run_id = 7
    attempt = 1
    environment = "local"
    branch = "main"
    full_refresh = False
    cancel = NeverCancelled()
    partition = None

    def __init__(self, lake, clock):
        self.lake = lake
        self.logical_time = clock.now()

    def relation(self, key):
        return self.lake.relation(key)

    def current(self, key):
        return None if self.lake.entry(key) is None else self.lake.relation(key)

    def cursor(self, key):
        return self.lake.cursor(key)

    def target(self, key, schema, *, partition_by=(), replaces=True):
        return self.lake.target(
            "main", key, schema, attempt="t", partition_by=partition_by, replaces=replaces
        )

    def progress(self, *, rows=None, note=""):
        pass

    def log(self, text, *, stream="log"):
        pass


class Shop:
    """One project; `load` runs the step of its only table and commits what came of it."""

    def __init__(self, folder, engine):
        self.folder = folder
        self.engine = engine
        self.clock = StoppedClock()
        self.database = open_database(str(folder / ".mainstem" / "mainstem.db"))
        self.lake = Lake.open(
            self.database, str(folder / ".mainstem" / "warehouse"), clock=self.clock
        )

    def file(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def asset(self, table, *, source="", folder="data"):
        text = f"type: files\npath: {folder}\ninto: raw\n{source}tables:\n  t: {table}\n"
        return load_ingest_file(text, "ingest/shop.yml")[0]

    def observe(self, asset, **options):
        return observe(asset, self.lake.cursor(asset.key), self.folder, **options)

    def load(self, asset, **options):
        variables = load_variables(self.folder, "local", process={})
        step = FileStep(
            asset, self.engine, project_folder=self.folder, expand=variables.expand, **options
        )
        outcome = step.execute(Context(self.lake, self.clock))
        if outcome.changes:
            self.lake.commit("main", outcome.changes, message="load", allow_protected=True)
        return outcome

    def rows(self, asset, *, order="all", columns="*"):
        return self._query(asset.key, f"select {columns} from {asset.key} order by {order}")

    def quarantined(self, asset):
        key = asset.key.quarantine
        if self.lake.entry(key) is None:
            return []
        return self._query(
            key, f"select file, line, column_name, reason, raw from {key} order by file, line, raw"
        )

    def types(self, asset):
        return {field.name: str(field.type) for field in self.table(asset).schema}

    def table(self, asset):
        relation = self.lake.relation(asset.key)
        assert isinstance(relation, TableRef)
        return relation

    def _query(self, key, sql):
        with self.engine.session() as session:
            session.register(self.lake.relation(key))
            return session.rows(sql)


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    opened = open_engine(temp_directory=tmp_path_factory.mktemp("spill"), threads=2)
    yield opened
    opened.close()


@pytest.fixture
def shop(tmp_path, engine):
    made = Shop(tmp_path, engine)
    yield made
    made.database.close()


@pytest.fixture(scope="session")
def make_shop(engine):
    @contextlib.contextmanager
    def make(folder):
        made = Shop(folder, engine)
        try:
            yield made
        finally:
            made.database.close()

    return make
