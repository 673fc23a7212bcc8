# SPDX-License-Identifier: Apache-2.0
"""A project folder with Python files in it, and warm workers for it."""

import itertools
import textwrap
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mainstem.database import open_database
from mainstem.graph import Names
from mainstem.lake import Lake, read_arrow, schema_of_arrow, write_arrow
from mainstem.models import (
    PythonStep,
    WorkerPool,
    discover,
    output_keys,
    python_assets,
    resolved_check,
)
from mainstem.models.worker.message import Told
from mainstem.types import AssetKey, Provenance, SystemClock, TableWrite, ViewWrite

NUMBERS = itertools.count()


class Folder:
    """A project folder under construction."""

    def __init__(self, root):
        self.root = root

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return path


@pytest.fixture
def folder(tmp_path):
    root = (tmp_path / "project").resolve()
    root.mkdir()
    return Folder(root)


@pytest.fixture
def pool(folder):
    with WorkerPool(folder.root, limit=2, grace_s=0.3) as opened:
        yield opened


class NeverCancelled:
    """A cancel token that nobody pulls."""

    is_cancelled = False

    def on_cancel(self, stop):
        return lambda: None


class LakeContext:
    """A step's context over a real lake; what the step gives is committed to main."""

    def __init__(self, lake):
        self.lake = lake
        self.run_id, self.attempt = 7, 1
        self.logical_time = datetime(2026, 1, 1, tzinfo=UTC)
        self.environment, self.branch = "local", "main"
        self.full_refresh = False
        self.cancel = NeverCancelled()
        self.partition = None
        self.lines, self.progressed = [], []

    def relation(self, key):
        return self.lake.relation(key, "main")

    def current(self, key):
        return self.relation(key) if self.lake.entry(key, "main") else None

    def cursor(self, key):
        return None

    def target(self, key, schema, *, partition_by=(), replaces=True):
        return self.lake.target(
            "main", key, schema, attempt="a", partition_by=partition_by, replaces=replaces
        )

    def progress(self, *, rows=None, note=""):
        self.progressed.append((rows, note))

    def log(self, text, *, stream="log"):
        self.lines.append((stream, text))


class World:
    """A project folder, its lake, and a way to build one of its Python assets."""

    def __init__(self, folder, pool, lake):
        self.folder, self.pool, self.lake = folder, pool, lake
        self.context = LakeContext(lake)
        self.count = 0

    def put(self, key, table):
        """Store a table in the lake, as raw data."""
        key = AssetKey.parse(key)
        target = self.context.target(key, schema_of_arrow(table.schema))
        added = write_arrow(table, target)
        self._commit(
            TableWrite(
                key=key,
                operation="overwrite",
                provenance=Provenance(origin="manual", data_version=uuid.uuid4().hex),
                schema=target.schema,
                spec=target.spec,
                table_id=target.table_id,
                added=added,
            )
        )

    def put_view(self, key, sql, table, inputs):
        self._commit(
            ViewWrite(
                key=AssetKey.parse(key),
                sql=sql,
                schema=schema_of_arrow(table.schema),
                inputs=tuple(AssetKey.parse(each) for each in inputs),
                provenance=Provenance(origin="derived", data_version="v"),
            )
        )

    def assets(self, text, **options):
        """Discover a file and make its assets; the lake's tables are known names."""
        self.file = f"models/marts/file_{next(NUMBERS)}.py"
        file = self.folder.write(self.file, text)
        (found,) = discover(self.pool, [file])
        if found.errors:
            raise found.errors[0]
        keys = [*self.lake.entries("main"), *(k for m in found.models for k in output_keys(m))]
        names = Names(keys)
        self.checks = [resolved_check(each, names) for each in found.checks]
        return [python_assets(model, names, **options) for model in found.models]

    def step(self, text, **options):
        (assets,) = self.assets(text)
        return PythonStep(assets, self.pool, **options)

    def build(self, text, **options):
        """Build the one asset, or multi_asset, of a file, and commit it."""
        return self.execute(self.step(text, **options))

    def execute(self, step):
        outcome = step.execute(self.context)
        for change in outcome.changes:
            self.count += 1
            version = f"v{self.count}"
            self._commit(
                replace(change, provenance=replace(change.provenance, data_version=version))
            )
        return outcome

    def told(self, key, schema):
        """Answer as the supervisor does when a worker asks where to write."""
        return Told(target=self.context.target(key, schema))

    def rows(self, key="marts.a"):
        return read_arrow(self.lake.relation(AssetKey.parse(key), "main")).to_pylist()

    def _commit(self, change):
        self.lake.commit("main", [change], message="test", allow_protected=True)


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """A folder whose workers stay, with all that they imported: each file has a name of its own."""
    root = tmp_path_factory.mktemp("warm").resolve()
    with WorkerPool(root, limit=1, grace_s=0.3) as opened:
        yield Folder(root), opened


@pytest.fixture
def world(warm, tmp_path):
    folder, pool = warm
    database = open_database(str(tmp_path / "lake.db"))
    lake = Lake.open(database, str(tmp_path / "warehouse"), clock=SystemClock())
    yield World(folder, pool, lake)
    database.close()
