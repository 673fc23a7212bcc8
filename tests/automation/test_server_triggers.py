"""The triggers of a project behind the port of the server, with virtual time."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest

import mainstem
from mainstem.service.automatic import project_triggers
from mainstem.state import launches


class Manual:
    def __init__(self, now):
        self.time = now

    def now(self):
        return self.time

    def monotonic_s(self):
        return self.time.timestamp()

    def sleep(self, seconds):
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock(utc):
    return Manual(utc("2026-01-01 00:00"))


@pytest.fixture
def project(tmp_path, clock):
    (tmp_path / "models").mkdir()
    (tmp_path / "models/hello.sql").write_text("select 1 as n")
    (tmp_path / "landing").mkdir()
    (tmp_path / "mainstem.yml").write_text(
        "name: shop\n"
        "jobs:\n"
        "  nightly: {select: hello, cron: 0 3 * * *}\n"
        "sensors:\n"
        "  arrivals: {when: {files: landing/*}, job: nightly, every: 1m}\n"
    )
    with mainstem.open(tmp_path, clock=clock) as opened:
        yield opened


def serve(project, clock, *, hours, step_m=60):
    """Ask each trigger again and again, as the loop of a server does."""

    @contextmanager
    def write():
        with project.services.database.write() as transaction:
            yield transaction

    end = clock.time + timedelta(hours=hours)
    triggers = project_triggers(project)
    while clock.time <= end:
        for trigger in triggers:
            trigger.turn(write, clock.time)
        with write() as transaction:
            transaction.execute("update launch set status = 'succeeded' where status = 'queued'")
        clock.time += timedelta(minutes=step_m)


def sources(project):
    with project.services.database.read() as transaction:
        return [launch.request.source for launch in launches(transaction)][::-1]


def test_a_week_of_a_schedule_is_seven_launches(project, clock):
    serve(project, clock, hours=24 * 7)

    assert sources(project) == ["nightly"] * 7


def test_a_sensor_is_asked_each_minute_and_launches_what_arrived(project, clock):
    serve(project, clock, hours=1, step_m=1)
    (project.folder / "landing/a.csv").write_text("1")

    serve(project, clock, hours=1, step_m=1)

    assert sources(project) == ["arrivals"]
    (tick, *_) = [t for t in project.automation.sensors.ticks() if t.outcome == "launched"]
    assert tick.facts == {}


def test_a_server_that_begins_late_makes_up_for_the_last_tick_only(project, clock, utc):
    serve(project, clock, hours=1)
    clock.time = utc("2026-01-10 12:00")

    serve(project, clock, hours=1)

    assert sources(project) == ["nightly"]
    skipped = [tick for tick in project.automation.ticks() if tick.outcome == "skipped"]
    assert [tick.stands_for for tick in skipped] == [9]
