# SPDX-License-Identifier: Apache-2.0
"""A small real project that has run once, and the real program to break it with."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from mainstem.database import open_database
from mainstem.lake import Lake, read_arrow
from mainstem.types import AssetKey, SystemClock

PROGRAM = [sys.executable, "-m", "mainstem"]
INGEST = """\
type: files
path: data/
into: raw
tables:
  orders: {files: "orders*.csv", write: append}
"""
STAGING = """\
/* ---
materialized: table
checks: [{not_null: [id]}]
--- */
select id, amount, amount * 2 as doubled
from raw.orders
"""
TOTALS = """\
/* ---
materialized: table
--- */
select count(*) as orders, sum(amount) as amount from staging.orders
"""


class Shop:
    """raw.orders (three rows, from one file), staging.orders, marts.totals."""

    def __init__(self, folder):
        self.folder = folder
        self.state = folder / ".mainstem"

    def write(self, path, content):
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def table(self, path, select):
        return self.write(path, f"/* ---\nmaterialized: table\n--- */\n{select}\n")

    def python(self, body, options="", returns="pa.Table"):
        """models/marts/judged.py, which reads staging.orders; its body is line 9."""
        head = "import os\nimport signal\nimport sys\nimport time\n\nimport pyarrow as pa\n"
        head += "from mainstem import asset\n"
        return self.write(
            "models/marts/judged.py",
            f"{head}@asset(inputs={{'orders': 'staging.orders'}}{options})\n"
            f"def judged(orders: pa.Table) -> {returns}:\n    {body}\n",
        )

    def call(self, *words, env=None, **options):
        return subprocess.run(
            [*PROGRAM, *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, **(env or {})},
            **options,
        )

    def text(self, path):
        return (self.folder / path).read_text()

    def unprivileged(self, *words):
        """Call the program as somebody who owns the project, but is not root."""
        nobody = 65534
        for path in (self.folder, *self.folder.rglob("*")):
            os.chown(path, nobody, nobody)
        # pytest keeps its folders private, those of its parallel workers too.
        for path in self.folder.parents:
            if path == self.folder.parent or path.name.startswith(("pytest-", "popen-")):
                path.chmod(0o755)
        become = ["setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups"]
        return subprocess.run(
            [*become, *PROGRAM, *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def start(self, *words):
        return subprocess.Popen(
            [*PROGRAM, *words],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def refused(self, code, *words):
        """A project that is wrong: exit 1, nothing was run; gives the message."""
        done = self.call(*(words or ("run",)))
        assert done.returncode == 1, done.stdout + done.stderr
        assert f"error[{code}]" in done.stderr
        assert "Traceback" not in done.stderr
        assert f"mainstem explain {code}" in done.stderr
        assert self.rows("raw.orders") == 3
        return done.stderr

    def failed(self, code, *words):
        """A run in which a step failed: exit 2, the rest is as it was; gives the summary."""
        done = self.call(*(words or ("run",)))
        assert done.returncode == 2, done.stdout + done.stderr
        assert f"mainstem explain {code}" in done.stdout
        assert done.stderr == ""
        assert self.rows("raw.orders") >= 3
        return done.stdout

    def runs_well(self, *words):
        done = self.call("run", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def query(self, sql, *words):
        done = self.call("query", "--format", "json", sql, *words)
        assert done.returncode == 0, done.stderr
        return orjson.loads(done.stdout)

    def rows(self, table):
        """Count the rows of a published table from its files, however broken the rest is."""
        database = open_database(str(self.state / "mainstem.db"))
        try:
            lake = Lake.open(database, str(self.state / "warehouse"), clock=SystemClock())
            return read_arrow(lake.relation(AssetKey.parse(table), "main")).num_rows
        finally:
            database.close()


@pytest.fixture(scope="session")
def built_shop(tmp_path_factory):
    shop = Shop(tmp_path_factory.mktemp("built") / "shop")
    shop.write("mainstem.yml", "name: shop\n")
    shop.write("ingest/shop.yml", INGEST)
    shop.write("models/staging/orders.sql", STAGING)
    shop.write("models/marts/totals.sql", TOTALS)
    shop.write("data/orders1.csv", "id,amount\n1,10\n2,20\n3,30\n")
    shop.runs_well()
    return shop


@pytest.fixture
def shop(built_shop, tmp_path):
    """A copy of the project, with what its first run published."""
    folder = tmp_path / "shop"
    shutil.copytree(built_shop.folder, folder)
    return Shop(Path(folder))
