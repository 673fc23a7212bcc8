# SPDX-License-Identifier: Apache-2.0
"""Small projects, and the program called in this process."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from mainstem.cli.app import execute


@dataclass
class Done:
    code: int
    out: str
    err: str

    @property
    def document(self):
        return orjson.loads(self.out)

    @property
    def objects(self):
        return [orjson.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def mainstem(capfd):
    """Call the program with words; gives its exit code and what it wrote."""

    def call(*words):
        capfd.readouterr()
        code = execute(list(words))
        out, err = capfd.readouterr()
        return Done(code, out, err)

    return call


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to be in."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("MAINSTEM_")]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def shop(folder):
    """A project of three assets and two checks, not yet run."""
    write_shop(folder)
    return folder


@pytest.fixture(scope="session")
def built_once(tmp_path_factory):
    """The same project after its first run; copied by `built`, never changed."""
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder)
    program = Path(sys.executable).parent / "mainstem"
    subprocess.run([program, "run"], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def built(folder, built_once):
    """A project after its first run, to read and to change."""
    shutil.copytree(built_once, folder, dirs_exist_ok=True)
    return folder


def write_shop(folder):
    write(folder / "mainstem.yml", "name: shop\n")
    write(folder / "data/orders.csv", "id,customer,amount\n1,ann,10\n2,bob,20\n3,cid,30\n")
    write(folder / "ingest/shop.yml", INGEST)
    write(folder / "models/big.sql", BIG)
    write(folder / "models/total.sql", TOTAL)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


INGEST = """\
type: files
path: data/
tables:
  orders:
    files: "orders*.csv"
    key: [id]
    checks: [{not_null: id}]
"""
BIG = "select id, customer, amount from shop.orders where amount > 10"
TOTAL = """\
/* ---
materialized: table
checks: [{row_count: {min: 1}}]
--- */
select count(*) as orders, sum(amount) as amount from big
"""
