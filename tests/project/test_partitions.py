# SPDX-License-Identifier: Apache-2.0
"""Partitioned assets from plan to publish: each month is built, checked, replaced alone."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime

import orjson
import pytest
from click.testing import CliRunner

import mainstem
from mainstem import state
from mainstem.cli.commands.partitions import partitions_command
from mainstem.errors import SelectionInvalid, StepFailed
from mainstem.project import add_partitions, delete_partitions, remove_partitions
from mainstem.runs import RunOptions, execute

MONTHS = [f"2013-{number:02}" for number in range(1, 13)]
HEADER = """/* ---
materialized: table
partitions: {{by: {by}, column: {column}, start: 2013-01-01, end: 2014-01-01}}
{more}--- */
"""


def _model(query, *, by="month", column="flown", more=""):
    return HEADER.format(by=by, column=column, more=more) + query + "\n"


class Flights:
    """A folder whose raw table has three flights a month, in one file."""

    def __init__(self, path):
        self.path = path
        self.write("mainstem.yml", "name: flights\n")
        self.write(
            "ingest/raw.yml",
            "type: files\npath: data/\ninto: raw\n"
            'tables:\n  flights: {files: "f*.csv", write: append}\n',
        )
        self.land("f0", [f"{month}-{day}" for month in MONTHS for day in ("01", "15", "28")])
        self.write("models/marts/monthly.sql", _model("select flown, delay from raw.flights"))

    def write(self, name, text):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def land(self, name, days, *, delay=1):
        rows = "".join(f"{day} 10:00:00,{delay}\n" for day in days)
        self.write(f"data/{name}.csv", "flown,delay\n" + rows)

    def run(self, *select, branch=None, **options):
        with mainstem.open(self.path, branch=branch) as project:
            return project.run(select, **options)

    def planned(self, asset, *, branch=None, **options):
        with mainstem.open(self.path, branch=branch) as project:
            plan = project.plan(**options)
        return next(item for item in plan.assets if str(item.key) == asset)

    def rows(self, query, *, at=None):
        with mainstem.open(self.path) as project:
            return [tuple(row.values()) for row in project.sql(query, at=at).to_pylist()]

    def version(self, asset="marts.monthly", at="main"):
        with mainstem.open(self.path) as project:
            return project.lake.entry(mainstem.AssetKey.parse(asset), at).provenance.data_version


@pytest.fixture
def flights(tmp_path):
    return Flights(tmp_path / "flights")


def _statuses(finished, asset="marts.monthly"):
    return {step.partition: step.status for step in finished.steps if str(step.key) == asset}


PER_MONTH = "select strftime(flown, '%Y-%m') as m, count(*) from {} group by 1 order by 1"


def test_each_month_is_a_step_and_a_second_run_does_nothing(flights):
    first = flights.run()
    planned = flights.planned("marts.monthly")

    assert _statuses(first) == dict.fromkeys(MONTHS, "built")
    assert flights.rows(PER_MONTH.format("marts.monthly")) == [(month, 3) for month in MONTHS]
    assert planned.action == "fresh"
    assert flights.run().status == "nothing_to_do"


def test_the_plan_says_how_many_partitions_and_why(flights):
    planned = flights.planned("marts.monthly")

    assert planned.reason == "12 of 12 partitions: not built yet"
    assert planned.partitions == "2013-01..2013-12"


def test_new_rows_of_one_month_build_that_month_only(flights):
    flights.run()
    flights.land("f1", ["2013-05-20"])

    finished = flights.run()

    built = [name for name, status in _statuses(finished).items() if status == "built"]
    assert built == ["2013-05"]
    assert dict(flights.rows(PER_MONTH.format("marts.monthly")))["2013-05"] == 4
    assert flights.planned("marts.monthly").action == "fresh"


def test_rows_outside_of_all_partitions_build_nothing(flights):
    flights.run()
    flights.land("f1", ["2014-05-20"])

    finished = flights.run()

    assert set(_statuses(finished).values()) == {"unchanged"}
    assert len(flights.rows("select * from marts.monthly")) == 36


def test_a_month_that_fails_its_check_is_held_while_eleven_are_published(flights):
    flights.write(
        "models/marts/monthly.sql",
        _model(
            "select flown, delay from raw.flights",
            more="checks: [{between: {column: delay, max: 100}}]\n",
        ),
    )
    flights.write("models/marts/copy.sql", _model("select * from marts.monthly"))
    flights.land("f1", ["2013-05-20"], delay=1000)

    finished = flights.run()

    others = [month for month in MONTHS if month != "2013-05"]
    assert finished.status == "held"
    assert _statuses(finished) == dict.fromkeys(others, "built") | {"2013-05": "held"}
    assert _statuses(finished, "marts.copy") == dict.fromkeys(others, "built") | {
        "2013-05": "skipped"
    }
    assert flights.rows(PER_MONTH.format("marts.monthly")) == [(month, 3) for month in others]
    assert len(flights.rows("select * from marts.monthly", at=finished.run_branch)) == 37
    assert flights.planned("marts.monthly").partitions == "2013-05"


def test_readers_keep_the_month_of_before_while_the_new_one_is_held(flights):
    flights.write(
        "models/marts/monthly.sql",
        _model(
            "select flown, delay from raw.flights",
            more="checks: [{between: {column: delay, max: 100}}]\n",
        ),
    )
    flights.run()
    flights.land("f1", ["2013-05-20"], delay=1000)
    flights.land("f2", ["2013-06-20"])

    flights.run()
    counts = dict(flights.rows(PER_MONTH.format("marts.monthly")))

    assert (counts["2013-05"], counts["2013-06"]) == (3, 4)
    assert sum(counts.values()) == 37


def test_the_next_run_builds_what_was_held_once_the_data_is_right(flights):
    model = "select flown, delay from raw.flights{}"
    checks = "checks: [{between: {column: delay, max: 100}}]\n"
    flights.land("f1", ["2013-05-20"], delay=1000)
    flights.write("models/marts/monthly.sql", _model(model.format(""), more=checks))
    flights.run()
    flights.write(
        "models/marts/monthly.sql", _model(model.format(" where delay < 100"), more=checks)
    )

    finished = flights.run()

    assert finished.status == "succeeded"
    assert flights.rows(PER_MONTH.format("marts.monthly")) == [(month, 3) for month in MONTHS]


def test_changed_code_builds_all_months_and_may_change_columns(flights):
    flights.run()
    flights.write(
        "models/marts/monthly.sql",
        _model("select flown, cast(delay as varchar) as delay_text from raw.flights"),
    )

    planned = flights.planned("marts.monthly")
    flights.run()

    assert planned.partitions == "2013-01..2013-12"
    assert planned.is_full_rebuild
    assert flights.rows("select delay_text from marts.monthly limit 1") == [("1",)]
    with mainstem.open(flights.path) as project:
        names = project.show("marts.monthly").column_names
    assert names == ["flown", "delay_text"]


def test_only_the_wanted_partitions_are_built(flights):
    finished = flights.run(partitions="2013-03..2013-04,2013-09")

    assert set(_statuses(finished)) == {"2013-03", "2013-04", "2013-09"}
    assert flights.planned("marts.monthly", partitions="missing").partitions == (
        "2013-01..2013-02,2013-05..2013-08,2013-10..2013-12"
    )
    assert flights.planned("marts.monthly", partitions="latest").partitions == "2013-12"


def test_rows_that_belong_to_no_partition_are_said_to_go(flights):
    flights.write(
        "models/marts/monthly.sql",
        "/* ---\nmaterialized: table\n--- */\nselect flown, delay from raw.flights\n",
    )
    flights.run()
    flights.write("models/marts/monthly.sql", _model("select flown, delay from raw.flights"))
    gone = "begins anew: its 36 rows were not built by partitions, and go"

    some = flights.planned("marts.monthly", partitions="2013-02")
    flights.run(partitions="2013-02")

    assert gone in some.details
    assert gone not in flights.planned("marts.monthly").details
    assert flights.rows("select count(*) from marts.monthly") == [(3,)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ingest/more.yml", "type: files\npath: data/\ntables: {{f: {{files: x.csv, {}}}}}\n"),
        ("seeds/seeds.yml", "seeds:\n  - {{name: s, {}}}\n"),
    ],
)
def test_what_is_loaded_as_a_whole_has_no_partitions_and_says_who_has(flights, name, text):
    flights.write("seeds/s.csv", "a\n1\n")
    flights.write(name, text.format("partitions: {by: day, start: 2013-01-01}"))

    with mainstem.open(flights.path) as project:
        (problem,) = project.problems

    assert (problem.code, problem.where.file) == ("A1010", name)
    assert "models that read it" in problem.hint


def test_a_tick_that_is_made_up_for_builds_the_window_that_was_over_then(flights):
    flights.run("raw.flights")
    tick = datetime(2013, 5, 1, 3, tzinfo=UTC)

    finished = flights.run("marts.monthly", partitions="latest", logical_time=tick)

    assert _statuses(finished) == {"2013-04": "built"}
    assert _statuses(flights.run("marts.monthly", partitions="latest")) == {"2013-12": "built"}


def test_a_partition_that_is_not_there_is_refused(flights):
    with pytest.raises(SelectionInvalid) as caught:
        flights.planned("marts.monthly", partitions="2014-03")

    assert caught.value.code == "A1085"


def test_the_version_does_not_tell_in_which_order_partitions_came(tmp_path):
    one, other = Flights(tmp_path / "one"), Flights(tmp_path / "other")
    one.run()
    other.run(partitions="2013-07..2013-12")
    other.run()

    assert one.version() == other.version()


def test_partitions_built_on_a_branch_are_linked_on_main(flights):
    flights.run("raw.flights")
    flights.run(branch="dev", ingest=False, partitions="2013-01..2013-06")

    finished = flights.run()

    statuses = _statuses(finished)
    assert {name for name, status in statuses.items() if status == "linked"} == set(MONTHS[:6])
    assert {name for name, status in statuses.items() if status == "built"} == set(MONTHS[6:])
    assert flights.rows(PER_MONTH.format("marts.monthly")) == [(month, 3) for month in MONTHS]


def test_a_revert_takes_partitions_back_and_they_are_not_built_again(flights):
    flights.run(partitions="2013-01..2013-06")
    second = flights.run()
    with mainstem.open(flights.path) as project:
        project.revert(second.commit_id)

    assert [month for month, _count in flights.rows(PER_MONTH.format("marts.monthly"))] == MONTHS[
        :6
    ]
    assert flights.planned("marts.monthly").action == "skip"
    assert flights.planned("marts.monthly", force=True).partitions == "2013-07..2013-12"


def test_a_merged_branch_brings_its_partitions_along(flights):
    flights.run(partitions="2013-01..2013-06")
    with mainstem.open(flights.path) as project:
        project.lake.create_branch("dev")
    flights.run(branch="dev", ingest=False)
    with mainstem.open(flights.path) as project:
        project.merge("dev")

    assert flights.planned("marts.monthly").action == "fresh"
    assert len(flights.rows("select * from marts.monthly")) == 36


def test_time_travel_sees_the_partitions_of_then(flights):
    first = flights.run(partitions="2013-01..2013-06")
    flights.run()

    assert len(flights.rows("select * from marts.monthly", at=first.commit_id)) == 18


def test_hours_roll_up_to_the_days_that_read_them(flights):
    flights.land("f0", [f"2013-01-{day:02}" for day in range(1, 4)])
    until = "start: 2013-01-01, end: 2013-01-04"
    hourly = (
        _model("select flown, delay from raw.flights", by="hour")
        .replace("start: 2013-01-01, end: 2014-01-01", until)
        .replace("2013-01-04}", "2013-01-04, batch: 24}")
    )
    daily = _model("select flown, delay from marts.hourly", by="day").replace(
        "start: 2013-01-01, end: 2014-01-01", until
    )
    (flights.path / "models/marts/monthly.sql").unlink()
    flights.write("models/marts/hourly.sql", hourly)
    flights.write("models/marts/daily.sql", daily)
    flights.run()
    flights.land("f1", ["2013-01-02"])

    finished = flights.run()

    assert [n for n, status in _statuses(finished, "marts.daily").items() if status == "built"] == [
        "2013-01-02"
    ]
    built = [n for n, status in _statuses(finished, "marts.hourly").items() if status == "built"]
    assert built == ["2013-01-02T00..2013-01-02T23"]
    assert flights.rows("select count(*) from marts.daily") == [(4,)]


def test_a_product_of_three_dimensions_is_built_by_combination(flights):
    flights.write(
        "models/marts/monthly.sql",
        """/* ---
materialized: table
partitions:
  product:
    month: {by: month, column: flown, start: 2013-01-01, end: 2013-03-01}
    region: {static: [eu, us]}
    kind: {static: ["a,b", c]}
--- */
select flown, region, kind from raw.flights, (values ('eu'), ('us')) as r(region),
  (values ('a,b'), ('c')) as k(kind)
""",
    )

    finished = flights.run()

    assert len(_statuses(finished)) == 8
    assert '2013-01|eu|"a,b"' in _statuses(finished)
    assert flights.rows("select count(*), count(distinct (region, kind)) from marts.monthly") == [
        (24, 4)
    ]
    assert flights.planned("marts.monthly").action == "fresh"


def test_an_unpartitioned_reader_waits_for_all_partitions(flights):
    flights.write(
        "models/marts/total.sql",
        "/* ---\nmaterialized: table\n--- */\nselect count(*) as n from marts.monthly\n",
    )
    flights.run()
    flights.land("f1", ["2013-05-20"])
    flights.run()

    assert flights.rows("select n from marts.total") == [(37,)]


def test_python_models_are_called_for_each_partition_with_its_rows(flights):
    flights.write(
        "models/marts/months.py",
        "import pyarrow as pa\n"
        "from mainstem import asset\n"
        "from mainstem.partitions import monthly\n"
        "@asset(partitions=monthly('2013-01-01', end='2013-04-01', batch=2))\n"
        "def months(monthly: pa.Table, context) -> pa.Table:\n"
        "    of = context.partition\n"
        "    assert of.start.month == int(of.keys[0][-2:]), of\n"
        "    return pa.table({'month': list(of.keys), 'n': [monthly.num_rows] * len(of.keys)})\n",
    )

    finished = flights.run()

    assert _statuses(finished, "marts.months") == {"2013-01..2013-02": "built", "2013-03": "built"}
    assert flights.rows("select month, n from marts.months order by 1") == [
        ("2013-01", 6),
        ("2013-02", 6),
        ("2013-03", 3),
    ]


def test_a_run_that_waited_keeps_the_columns_of_what_others_built_meanwhile(flights):
    flights.run()
    flights.write(
        "models/marts/months.py",
        "import pyarrow as pa\n"
        "from mainstem import asset\n"
        "from mainstem.partitions import monthly\n"
        "@asset(partitions=monthly('2013-01-01', end='2013-04-01'))\n"
        "def months(monthly: pa.Table, context) -> pa.Table:\n"
        "    of = context.partition.key\n"
        "    width = pa.int32() if of == '2013-03' else pa.int64()\n"
        "    return pa.table({'month': [of], 'n': pa.array([monthly.num_rows], width)})\n",
    )
    with mainstem.open(flights.path) as project:
        options = project.planning.options({})
        stale = project.planning.plan(project.reading_ref, options, ["marts.months"], [])
        flights.run("marts.months", partitions="2013-01..2013-02")
        finished = execute(stale, project._run_services(), options=RunOptions(plan=options))

    assert _statuses(finished, "marts.months")["2013-03"] == "built"
    assert flights.rows("select month, n from marts.months order by 1") == [
        ("2013-01", 3),
        ("2013-02", 3),
        ("2013-03", 3),
    ]


def test_a_function_that_gives_rows_of_another_partition_fails(flights):
    flights.write(
        "models/marts/months.py",
        "from mainstem import asset\n"
        "from mainstem.partitions import monthly\n"
        "@asset(partitions=monthly('2013-01-01', end='2013-02-01'))\n"
        "def months() -> list[dict]:\n"
        "    return [{'month': '2013-07'}]\n",
    )

    finished = flights.run("marts.months")

    (step,) = [step for step in finished.steps if str(step.key) == "marts.months"]
    assert isinstance(step.error, StepFailed)
    assert step.error.code == "A2068"


def _status(flights, asset="marts.monthly"):
    with mainstem.open(flights.path) as project:
        found = project.partitions(asset)
    return {name: some.text() for name, some in found.sets() if some}, found.failures


def test_the_status_is_ranges_by_what_they_are(flights):
    checks = "checks: [{between: {column: delay, max: 100}}]\n"
    query = "select flown, delay from raw.flights"
    flights.write("models/marts/monthly.sql", _model(query, more=checks))
    flights.land("f1", ["2013-02-20"], delay=1000)
    flights.run(partitions="2013-01..2013-06")

    sets, failures = _status(flights)

    assert sets == {
        "built": "2013-01,2013-03..2013-06",
        "missing": "2013-02,2013-07..2013-12",
        "failed": "2013-02",
    }
    assert [(one.partition, one.status) for one in failures] == [("2013-02", "held")]
    assert flights.planned("marts.monthly", partitions="failed").partitions == "2013-02"


def test_changed_code_makes_partitions_stale(flights):
    flights.run(partitions="2013-01..2013-06")
    flights.write(
        "models/marts/monthly.sql", _model("select flown, delay + 1 as delay from raw.flights")
    )

    assert _status(flights)[0] == {"stale": "2013-01..2013-06", "missing": "2013-07..2013-12"}


def test_a_failure_is_forgotten_once_the_partition_is_built(flights):
    checks = "checks: [{between: {column: delay, max: 100}}]\n"
    query = "select flown, delay from raw.flights"
    flights.land("f1", ["2013-02-20"], delay=1000)
    flights.write("models/marts/monthly.sql", _model(query, more=checks))
    flights.run()
    flights.write("models/marts/monthly.sql", _model(query + " where delay < 100", more=checks))
    flights.run(partitions="failed")

    assert "failed" not in _status(flights)[0]


def test_status_belongs_to_a_branch(flights):
    flights.run("raw.flights")
    flights.run(branch="dev", ingest=False)

    assert _status(flights)[0] == {"missing": "2013-01..2013-12"}


def test_deleting_a_partition_takes_its_rows_and_its_record(flights):
    flights.run()
    with mainstem.open(flights.path) as project:
        commit, rows = delete_partitions(project, "marts.monthly", "2013-05")

    assert rows == 3
    assert dict(flights.rows(PER_MONTH.format("marts.monthly"))).get("2013-05") is None
    assert flights.planned("marts.monthly").partitions == "2013-05"
    assert len(flights.rows("select * from marts.monthly", at=f"{commit.id}~1")) == 36


def test_dynamic_partitions_come_and_go_by_their_keys(flights):
    flights.write(
        "models/marts/monthly.sql",
        """/* ---
materialized: table
partitions: {dynamic: customers, column: customer}
--- */
select customer, flown from raw.flights, (values ('acme'), ('b,c'), ('late')) as c(customer)
""",
    )
    with mainstem.open(flights.path) as project:
        add_partitions(project, "marts.monthly", ["acme", "b,c"])
    first = flights.run()
    with mainstem.open(flights.path) as project:
        add_partitions(project, "marts.monthly", ["acme", "late"])
    second = flights.run()
    with mainstem.open(flights.path) as project:
        removed = remove_partitions(project, "marts.monthly", ["b,c"])

    assert _statuses(first) == {"acme": "built", '"b,c"': "built"}
    assert _statuses(second) == {"late": "built"}
    assert removed == 1
    assert _status(flights)[0] == {"built": "acme,late"}
    assert flights.planned("marts.monthly").action == "fresh"


def test_results_of_each_partition_are_recorded_with_the_run(flights):
    finished = flights.run(partitions="2013-01..2013-02")
    with mainstem.open(flights.path) as project, project.services.database.read() as transaction:
        steps = state.partition_steps(
            transaction, finished.run_id, mainstem.AssetKey.parse("marts.monthly")
        )
        (row,) = [
            step
            for step in state.steps(transaction, finished.run_id)
            if str(step.key) == "marts.monthly"
        ]

    assert [(step.partitions, step.status, step.row_count) for step in steps] == [
        ("2013-01", "built", 3),
        ("2013-02", "built", 3),
    ]
    assert (row.status, row.row_count) == ("built", 6)
    assert row.notes == ("partitions: 2 built",)


def test_the_command_line_shows_ranges(flights, monkeypatch):
    flights.run(partitions="2013-01..2013-06")
    monkeypatch.chdir(flights.path)

    done = CliRunner().invoke(partitions_command, ["marts.monthly"])
    told = CliRunner().invoke(partitions_command, ["marts.monthly", "--json"])

    assert "built            6  2013-01..2013-06" in done.output
    assert "missing          6  2013-07..2013-12" in done.output
    assert orjson.loads(told.output)["partitions"]["built"]["count"] == 6


KILLED = """
import os, signal, sys
import mainstem
from mainstem.runs import StepFinished

done = []
def hear(event):
    if isinstance(event, StepFinished) and event.partition and event.status == "built":
        done.append(event.partition)
        if len(done) == 5:
            os.kill(os.getpid(), signal.SIGKILL)

with mainstem.open(sys.argv[1]) as project:
    project.run(on_event=hear)
"""


def test_what_was_built_before_a_kill_is_linked_by_the_next_run(flights):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(flights.path)], check=False)

    finished = flights.run()

    statuses = _statuses(finished)
    assert killed.returncode == -signal.SIGKILL
    assert sum(status == "linked" for status in statuses.values()) >= 5
    assert set(statuses.values()) == {"linked", "built"}
    assert flights.rows(PER_MONTH.format("marts.monthly")) == [(month, 3) for month in MONTHS]


def test_an_incremental_model_with_partitions_builds_each_from_all_its_rows(flights):
    flights.write(
        "models/marts/monthly.sql",
        """/* ---
materialized: incremental
key: [flown]
partitions: {by: month, column: flown, start: 2013-01-01, end: 2014-01-01}
partition_by: [month(flown)]
--- */
select flown, delay from raw.flights as f where {{ newer_than('f.flown', lookback='3 days') }}
""",
    )
    flights.run()
    flights.land("f1", ["2013-02-20"])

    finished = flights.run()

    assert [name for name, status in _statuses(finished).items() if status == "built"] == [
        "2013-02"
    ]
    assert dict(flights.rows(PER_MONTH.format("marts.monthly")))["2013-02"] == 4


def test_an_input_that_is_declared_to_be_read_whole_builds_all_partitions(flights):
    model = _model("select flown, delay from raw.flights")
    whole = model.replace("end: 2014-01-01", "end: 2014-01-01, inputs: {raw.flights: all}")
    flights.write("models/marts/monthly.sql", whole)
    flights.run()
    flights.land("f1", ["2013-05-20"])

    assert set(_statuses(flights.run()).values()) == {"built"}


def test_a_trailing_window_is_built_again_for_all_that_read_the_month(flights):
    model = _model(
        "select m.flown, (select count(*) from raw.flights as f) as n from raw.flights as m"
    )
    trailing = model.replace(
        "end: 2014-01-01", "end: 2014-01-01, inputs: {raw.flights: {trailing: 2}}"
    )
    flights.write("models/marts/monthly.sql", trailing)
    flights.run()
    flights.land("f1", ["2013-05-20"])

    finished = flights.run()

    built = {name for name, status in _statuses(finished).items() if status == "built"}
    assert built == {"2013-05", "2013-06"}
    counts = flights.rows(
        "select distinct strftime(flown, '%Y-%m'), n from marts.monthly order by 1"
    )
    assert dict(counts)["2013-01"] == 3
    assert dict(counts)["2013-06"] == 7


def test_months_of_another_zone_are_replaced_exactly(flights):
    flights.land("f0", ["2013-01-31", "2013-02-01"])
    flights.write("data/f1.csv", "flown,delay\n2013-01-31 23:30:00,1\n")
    zoned = _model(
        "select flown at time zone 'UTC' as at_utc, delay from raw.flights", column="at_utc"
    ).replace("end: 2014-01-01", "end: 2013-03-01, zone: Europe/Berlin, inputs: {raw.flights: all}")
    flights.write("models/marts/monthly.sql", zoned)
    flights.run()
    flights.run(partitions="2013-02", rebuild=True)

    rows = flights.rows("select count(*), count(distinct at_utc) from marts.monthly")
    assert rows == [(3, 3)]
