# SPDX-License-Identifier: Apache-2.0
"""PyIceberg and DuckDB's own extension read every published table as we do."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

import mainstem

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of PyIceberg, which is not ours to mend
]

_spec = importlib.util.spec_from_file_location(
    "oracle_readers", Path(__file__).parents[1] / "oracles" / "readers.py"
)
oracles = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(oracles)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readers")
    program = [sys.executable, "-m", "mainstem"]
    subprocess.run([*program, "init", "demo", "--template", "flights"], cwd=folder, check=True)
    with mainstem.open(folder / "demo") as project:
        assert project.run().status == "succeeded"
    return folder / "demo"


@pytest.fixture(scope="module")
def extension(tmp_path_factory):
    reader = oracles.DuckDBIceberg(tmp_path_factory.mktemp("extension"))
    yield reader
    reader.close()


def edit(folder, path, before, after):
    file = folder / path
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))


def require_equal(ours, theirs, where):
    # Compared as multisets by an engine that neither of them is.
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.register("ours", ours)
    connection.register("theirs", theirs)
    names = ", ".join(f'"{name}"' for name in ours.column_names)
    pairs = [("ours", "theirs"), ("theirs", "ours")]
    for left, right in pairs:
        query = f"from (select {names} from {left} except all select {names} from {right})"
        assert connection.execute(f"select count(*) {query}").fetchone() == (0,), where


def require_agreement(folder, extension, agreed):
    """Compare what is new of all tables of main; gives the number of tables."""
    with mainstem.open(folder) as project:
        entries = project.lake.entries("main")
        tables = [key for key, entry in entries.items() if entry.kind == "table"]
        for key in tables:
            metadata = project.lake.metadata_path(key, "main")
            if metadata in agreed:
                continue
            ours = project.sql(f"from {key.namespace}.{key.name}", at="main")
            assert ours.num_rows == entries[key].row_count
            require_equal(ours, oracles.read_with_pyiceberg(metadata), f"PyIceberg, {key}")
            require_equal(ours, extension.read(metadata), f"DuckDB's extension, {key}")
            agreed.add(metadata)
    return len(tables)


def test_other_readers_agree_through_a_projects_life(demo, extension):
    agreed = set()
    assert require_agreement(demo, extension, agreed) >= 15

    # Evolution on a branch, merged; what main has not built is linked from the branch.
    edit(demo, "models/marts/fct_flights.sql", "f.is_cancelled,", "f.is_cancelled,\n  p.seats,")
    with mainstem.open(demo) as project:
        project.lake.create_branch("seats")
    with mainstem.open(demo, branch="seats") as project:
        assert project.run().status == "succeeded"
    with mainstem.open(demo) as project:
        linked = [item.key for item in project.plan().assets if item.action == "link"]
        assert project.run().status == "succeeded"
        head = project.lake.resolve("main").id
    assert str(linked[0]) == "marts.fct_flights"
    assert require_agreement(demo, extension, agreed) >= 15

    with mainstem.open(demo) as project:
        project.revert(head)
        assert "seats" not in project.sql("from marts.fct_flights limit 0").column_names
    assert require_agreement(demo, extension, agreed) >= 15


def test_other_readers_agree_after_upserts_and_merges(tmp_path, extension):
    agreed = set()
    (tmp_path / "data").mkdir()
    (tmp_path / "ingest").mkdir()
    (tmp_path / "models").mkdir()
    (tmp_path / "mainstem.yml").write_text("name: shop\n")
    (tmp_path / "ingest" / "shop.yml").write_text(
        "type: files\npath: data/\ninto: raw\ntables:\n"
        '  orders: {files: "orders*.csv", key: [id]}\n'
    )
    (tmp_path / "models" / "daily.sql").write_text(
        "/* ---\nmaterialized: incremental\nkey: [day]\npartition_by: [month(day)]\n--- */\n"
        "select cast(day as date) as day, sum(amount) as amount from raw.orders group by 1\n"
    )
    files = {
        "orders1.csv": "id,day,amount\n1,2024-01-01,10\n2,2024-02-01,20\n",
        "orders2.csv": "id,day,amount,note\n2,2024-02-01,25,late\n3,2024-03-01,5,\n",
    }
    for name, text in files.items():
        (tmp_path / "data" / name).write_text(text)
        with mainstem.open(tmp_path) as project:
            assert project.run().status == "succeeded"
        assert require_agreement(tmp_path, extension, agreed) == 2

    with mainstem.open(tmp_path) as project:
        project.lake.create_branch("more")
    (tmp_path / "data" / "orders3.csv").write_text("id,day,amount,note\n4,2024-04-01,7,new\n")
    with mainstem.open(tmp_path, branch="more") as project:
        assert project.run().status == "succeeded"
    with mainstem.open(tmp_path) as project:
        project.merge("more").require()
        rows = project.sql("select id, amount from raw.orders order by id").to_pylist()
    assert [row["amount"] for row in rows] == [10, 25, 5, 7]
    assert require_agreement(tmp_path, extension, agreed) == 2
