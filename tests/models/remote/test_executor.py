# SPDX-License-Identifier: Apache-2.0
"""Tickets between a run and workers elsewhere: lost workers, zombies, dead runs, cancelling."""

import queue
import threading
from datetime import UTC, datetime, timedelta

import pytest

from mainstem import state
from mainstem.database import open_database
from mainstem.errors import Cancelled, DatabaseUnavailable, StepFailed
from mainstem.models import RemoteExecutor, RemoteWorker
from mainstem.models.remote.parcel import ANSWER, HELD_S, LINES, MESSAGE, pack, unpack
from mainstem.models.remote.worker import _Job
from mainstem.models.worker.message import Asked, Built, Noted
from mainstem.state import TICKET_MIGRATIONS

START = datetime(2026, 11, 28, tzinfo=UTC)


class ManualClock:
    def __init__(self):
        self.passed_s = 0.0

    def now(self):
        return START + timedelta(seconds=self.passed_s)

    def monotonic_s(self):
        return self.passed_s

    def sleep(self, seconds):
        self.passed_s += seconds


class Cancel:
    is_cancelled = False

    def __init__(self):
        self.stops = []

    def on_cancel(self, stop):
        self.stops.append(stop)
        return lambda: self.stops.remove(stop)

    def pull(self):
        self.is_cancelled = True
        for stop in list(self.stops):
            stop()


class Desk:
    """A run that waits for a ticket in a thread, and the worker's side in the test's own hands."""

    def __init__(self, path):
        self.clock = ManualClock()
        self.path = path
        self.ours = open_database(path)
        self.ours.migrate(TICKET_MIGRATIONS)
        self.theirs = open_database(path)
        self.lines, self.notes, self.result = [], [], []
        self.cancel = Cancel()
        executor = RemoteExecutor(lambda: self.ours, "far", self.clock, cancel_grace_s=5.0)

        def run():
            try:
                self.result.append(
                    executor.run(
                        "request",
                        asset="m.a",
                        answer=self.notes.append,
                        log=lambda text, _stream: self.lines.append(text),
                        cancel=self.cancel,
                    )
                )
            except (StepFailed, Cancelled) as error:
                self.result.append(error)

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def take(self, owner="w"):
        """Wait for the ticket and take it."""
        watch = self.theirs.watch()
        try:
            for _ in range(600):
                now = self.clock.now()
                with self.theirs.write() as transaction:
                    ticket = state.take_ticket(
                        transaction,
                        executor="far",
                        owner=owner,
                        worker=f"host-{owner}",
                        now=now,
                        held_until=now + timedelta(seconds=HELD_S),
                    )
                if ticket is not None:
                    return ticket
                watch.wait(0.1)
        finally:
            watch.close()
        raise AssertionError("no ticket came")

    def say(self, ticket, kind, content):
        with self.theirs.write() as transaction:
            return state.say(transaction, ticket, "up", [(kind, pack(content))])

    def end(self):
        self.thread.join(30)
        assert not self.thread.is_alive()
        with self.theirs.read() as transaction:
            left = transaction.execute(
                "select (select count(*) from ticket_message) + count(*) from ticket"
            )
        self.ours.close()
        self.theirs.close()
        return self.result[0], left[0][0]


@pytest.fixture
def desk(database_url):
    desk = Desk(database_url)
    yield desk
    desk.cancel.pull()
    desk.clock.passed_s += 100
    desk.thread.join(30)


def test_lines_notes_and_the_answer_come_home_in_order_and_nothing_stays(desk):
    ticket = desk.take()
    desk.say(ticket, LINES, [("one", "stdout"), ("two", "stderr")])
    desk.say(ticket, MESSAGE, Noted(text="half way"))
    desk.say(ticket, ANSWER, Built())

    result, left = desk.end()

    assert unpack(ticket.body).request == "request"
    assert isinstance(result, Built)
    assert (desk.lines, [note.text for note in desk.notes]) == (["one", "two"], ["half way"])
    assert left == 0


def test_a_lost_worker_s_ticket_goes_to_another_and_the_zombie_speaks_to_nobody(desk):
    first = desk.take("first")
    desk.clock.passed_s += HELD_S + 1
    second = desk.take("second")

    spoke = desk.say(first, ANSWER, Built(returned_nothing=True))
    desk.say(second, ANSWER, Built())
    result, _ = desk.end()

    assert not spoke
    assert not result.returned_nothing
    # The test's clock leaps, so the run may think that it waited long before it sees the first one.
    lines = [line for line in desk.lines if not line.startswith("waits for a worker")]
    assert lines == ["a worker was lost; started again on host-second"]


def test_a_step_that_costs_three_workers_is_given_up(desk):
    for owner in ("a", "b", "c"):
        desk.take(owner)
        desk.clock.passed_s += HELD_S + 1

    result, left = desk.end()

    assert result.code == "A7112"
    assert "given to 3 workers" in result.summary
    assert left == 0


def test_cancelling_asks_the_worker_and_takes_its_answer(desk):
    ticket = desk.take()
    desk.cancel.pull()
    watch = desk.theirs.watch()
    for _ in range(300):
        with desk.theirs.read() as transaction:
            asked = state.ticket_of(transaction, ticket.id)
        if asked.cancel_requested:
            break
        watch.wait(0.1)
    watch.close()
    desk.say(ticket, ANSWER, Built())

    result, _ = desk.end()

    assert isinstance(result, Built)


def test_a_ticket_that_nobody_took_is_cancelled_at_once(database_url):
    desk = Desk(database_url)
    desk.cancel.pull()

    result, left = desk.end()

    assert (result.code, left) == ("A7109", 0)


def test_what_a_dead_run_left_is_dropped_once_its_worker_holds_it_no_more(database_url):
    database = open_database(database_url)
    database.migrate(TICKET_MIGRATIONS)
    until = START + timedelta(seconds=30)
    with database.write() as transaction:
        for name in ("waiting", "held"):
            state.put_ticket(
                transaction, name, executor="far", asset="m.a", body=b"", now=START,
                wanted_until=until,
            )  # fmt: skip
        state.take_ticket(
            transaction, executor="far", owner="w", worker="w", now=START,
            held_until=until + timedelta(seconds=10),
        )  # fmt: skip

    def left(seconds):
        with database.write() as transaction:
            now = START + timedelta(seconds=seconds)
            state.drop_unwanted_tickets(transaction, now=now)
            return len(transaction.execute("select id from ticket"))

    assert (left(29), left(31), left(41)) == (2, 1, 0)
    database.close()


def test_a_ticket_that_is_no_longer_wanted_is_given_to_nobody(database_url):
    database = open_database(database_url)
    database.migrate(TICKET_MIGRATIONS)
    with database.write() as transaction:
        state.put_ticket(
            transaction, "t", executor="far", asset="m.a", body=b"", now=START,
            wanted_until=START + timedelta(seconds=30),
        )  # fmt: skip
        late = START + timedelta(seconds=31)

        taken = state.take_ticket(
            transaction, executor="far", owner="w", worker="w", now=late, held_until=late
        )

    assert taken is None
    database.close()


def test_a_worker_asks_nothing_more_of_a_run_that_wants_its_ticket_no_more(tmp_path):
    database = open_database(str(tmp_path / "tickets.db"))
    database.migrate(TICKET_MIGRATIONS)
    clock = ManualClock()
    worker = RemoteWorker(database, "far", None, clock, slots=1, tell=lambda *_: None)
    ends = {"now": clock.now(), "wanted_until": START + timedelta(minutes=1)}
    with database.write() as transaction:
        state.put_ticket(transaction, "t", executor="far", asset="m.a", body=b"", **ends)
        ticket = state.take_ticket(
            transaction, executor="far", owner="w", worker="w", now=START, held_until=START
        )
    told = []
    job = _Job(worker, ticket)
    asking = threading.Thread(target=lambda: told.append(job._ask(Asked(key=None, schema=None))))
    asking.start()

    job.cancel()
    asking.join(30)

    assert [one.error.code for one in told] == ["A7141"]
    database.close()


def test_a_worker_that_finds_nothing_to_take_does_not_wait_for_the_writer(tmp_path):
    database = open_database(str(tmp_path / "tickets.db"))
    database.migrate(TICKET_MIGRATIONS)
    worker = RemoteWorker(database, "far", None, ManualClock(), slots=1, tell=lambda *_: None)
    looking = threading.Thread(target=worker._take, daemon=True)

    with database.write():
        looking.start()
        looking.join(10)
        is_back = not looking.is_alive()

    assert is_back


class Away:
    """A database that does not answer until it is told to."""

    def __init__(self, database, code):
        self.database, self.error = database, DatabaseUnavailable(code, "It is away.")
        self.watch = database.watch

    def read(self):
        if self.error is not None:
            raise self.error
        return self.database.read()

    write = read


def test_a_worker_outlasts_a_database_that_goes_away_and_says_so_once(tmp_path):
    database = open_database(str(tmp_path / "tickets.db"))
    database.migrate(TICKET_MIGRATIONS)
    away, told = Away(database, "A5060"), queue.SimpleQueue()
    worker = RemoteWorker(
        away, "far", None, ManualClock(), slots=1, tell=lambda *words: told.put(words)
    )
    serving = threading.Thread(target=worker.serve)
    serving.start()

    first = told.get(timeout=30)
    away.error = None
    worker.stop()
    serving.join(30)

    assert first == ("the database", "is waited for: It is away.")
    assert told.empty()
    assert not serving.is_alive()


def test_a_worker_does_not_go_on_with_a_database_that_was_set_back(tmp_path):
    database = open_database(str(tmp_path / "tickets.db"))
    worker = RemoteWorker(
        Away(database, "A5004"), "far", None, ManualClock(), slots=1, tell=lambda *_: None
    )

    with pytest.raises(DatabaseUnavailable) as caught:
        worker.serve()

    assert caught.value.code == "A5004"
