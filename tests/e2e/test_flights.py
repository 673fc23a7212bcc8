# SPDX-License-Identifier: Apache-2.0
"""The flights template through the real program: the acceptance of issue 2, on real data."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.slow
PROGRAM = Path(sys.executable).parent / "mainstem"


class Demo:
    def __init__(self, folder):
        self.folder = folder

    def __call__(self, *words, code=0):
        done = subprocess.run(
            [PROGRAM, *words],
            cwd=self.folder,
            env={**os.environ, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def rows(self, sql, *words):
        return orjson.loads(self("query", sql, "--json", *words))

    def edit(self, path, before, after):
        file = self.folder / path
        text = file.read_text()
        assert before in text
        file.write_text(text.replace(before, after))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flights")
    subprocess.run([PROGRAM, "init", "demo", "--template", "flights"], cwd=folder, check=True)
    demo = Demo(folder / "demo")
    demo.first_run = demo("run")
    return demo


@pytest.fixture
def demo(built, tmp_path):
    """A copy of the project after its first run, to change at will."""
    shutil.copytree(built.folder, tmp_path / "demo")
    return Demo(tmp_path / "demo")


def test_the_first_run_publishes_all_and_finds_the_real_defects(built):
    assert re.search(r"Published 20 assets to main|Published 19 assets to main", built.first_run)
    for fact in ("7,602 of", "50,094 of", "SJU   5,819", "PSE     365"):
        assert fact in built.first_run, fact
    assert built.first_run.count("  WARN  ") >= 3


def test_the_rows_of_the_source_are_all_there(built):
    assert built("query", "select count(*) from raw.flights").split()[-1] == "336776"
    assert built.rows(
        "select (select count(*) from raw.planes) as planes,"
        " (select count(*) from raw.airports) as airports,"
        " (select count(*) from raw.airlines) as airlines,"
        " (select count(*) from raw.weather) as weather,"
        " (select count(*) from marts.fct_flights) as fact"
    ) == [{"planes": 3322, "airports": 1458, "airlines": 16, "weather": 26115, "fact": 336776}]


def test_the_impossible_wind_is_set_aside_and_the_rest_goes_on(built):
    bad = built.rows("select wind_speed from staging.weather__quarantine")
    good = built.rows("select count(*) as n, max(wind_speed) as most from staging.weather")

    assert [round(row["wind_speed"]) for row in bad] == [1048]
    assert good[0]["n"] == 26114
    assert good[0]["most"] < 150


def test_a_second_run_does_nothing_and_loads_nothing_heavy(built):
    code = (
        "import sys; from mainstem.cli.app import execute; code = execute(['run']); "
        "print(code, *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=built.folder, capture_output=True, text=True, check=True
    )

    assert "Nothing to do" in done.stdout
    words = done.stdout.splitlines()[-1].split()
    assert words[0] == "0"
    heavy = {"duckdb", "pyarrow", "pydantic", "sqlglot", "pandas", "polars", "jinja2", "rich"}
    assert heavy & set(words) == set()


def test_plan_says_why_each_asset_would_be_built(demo):
    demo.edit("models/marts/fct_flights.sql", "f.is_cancelled,", "f.is_cancelled, p.seats,")

    plan = orjson.loads(demo("plan", "--json"))

    actions = {item["key"]: (item["action"], item["reason"]) for item in plan["assets"]}
    assert actions["marts.fct_flights"][0] == "build"
    assert "seats" in actions["marts.fct_flights"][1]
    assert actions["raw.flights"][0] == "fresh"
    assert actions["staging.flights"][0] == "fresh"
    assert [(c["column"], c["change"]) for c in plan["columns"]] == [("seats", "added")]


def test_a_plan_reads_as_the_grammar_shows_it(demo):
    demo.edit("models/marts/fct_flights.sql", "f.is_cancelled,", "f.is_cancelled,\n  p.seats,")

    lines = [" ".join(line.split()) for line in demo("plan").splitlines()]

    assert lines[0].startswith("demo · local · branch main@")
    assert lines[1].startswith(
        "build marts.fct_flights column `seats` added in models/marts/fct_flights.sql:19 ~336"
    )
    assert lines[2].startswith("build marts.delays its input marts.fct_flights changes ~1,112 rows")
    assert lines[3] == "fresh 15 assets `--all` lists them"
    assert lines[4:6] == [
        "keep marts.monthly_delays reads marts.fct_flights, but none of the changed columns",
        "keep marts.delays_by_weather reads marts.flight_weather, but none of the changed columns",
    ]
    assert lines[6] == "columns + fct_flights.seats nothing downstream breaks"
    assert lines[7].startswith("2 to build, 17 untouched; about ")
    assert lines[7].endswith("Nothing was changed. `mainstem run` does this.")


def test_lineage_of_a_marts_column_reaches_the_raw_columns(built):
    tree = built("lineage", "marts.monthly_delays.mean_dep_delay")

    assert "raw.flights.dep_delay" in tree
    assert "ingest/nyc.yml" in tree


def test_the_planted_mistake_is_held_and_readers_keep_what_they_had(demo):
    demo.edit("models/marts/fct_flights.sql", "\nleft join", "\njoin")

    run = demo("run", code=2)

    assert "284,170 rows, expected 336,776; 52,606 missing" in run
    assert "HELD  marts.fct_flights" in run
    assert demo.rows("select count(*) as n from marts.fct_flights") == [{"n": 336776}]
    branch = re.search(r"--branch (run/\d+)", run)[1]
    held = demo.rows("select count(*) as n from marts.fct_flights", "--branch", branch)
    assert held == [{"n": 284170}]


def test_a_commit_before_an_edit_can_be_read_and_a_revert_sticks(demo):
    demo.edit("models/marts/delays_by_weather.sql", "avg(dep_delay)", "1000 + avg(dep_delay)")
    demo("run")
    query = "select min(mean_dep_delay) > 1000 as edited from marts.delays_by_weather"
    assert demo.rows(query) == [{"edited": True}]
    assert demo.rows(query, "--at", "main~1") == [{"edited": False}]

    demo("revert", "main")
    demo("run")

    assert demo.rows(query) == [{"edited": False}]


def test_a_branch_is_run_compared_and_merged_and_the_target_links_it(demo):
    demo("branch", "create", "seats")
    demo.edit("models/marts/fct_flights.sql", "f.is_cancelled,", "f.is_cancelled, p.seats,")

    demo("run", "--branch", "seats")
    diff = demo("diff", "main", "seats", "--no-rows")
    plan = orjson.loads(demo("plan", "--json"))
    demo("merge", "seats")

    assert "+ seats" in diff
    linked = {item["key"] for item in plan["assets"] if item["action"] == "link"}
    assert "marts.fct_flights" in linked
    assert demo.rows("select count(seats) as n from marts.fct_flights") == [{"n": 284170}]
    assert "Nothing to do" in demo("run")


def test_a_new_file_adds_its_rows(demo):
    rows = demo("query", "--format", "csv", "select * from raw.flights limit 100")
    with zipfile.ZipFile(demo.folder / "data/flights_2014.csv.zip", "w") as archive:
        archive.writestr("flights_2014.csv", rows)

    run = demo("run", "raw.flights")

    assert "+100 rows" in run
    assert demo.rows("select count(*) as n from raw.flights") == [{"n": 336876}]


def test_other_programs_find_the_files(built):
    path = Path(built("table", "path", "marts.fct_flights").strip())

    metadata = orjson.loads(path.read_bytes())
    files = list((built.folder / ".mainstem").rglob("*.parquet"))

    assert metadata["format-version"] == 2
    assert any(pq.ParquetFile(file).metadata.num_rows == 336776 for file in files)
