"""Looks of sensors: claimed once, written whole, slower after failures."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from mainstem.automation import (
    Sensor,
    Target,
    begin_look,
    files_arrived,
    finish_look,
    next_look,
    sensor_statuses,
    set_sensor_cursor,
    switch_sensor,
    table_moved,
)
from mainstem.automation.looking import sync_sensors
from mainstem.automation.record import ticks
from mainstem.errors import StepFailed, UserError
from mainstem.project import open_project
from mainstem.state import launches
from mainstem.types import RunRequest, SensorAnswer

SENSOR = Sensor(
    name="letters", kind="python", every=timedelta(minutes=1), target=Target(job="nightly")
)
RAISED = StepFailed("A7112", "sensor letters raised ValueError: no")


class Looks:
    """A server that looks when it is told the time."""

    def __init__(self, database, sensor=SENSOR):
        self.database = database
        self.sensor = sensor
        self.now = None

    def begin(self, now, **more):
        self.now = now
        with self.database.write() as transaction:
            return begin_look(transaction, self.sensor, now=now, **more)

    def finish(self, look, answer, now):
        with self.database.write() as transaction:
            return finish_look(transaction, look, answer, now=now)

    def __call__(self, now, answer):
        look = self.begin(now)
        return None if look is None else self.finish(look, answer, now)

    @property
    def status(self):
        with self.database.read() as transaction:
            return sensor_statuses(transaction, [self.sensor])[0]

    @property
    def launched(self):
        with self.database.read() as transaction:
            return [launch.request.run_key for launch in launches(transaction)][::-1]

    @property
    def ticks(self):
        with self.database.read() as transaction:
            return ticks(transaction, "sensor")[::-1]

    @property
    def next_at(self):
        with self.database.read() as transaction:
            return next_look(transaction, self.sensor, now=self.now)


def asked(*keys, **more):
    return SensorAnswer(requests=tuple(RunRequest(run_key=key) for key in keys), **more)


def test_what_a_look_gave_is_launched_and_its_cursor_kept(database, utc):
    looks = Looks(database)

    tick = looks(utc("2026-01-01 00:00"), asked("a", "b", cursor="7"))

    assert (tick.outcome, tick.facts) == ("launched", {"launches": [1, 2]})
    assert looks.launched == ["a", "b"]
    assert (looks.status.cursor, looks.next_at) == ("7", utc("2026-01-01 00:01"))
    with database.read() as transaction:
        request = launches(transaction)[0].request
    assert (request.job, request.origin, request.source) == ("nightly", "sensor", "letters")
    assert request.cause["sensor"] == "letters"


def test_a_run_key_that_comes_again_launches_nothing(database, utc):
    looks = Looks(database)
    looks(utc("2026-01-01 00:00"), asked("a"))

    tick = looks(utc("2026-01-01 00:01"), asked("a", "a"))

    assert (tick.outcome, looks.launched) == ("skipped", ["a"])
    assert "launched before" in tick.reason


def test_two_servers_make_one_look(database, utc):
    looks = Looks(database)
    looks(utc("2026-01-01 00:00"), asked())

    first, second = looks.begin(utc("2026-01-01 00:01")), looks.begin(utc("2026-01-01 00:01"))

    assert first is not None
    assert second is None


def test_a_look_whose_server_died_is_made_again(database, utc):
    looks = Looks(database)
    looks.begin(utc("2026-01-01 00:00"))

    assert looks(utc("2026-01-01 00:00:30"), asked("a")) is None
    looks(utc("2026-01-01 00:01"), asked("a"))

    assert looks.launched == ["a"]


def test_failures_slow_a_sensor_down_and_success_makes_it_well(database, utc):
    looks = Looks(database)
    now, waits = utc("2026-01-01 00:00"), []
    for _ in range(8):
        tick = looks(now, RAISED)
        assert (tick.outcome, tick.reason) == ("failed", RAISED.summary)
        waits.append((looks.next_at - now) / timedelta(minutes=1))
        now = looks.next_at

    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]
    assert looks.status.failures == 8
    looks(now, asked())
    assert looks.status.failures == 0
    assert looks.next_at == now + timedelta(minutes=1)


def test_looks_that_see_nothing_are_one_tick_that_counts(database, utc):
    looks = Looks(database)

    for minute in range(5):
        looks(utc(f"2026-01-01 00:0{minute}"), SensorAnswer(skip="nothing new"))

    (tick,) = looks.ticks
    assert (tick.stands_for, tick.reason) == (5, "nothing new")
    assert tick.evaluated_at == utc("2026-01-01 00:04")


def test_a_sensor_that_was_changed_while_it_looked_is_asked_again(database, utc):
    looks = Looks(database)
    look = looks.begin(utc("2026-01-01 00:00"))
    with database.write() as transaction:
        set_sensor_cursor(transaction, SENSOR, "99", now=utc("2026-01-01 00:00:01"))

    assert looks.finish(look, asked("a", cursor="7"), utc("2026-01-01 00:00:02")) is None

    assert (looks.launched, looks.status.cursor) == ([], "99")


def test_a_sensor_that_is_off_is_not_looked_at_but_by_hand(database, utc):
    looks = Looks(database)
    with database.write() as transaction:
        switch_sensor(transaction, SENSOR, on=False, now=utc("2026-01-01 00:00"))

    assert looks.begin(utc("2026-01-01 01:00")) is None
    look = looks.begin(utc("2026-01-01 01:00"), by_hand=True)
    looks.finish(look, asked("a"), utc("2026-01-01 01:00:01"))

    assert looks.launched == ["a"]
    assert looks.next_at is None


def test_a_clock_set_back_does_not_silence_a_sensor(database, utc):
    looks = Looks(database)
    looks(utc("2027-01-01 00:00"), asked())

    assert looks.begin(utc("2026-01-01 00:00")) is not None


def test_a_request_without_anything_to_run_is_a_failure_that_says_so(database, utc):
    looks = Looks(database, replace(SENSOR, target=None))

    tick = looks(utc("2026-01-01 00:00"), asked("a"))

    assert (tick.outcome, tick.facts["code"]) == ("failed", "A2211")


def test_a_request_may_say_what_to_run_and_which_partitions(database, utc):
    looks = Looks(database, replace(SENSOR, target=None))
    request = RunRequest(
        run_key="a", select=("raw.orders+",), partitions={"raw.orders": "2026-01-01"}, vars={"n": 1}
    )

    looks(utc("2026-01-01 00:00"), SensorAnswer(requests=(request,)))

    with database.read() as transaction:
        asked_for = launches(transaction)[0].request
    assert asked_for.select == ("raw.orders+",)
    assert asked_for.partitions == {"raw.orders": "2026-01-01"}
    assert asked_for.options["vars"] == {"n": 1}


def test_a_sensor_that_left_the_project_is_forgotten_about(database, utc):
    looks = Looks(database)
    looks(utc("2026-01-01 00:00"), asked())
    with database.write() as transaction:
        sync_sensors(transaction, [], now=utc("2026-01-01 00:01"))

    assert looks.next_at is None


def test_files_count_once_two_looks_find_them_unchanged(tmp_path):
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing/a.csv").write_text("1")

    first = files_arrived(tmp_path, ["landing/*.csv"], "")
    (tmp_path / "landing/a.csv").write_text("1,2")  # it was still being written
    second = files_arrived(tmp_path, ["landing/*.csv"], first.cursor)
    third = files_arrived(tmp_path, ["landing/*.csv"], second.cursor)
    fourth = files_arrived(tmp_path, ["landing/*.csv"], third.cursor)

    assert [len(each.requests) for each in (first, second, third, fourth)] == [0, 0, 1, 0]
    assert third.requests[0].cause == {"files": ["landing/a.csv"], "count": 1}


def test_a_file_that_was_replaced_arrives_again(tmp_path):
    (tmp_path / "a.csv").write_text("1")
    cursor = files_arrived(tmp_path, ["*.csv"], "").cursor
    told = files_arrived(tmp_path, ["*.csv"], cursor)
    (tmp_path / "a.csv").write_text("12")
    cursor = files_arrived(tmp_path, ["*.csv"], told.cursor).cursor

    again = files_arrived(tmp_path, ["*.csv"], cursor)

    assert again.requests[0].run_key != told.requests[0].run_key


def test_a_file_that_is_gone_is_forgotten(tmp_path):
    (tmp_path / "a.csv").write_text("1")
    cursor = files_arrived(tmp_path, ["*.csv"], "").cursor
    cursor = files_arrived(tmp_path, ["*.csv"], cursor).cursor
    (tmp_path / "a.csv").unlink()

    answer = files_arrived(tmp_path, ["*.csv"], cursor)

    assert orjson.loads(answer.cursor) == {"seen": {}, "told": {}}


@pytest.mark.parametrize(
    ("before", "now", "asks"),
    [("", "v1", False), ('"v1"', "v1", False), ('"v1"', "v2", True), ('"v1"', None, False)],
)
def test_a_table_arrives_when_its_version_on_the_branch_changed(before, now, asks):
    answer = table_moved("raw.orders", "main", now, before)

    assert bool(answer.requests) == asks
    if asks:
        assert answer.requests[0].run_key == "main:v2"


@pytest.mark.parametrize("pattern", ["landing/**.csv", "", "/", "a/b**/c.csv"])
def test_a_glob_that_cannot_match_is_refused_when_the_file_is_read(tmp_path, pattern):
    (tmp_path / "mainstem.yml").write_text(
        "name: shop\njobs: {nightly: {select: one}}\n"
        f"sensors: {{inbox: {{when: {{files: '{pattern}'}}, job: nightly}}}}\n"
    )
    (tmp_path / "models").mkdir()
    (tmp_path / "models/one.sql").write_text("select 1 as a")

    with open_project(tmp_path) as project:
        assert [error.code for error in project.problems] == ["A2210"]


@pytest.mark.parametrize(
    ("kind", "cursor"), [("python", "now"), ("files", "[]"), ("files", "7"), ("table", "{}")]
)
def test_a_cursor_from_which_no_look_can_begin_is_refused(database, utc, kind, cursor):
    sensor = replace(SENSOR, kind=kind, files=("*.csv",), table="raw.orders")

    with database.write() as transaction, pytest.raises(UserError, match="The cursor of"):
        set_sensor_cursor(transaction, sensor, cursor, now=utc("2026-01-01 00:00"))


def test_files_are_looked_at_from_an_object_that_says_nothing(tmp_path):
    (tmp_path / "a.csv").write_text("a")

    assert files_arrived(tmp_path, ["*.csv"], "{}").skip == "1 file may still be written"


def test_an_environment_that_is_not_there_is_said_when_the_file_is_read(tmp_path):
    (tmp_path / "mainstem.yml").write_text(
        "name: shop\n"
        "jobs:\n  nightly: {select: one, environment: nowhere}\n"
        "sensors:\n  inbox: {when: {files: a.csv}, select: one, environment: nowhere}\n"
    )
    (tmp_path / "models").mkdir()
    (tmp_path / "models/one.sql").write_text("select 1 as a")

    with open_project(tmp_path) as project:
        found = [(error.code, error.where.line) for error in project.problems]

    assert found == [("A1020", 3), ("A1020", 5)]
