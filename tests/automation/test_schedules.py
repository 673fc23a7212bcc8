"""Which ticks are due, what becomes of missed ones, and that each comes once."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from mainstem.automation import Schedule, Target, due_ticks, record, ticking
from mainstem.automation.cron import cron_of
from mainstem.automation.timing import Timing
from mainstem.database import open_database
from mainstem.state import LaunchRequest, enqueue, launches


def schedule(cron="0 3 * * *", name="nightly", **more):
    timing = more.pop("timing", None) or Timing(crons=(cron_of(cron),))
    target = Target(job=name, select=("tag:daily",), options={"fresh": True}, priority=2)
    return Schedule(name=name, timing=timing, target=target, **more)


class Loop:
    """What a server does: sees the project, evaluates when told the time."""

    def __init__(self, database, *schedules, is_fast=True):
        self.database = database
        self.schedules = schedules
        self.is_fast = is_fast

    def sync(self, now):
        with self.database.write() as transaction:
            ticking.sync_schedules(transaction, self.schedules, now=now)

    def evaluate(self, now):
        by_name = {each.name: each for each in self.schedules}
        with self.database.write() as transaction:
            written = ticking.evaluate_schedules(transaction, by_name, now=now)
            if self.is_fast:  # what was launched is over before the next tick
                transaction.execute("update launch set status = 'succeeded'")
            return written

    def switch(self, now, *, on):
        with self.database.write() as transaction:
            ticking.switch_schedule(transaction, self.schedules[0], on=on, now=now)

    @property
    def launched(self):
        with self.database.read() as transaction:
            return [launch.request.run_key[:16] for launch in launches(transaction)][::-1]

    @property
    def ticks(self):
        with self.database.read() as transaction:
            return record.ticks(transaction, "schedule")[::-1]

    @property
    def next_wake(self):
        with self.database.read() as transaction:
            return record.next_wake(transaction, "schedule")


def test_a_tick_launches_its_job_with_the_time_it_was_due(database, utc):
    loop = Loop(database, schedule())
    loop.sync(utc("2026-01-01 12:00"))

    assert loop.evaluate(utc("2026-01-02 02:59:59")) == []
    (tick,) = loop.evaluate(utc("2026-01-02 03:00:07"))

    with database.read() as transaction:
        (launch,) = launches(transaction)
    assert (tick.outcome, tick.launch_id) == ("launched", launch.id)
    request = launch.request
    assert (request.origin, request.source, request.job) == ("schedule", "nightly", "nightly")
    assert request.logical_time == utc("2026-01-02 03:00")
    assert (request.select, request.priority) == (("tag:daily",), 2)
    assert request.cause == {"tick": "2026-01-02T03:00:00+00:00", "timing": "0 3 * * * (UTC)"}


def test_a_schedule_does_not_fire_for_the_time_before_it_was_seen(database, utc):
    loop = Loop(database, schedule(catchup="all"))
    loop.sync(utc("2026-01-02 03:00:01"))

    assert loop.evaluate(utc("2026-01-02 12:00")) == []


def test_a_schedule_whose_cron_was_edited_does_not_fire_for_the_past(database, utc):
    loop = Loop(database, schedule("0 3 * * *", catchup="all"))
    loop.sync(utc("2026-01-01 12:00"))
    loop.schedules = (schedule("0 * * * *", catchup="all"),)
    loop.sync(utc("2026-01-02 05:30"))

    loop.evaluate(utc("2026-01-02 06:10"))

    assert loop.launched == ["2026-01-02T06:00"]


@pytest.mark.parametrize(
    ("catchup", "launched", "skipped"),
    [
        ("latest", ["2026-01-05T03:00"], [("2026-01-04T03:00", 3)]),
        (
            "all",
            ["2026-01-02T03:00", "2026-01-03T03:00", "2026-01-04T03:00", "2026-01-05T03:00"],
            [],
        ),
        ("none", [], [("2026-01-04T03:00", 3), ("2026-01-05T03:00", 1)]),
    ],
)
def test_after_an_outage_catchup_decides(catchup, launched, skipped, database, utc):
    loop = Loop(database, schedule(catchup=catchup))
    loop.sync(utc("2026-01-01 12:00"))

    loop.evaluate(utc("2026-01-05 09:00"))

    assert loop.launched == launched
    found = [tick for tick in loop.ticks if tick.outcome == "skipped"]
    assert [(tick.scheduled_for.isoformat()[:16], tick.stands_for) for tick in found] == skipped
    assert all("catchup" in tick.reason for tick in found)


def test_catching_up_is_bounded_and_what_is_left_out_is_recorded(utc):
    every_minute = schedule("* * * * *", catchup="all")

    ticks = due_ticks(every_minute, utc("2026-01-01 00:00"), utc("2026-01-03 00:00"))

    assert len([tick for tick in ticks if tick.is_launch]) == 100
    assert ticks[-1].scheduled_for == utc("2026-01-03 00:00")
    assert ticks[0].stands_for >= 1000
    assert not ticks[0].is_launch


def test_an_outage_of_a_year_costs_no_more_than_one_of_a_day(utc):
    every_minute = schedule("* * * * *")

    ticks = due_ticks(every_minute, utc("2025-01-01 00:00"), utc("2026-01-01 00:00:30"))

    assert [tick.is_launch for tick in ticks] == [False, True]
    assert ticks[1].scheduled_for == utc("2026-01-01 00:00")


def test_evaluating_again_changes_nothing(database, utc):
    loop = Loop(database, schedule())
    loop.sync(utc("2026-01-01 12:00"))
    loop.evaluate(utc("2026-01-02 03:00"))

    assert loop.evaluate(utc("2026-01-02 03:00")) == []
    assert loop.evaluate(utc("2026-01-02 03:00:01")) == []
    assert loop.launched == ["2026-01-02T03:00"]


def test_two_servers_that_believe_to_lead_give_one_tick(database_url, database, utc):
    Loop(database, schedule("*/5 * * * *")).sync(utc("2026-01-01 00:00"))
    others = [open_database(database_url) for _ in range(2)]
    start = threading.Barrier(2)

    def serve(opened):
        loop = Loop(opened, schedule("*/5 * * * *"))
        start.wait()
        for minute in range(60):
            loop.evaluate(utc("2026-01-01 00:00") + timedelta(minutes=minute, seconds=1))

    threads = [threading.Thread(target=serve, args=(opened,)) for opened in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for opened in others:
        opened.close()

    launched = Loop(database).launched
    assert launched == [f"2026-01-01T00:{minute:02}" for minute in range(5, 60, 5)]


def test_a_tick_that_another_server_wrote_is_not_launched_again(database, utc):
    loop = Loop(database, schedule())
    loop.sync(utc("2026-01-01 12:00"))
    loop.evaluate(utc("2026-01-02 03:00"))
    with database.write() as transaction:  # as a server that read the state before would see it
        (state,) = record.trigger_states(transaction, "schedule")
        stale = replace(
            state, evaluated_until=utc("2026-01-02 02:00"), next_at=utc("2026-01-02 03:00")
        )
        record.save_trigger(transaction, stale)

    assert loop.evaluate(utc("2026-01-02 03:00:05")) == []
    assert loop.launched == ["2026-01-02T03:00"]


def test_a_clock_that_is_set_back_fires_nothing_twice(database, utc):
    loop = Loop(database, schedule("0 * * * *"))
    loop.sync(utc("2026-01-01 00:30"))
    for hour in (1, 2, 3):
        loop.evaluate(utc(f"2026-01-01 0{hour}:00:10"))

    for text in ("01:30", "02:00:10", "03:00:10", "04:00:10"):  # two hours once more
        loop.evaluate(utc(f"2026-01-01 {text}"))

    assert loop.launched == [f"2026-01-01T0{hour}:00" for hour in (1, 2, 3, 4)]


def test_a_clock_that_ran_a_year_ahead_does_not_silence_a_schedule(database, utc):
    loop = Loop(database, schedule("0 3 * * *"))
    loop.sync(utc("2026-01-01 12:00"))
    loop.evaluate(utc("2027-01-01 12:00"))

    loop.evaluate(utc("2026-01-01 12:05"))
    loop.evaluate(utc("2026-01-02 03:00:10"))

    assert loop.launched == ["2027-01-01T03:00", "2026-01-02T03:00"]


def test_a_schedule_that_is_off_fires_nothing_and_makes_up_for_nothing(database, utc):
    loop = Loop(database, schedule(catchup="all"))
    loop.sync(utc("2026-01-01 12:00"))
    loop.switch(utc("2026-01-01 13:00"), on=False)

    assert loop.evaluate(utc("2026-01-04 12:00")) == []
    assert loop.next_wake is None
    loop.switch(utc("2026-01-04 12:00"), on=True)
    loop.evaluate(utc("2026-01-05 12:00"))

    assert loop.launched == ["2026-01-05T03:00"]


def test_what_a_person_switched_outlives_a_reload_and_the_file_decides_before(database, utc):
    loop = Loop(database, schedule(enabled=False))
    loop.sync(utc("2026-01-01 12:00"))
    assert loop.evaluate(utc("2026-01-02 12:00")) == []

    loop.switch(utc("2026-01-02 13:00"), on=True)
    loop.sync(utc("2026-01-02 14:00"))
    loop.evaluate(utc("2026-01-03 12:00"))

    assert loop.launched == ["2026-01-03T03:00"]


def test_a_schedule_that_left_the_project_fires_no_more(database, utc):
    loop = Loop(database, schedule())
    loop.sync(utc("2026-01-01 12:00"))
    loop.schedules = ()
    loop.sync(utc("2026-01-01 13:00"))

    assert loop.next_wake is None
    assert loop.evaluate(utc("2026-01-02 12:00")) == []


def test_launches_of_a_job_that_is_slower_than_its_ticks_do_not_pile_up(database, utc):
    loop = Loop(database, schedule("* * * * *"), is_fast=False)
    loop.sync(utc("2026-01-01 00:00"))
    loop.evaluate(utc("2026-01-01 00:01"))

    loop.evaluate(utc("2026-01-01 00:02"))

    assert loop.launched == ["2026-01-01T00:01"]
    assert loop.ticks[-1].reason == "launch 1 of an earlier tick has not started yet"
    with database.write() as transaction:
        transaction.execute("update launch set status = 'running'")
    loop.evaluate(utc("2026-01-01 00:03"))
    assert loop.launched == ["2026-01-01T00:01", "2026-01-01T00:03"]


def test_a_transaction_that_fails_leaves_neither_tick_nor_launch(database, utc):
    loop = Loop(database, schedule())
    loop.sync(utc("2026-01-01 12:00"))

    with suppress(RuntimeError), database.write() as transaction:
        ticking.evaluate_schedules(
            transaction, {"nightly": schedule()}, now=utc("2026-01-02 03:00")
        )
        raise RuntimeError
    assert (loop.ticks, loop.launched) == ([], [])
    loop.evaluate(utc("2026-01-02 03:00:01"))
    assert loop.launched == ["2026-01-02T03:00"]


def test_the_loop_may_sleep_until_the_next_tick_of_all(database, utc):
    loop = Loop(database, schedule(), schedule("30 1 * * *", name="early"))
    loop.sync(utc("2026-01-01 12:00"))

    assert loop.next_wake == utc("2026-01-02 01:30")
    loop.evaluate(utc("2026-01-02 01:30"))
    assert loop.next_wake == utc("2026-01-02 03:00")


def test_old_ticks_are_forgotten_and_launched_once_all_the_same(database, utc):
    loop = Loop(database, schedule())
    loop.sync(utc("2026-01-01 12:00"))
    loop.evaluate(utc("2026-01-02 03:00"))
    with database.write() as transaction:
        record.prune_ticks(transaction, before=utc("2026-03-01 00:00"))
        (state,) = record.trigger_states(transaction, "schedule")
        again = replace(
            state, evaluated_until=utc("2026-01-02 02:00"), next_at=utc("2026-01-02 03:00")
        )
        record.save_trigger(transaction, again)

    (tick,) = loop.evaluate(utc("2026-01-02 03:01"))

    assert (tick.outcome, tick.reason) == ("skipped", "it was launched before")
    assert len(loop.launched) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_thousands_of_schedules_that_are_not_due_cost_one_look_at_an_index(database, utc):
    many = [schedule(name=f"job_{number}") for number in range(3000)]
    Loop(database, *many).sync(utc("2026-01-01 12:00"))

    with database.read() as transaction:
        plan = transaction.execute(
            "explain query plan select name from trigger_state where kind = 'schedule' "
            "and next_at <= 1"
        )
        now = utc("2026-01-02 02:59")
        due = record.due_triggers(transaction, "schedule", now, ahead=now, limit=10)

    assert due == []
    assert "trigger_next" in str(plan)


def test_what_was_asked_by_hand_does_not_hold_a_tick_back(database, utc):
    loop = Loop(database, schedule())
    loop.sync(utc("2026-01-01 12:00"))
    with database.write() as transaction:
        enqueue(
            transaction,
            LaunchRequest(origin="manual", source="ann", job="nightly"),
            now=utc("2026-01-02 02:00"),
        )

    (tick,) = loop.evaluate(utc("2026-01-02 03:00"))

    assert tick.outcome == "launched"


def test_very_many_that_are_due_at_once_are_launched_in_several_turns(database, utc):
    loop = Loop(database, *(schedule(name=f"job_{number}") for number in range(450)))
    loop.sync(utc("2026-01-01 12:00"))
    now = utc("2026-01-02 03:00:01")

    counts = [len(loop.evaluate(now)) for _ in range(4)]

    assert counts == [200, 200, 50, 0]
    assert loop.next_wake == utc("2026-01-03 03:00")


def test_a_server_with_older_files_does_not_silence_a_schedule_that_it_does_not_know(database, utc):
    newer, older = Loop(database, schedule()), Loop(database)
    newer.sync(utc("2026-01-01 12:00"))
    assert older.evaluate(utc("2026-01-02 03:00:01")) == []

    newer.sync(utc("2026-01-02 03:00:10"))
    newer.evaluate(utc("2026-01-02 03:00:11"))

    assert newer.launched == ["2026-01-02T03:00"]
