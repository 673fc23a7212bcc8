# SPDX-License-Identifier: Apache-2.0
"""Alerts: one message a run, the same failure counted, at least once, and never in a run's way."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstem import state
from mainstem.database import open_database
from mainstem.errors import StepFailed
from mainstem.graph import Asset, Graph
from mainstem.observers import (
    ALERT_MIGRATIONS,
    FAILURE_MIGRATIONS,
    AlertRule,
    Late,
    Teller,
    alerts,
    deliver_due,
    failures,
    put_alert,
)
from mainstem.observers.channel import send
from mainstem.observers.message import lines_of, slack_of, subject_of
from mainstem.observers.rule import tell
from mainstem.runs import RunEnding, StepFinished
from mainstem.state import ProcessIdentity
from mainstem.types import AssetKey, CheckResult, CheckSpec

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
PROCESS = ProcessIdentity(owner="o", host="h", boot_id="b", pid=7, process_started="99")
RAISED = StepFailed("A7110", "main.a raised ValueError: bad.")


def _asset(name, *inputs, **more):
    return Asset(
        key=AssetKey.parse(name),
        kind="sql",
        materialized="table",
        inputs=tuple(map(AssetKey.parse, inputs)),
        owner="ann@shop.example",
        **more,
    )


FRESH = CheckSpec(asset=AssetKey("marts", "b"), name="freshness", arguments={}, severity="error")
GRAPH = Graph.build([
    _asset("main.a"),
    _asset("marts.b", "main.a", checks=(FRESH,)),
    _asset("marts.c", "marts.b", freshness={"by": "08:00", "zone": "Europe/Berlin"}),
    _asset("main.other"),
])  # fmt: skip


@pytest.fixture
def database(database_url):
    database = open_database(database_url)
    database.migrate((*state.ALL_MIGRATIONS, *FAILURE_MIGRATIONS, *ALERT_MIGRATIONS))
    yield database
    database.close()


class Office:
    """Ends runs, one after the other."""

    def __init__(self, database, *rules, job=""):
        self.database = database
        rules = rules or (AlertRule(name="oncall", type="webhook"),)
        self.teller = Teller(
            "shop", GRAPH, rules, root="/shop", job_of=lambda _transaction, _run: job
        )

    def end(self, at=NOW, *, status="failed", error="", git="abc1234", **steps):
        made = tuple(_step(name, came_to) for name, came_to in steps.items())
        with self.database.write() as transaction:
            run = state.insert_run(
                transaction,
                branch="main",
                environment="prod",
                base_commit="c0",
                process=PROCESS,
                started_at=at,
                git=git,
            )
            rows = [
                state.StepRecord(key=step.key, position=0, action="build", status=step.status)
                for step in made
            ]
            state.save_steps(transaction, run.id, rows)
            state.finish_run(transaction, run.id, status=status, at=at)
            self.teller.close(
                transaction,
                RunEnding(run=run, status=status, at=at, steps=made, error=error),
            )
        return run.id

    def lose(self, at):
        """Give up a launch of the nightly job."""
        request = state.LaunchRequest(origin="schedule", source="nightly", job="nightly")
        with self.database.write() as transaction:
            number = state.enqueue(transaction, request, now=at)
            launch = state.launch_of(transaction, number)
            self.teller.lost(transaction, launch, "died", environment="prod", branch="main", at=at)

    def messages(self):
        with self.database.read() as transaction:
            return alerts(transaction)[::-1]

    def failures(self, **more):
        with self.database.read() as transaction:
            return failures(transaction, **more)


def _step(name, came_to):
    key = AssetKey.parse(name.replace("__", "."))
    if came_to == "failed":
        return StepFinished(key=key, status="failed", error=RAISED)
    if isinstance(came_to, StepFailed):
        return StepFinished(key=key, status="failed", error=came_to)
    if came_to == "held":
        check = CheckResult(
            check_id=f"{key}/unique(id)",
            asset=key,
            verdict="failed",
            severity="error",
            message="3 rows repeat",
        )
        return StepFinished(key=key, status="held", checks=(check,), reason="1 of 1 check failed")
    return StepFinished(key=key, status=came_to)


@pytest.fixture
def office(database):
    return Office(database)


def test_a_failure_is_told_once_with_all_that_somebody_needs(office):
    office.end(NOW - HOUR, status="succeeded", git="900d", main__a="built")
    run = office.end(main__a="failed", marts__b="skipped", marts__c="skipped")

    (message,) = office.messages()
    (item,) = message.body["items"]
    assert (message.event, message.run_id, message.id) == (
        "failed", run, f"shop/oncall/run-{run}/failed",
    )  # fmt: skip
    assert item["asset"] == "main.a"
    assert item["owner"] == "ann@shop.example"
    assert item["code"] == "A7110"
    assert item["good_git"] == "900d"
    assert message.body["git"] == "abc1234"
    assert message.body["stale"] == ["marts.b", "marts.c"]
    assert message.body["promises"] == [
        "marts.b: freshness",
        "marts.c: by 08:00 zone Europe/Berlin",
    ]
    assert message.body["command"] == f"mainstem runs log {run}"


def test_several_failures_of_a_run_are_one_message(office):
    office.end(main__a="failed", main__other="held")

    (message,) = office.messages()
    assert [item["asset"] for item in message.body["items"]] == ["main.a", "main.other"]
    assert message.event == "failed"


def test_what_is_held_is_told_with_its_checks(office):
    office.end(status="held", main__a="held")

    (message,) = office.messages()
    assert (message.event, message.body["items"][0]["message"]) == ("held", "3 rows repeat")


def test_what_only_waits_for_a_failure_is_none(office):
    office.end(main__a="failed", marts__b="skipped")

    assert [failure.asset for failure in office.failures()] == [AssetKey("main", "a")]


def test_the_same_failure_is_counted_within_the_window_and_told_again_after_a_while(office):
    for minutes in range(0, 300, 30):
        office.end(NOW + timedelta(minutes=minutes), main__a="failed")

    messages = office.messages()
    assert [message.created_at - NOW for message in messages] == [0 * HOUR, 4 * HOUR]
    assert messages[1].body["items"][0]["count"] == 9
    assert office.failures()[0].runs == 10


def test_after_a_silence_it_is_a_new_one(office):
    office.end(NOW, main__a="failed")
    office.end(NOW + 2 * HOUR, main__a="failed")

    assert len(office.messages()) == 2


def test_another_failure_is_told_at_once(office):
    office.end(NOW, main__a="failed")
    office.end(NOW + timedelta(minutes=1), main__a=StepFailed("A7112", "The worker died."))

    assert len(office.messages()) == 2


def test_recovery_is_told_to_those_who_were_told_of_the_failure(database):
    told = AlertRule(name="told", type="webhook")
    deaf = AlertRule(name="deaf", type="webhook", events=("recovered",))
    office = Office(database, told, deaf)
    office.end(NOW, main__a="failed")
    office.end(NOW + timedelta(minutes=1), main__a="failed")
    office.end(NOW + timedelta(minutes=5), status="succeeded", git="f1x3d", main__a="built")
    office.end(NOW + timedelta(minutes=9), status="succeeded", main__a="built")

    messages = office.messages()
    assert [(message.alert, message.event) for message in messages] == [
        ("told", "failed"),
        ("told", "recovered"),
    ]
    (item,) = messages[1].body["items"]
    assert item["message"].startswith("well again after 2 failed runs since 2026-11-28 09:00")
    assert item["fixed_git"] == "f1x3d"


def test_a_failure_knows_between_which_commits_it_came_and_went(office):
    office.end(NOW, status="succeeded", git="900d", main__a="built")
    office.end(NOW + HOUR, git="bad1", main__a="failed")
    office.end(NOW + 2 * HOUR, git="bad2", main__a="failed")
    (still,) = office.failures(is_open=True)
    office.end(NOW + 3 * HOUR, status="succeeded", git="f1x3d", main__a="built")

    (failure,) = office.failures()
    assert (still.good_git, still.good_run, still.fixed_at) == ("900d", 1, None)
    assert (failure.first_run, failure.last_run, failure.runs) == (2, 3, 2)
    assert (failure.fixed_git, failure.fixed_run) == ("f1x3d", 4)
    assert office.failures(is_open=True) == []


def test_a_failure_that_comes_back_is_open_again(office):
    office.end(NOW, main__a="failed")
    office.end(NOW + HOUR, status="succeeded", main__a="built")
    office.end(NOW + 2 * HOUR, main__a="failed")

    (failure,) = office.failures()
    assert (failure.runs, failure.fixed_at, failure.good_run) == (2, None, 2)


def test_a_run_that_was_found_dead_is_told(office):
    run = office.end(status="crashed", error="the run was found dead: its process died")
    office.end(
        NOW + timedelta(minutes=5),
        status="crashed",
        error="the run was found dead: its process died",
    )

    (message,) = office.messages()
    assert message.body["error"] == "the run was found dead: its process died"
    assert subject_of(message.body).startswith(f"shop/prod: run {run} failed: the run was found")


def test_a_run_that_comes_through_ends_what_failed_as_a_whole_before(database):
    rule = AlertRule(name="oncall", type="webhook")
    nightly, hourly = (Office(database, rule, job=job) for job in ("nightly", "hourly"))
    nightly.end(status="crashed", error="the run was found dead")
    nightly.end(NOW + HOUR, status="crashed", error="the run was found dead")
    nightly.lose(NOW + 2 * HOUR)
    hourly.end(NOW + 3 * HOUR, status="succeeded", main__a="built")
    nightly.end(NOW + 4 * HOUR, status="cancelled", main__a="cancelled")

    last = nightly.end(NOW + 5 * HOUR, status="held", main__a="built")
    nightly.end(NOW + 6 * HOUR, status="succeeded", main__a="built")

    messages = nightly.messages()
    assert [message.event for message in messages] == ["failed", "failed", "recovered"]
    said = "a run came through after 3 failed runs since 2026-11-28 09:00 UTC"
    assert subject_of(messages[2].body) == f"shop/prod: run {last} recovered: {said}"
    assert lines_of(messages[2].body)[0] == said


def test_success_and_cancelling_tell_nobody(office):
    office.end(status="succeeded", main__a="built")
    office.end(status="cancelled", error="stopped", main__a="cancelled")

    assert office.messages() == []


@pytest.mark.parametrize(
    ("rule", "job", "hears"),
    [
        ({"events": ("held",)}, "", False),
        ({"environments": ("dev",)}, "", False),
        ({"environments": ("dev", "prod")}, "", True),
        ({"jobs": ("nightly",)}, "", False),
        ({"jobs": ("nightly",)}, "nightly", True),
        ({}, "nightly", True),
    ],
)
def test_a_rule_hears_what_it_was_made_for(database, rule, job, hears):
    office = Office(database, AlertRule(name="x", type="webhook", **rule), job=job)

    office.end(main__a="failed")

    assert bool(office.messages()) == hears


def test_lateness_is_told_once_until_it_is_over(office):
    late = Late(
        key=AssetKey("marts", "b"),
        branch="main",
        environment="prod",
        promise="daily by 09:00",
        since=NOW,
    )

    def tell_late(at):
        with office.database.write() as transaction:
            office.teller.late(transaction, [late], at=at)

    for minute in range(3):
        tell_late(NOW + timedelta(minutes=minute))
    with office.database.write() as transaction:
        office.teller.on_time(transaction, [late], at=NOW + timedelta(minutes=5))
        office.teller.on_time(transaction, [late], at=NOW + timedelta(minutes=6))
    tell_late(NOW + timedelta(minutes=9))

    messages = sorted(office.messages(), key=lambda message: message.created_at)
    assert [message.event for message in messages] == ["late", "recovered", "late"]
    assert "daily by 09:00" in messages[0].body["items"][0]["message"]
    assert "fresh again: daily by 09:00" in messages[1].body["items"][0]["message"]


@given(
    gaps=st.lists(st.integers(0, 600), min_size=1, max_size=60),
    window=st.integers(10, 120),
    remind=st.integers(10, 400),
)
def test_no_failure_stays_unsaid_longer_than_the_reminder_and_none_is_said_too_often(
    gaps, window, remind
):
    rule = AlertRule(
        name="x",
        type="webhook",
        window=timedelta(minutes=window),
        remind=timedelta(minutes=remind),
    )
    known, at, count, told = None, NOW, 0, []
    for gap in gaps:
        at += timedelta(minutes=gap)
        is_new = known is None or at - known.last_at > rule.window
        says, known = tell(known, rule, at)
        count = 1 if is_new else count + 1
        assert known.count == count
        if says:
            assert is_new or at - told[-1] >= rule.remind
            told.append(at)
        else:
            assert at - told[-1] < rule.remind
    assert known.unsaid < known.count


def _put(database, *, name="run-1/x", alert="x"):
    body = {
        "event": "failed",
        "project": "shop",
        "environment": "prod",
        "branch": "main",
        "run_id": 1,
        "git": "abc",
        "items": [{"asset": "main.a", "message": "raised <it> & more", "owner": "ann"}],
    }
    with database.write() as transaction:
        put_alert(transaction, id=name, alert=alert, event="failed", run_id=1, body=body, at=NOW)
    with database.read() as transaction:
        return alerts(transaction)[0]


def test_what_does_not_arrive_is_tried_again_later_and_later_and_given_up_at_last(database):
    _put(database)
    clock, tried = [NOW], []

    def refuse(alert):
        tried.append(clock[0] - NOW)
        return "no"

    for minute in range(600):
        clock[0] = NOW + timedelta(minutes=minute)
        deliver_due(database, refuse, now=lambda: clock[0])

    minutes = [delay.total_seconds() / 60 for delay in tried]
    assert minutes == [0, 1, 2, 4, 8, 16, 32, 64]
    with database.read() as transaction:
        (alert,) = alerts(transaction)
    assert (alert.status, alert.error, alert.attempts) == ("failed", "no", 8)


def test_a_message_that_was_taken_by_somebody_who_died_is_taken_again(database):
    _put(database)

    class Killed(Exception):
        pass

    def die(alert):
        raise Killed

    sent = []
    with pytest.raises(Killed):
        deliver_due(database, die, now=lambda: NOW)
    first = deliver_due(database, lambda alert: sent.append(alert.id) or "", now=lambda: NOW)
    later = NOW + timedelta(minutes=3)
    second = deliver_due(database, lambda alert: sent.append(alert.id) or "", now=lambda: later)

    assert (first, second) == ((0, 0), (1, 0))
    assert sent == ["run-1/x"]


def test_a_message_is_written_once_whoever_writes_it_again(database):
    _put(database)
    _put(database)

    with database.read() as transaction:
        assert len(alerts(transaction)) == 1


def test_two_servers_send_each_message_once(database, database_url):
    for number in range(10):
        _put(database, name=f"m-{number}")
    other = open_database(database_url)
    sent = []

    def send_it(alert):
        sent.append(alert.id)
        if len(sent) == 3:
            deliver_due(other, send_it, now=lambda: NOW)
        return ""

    deliver_due(database, send_it, now=lambda: NOW)
    other.close()

    assert sorted(sent) == sorted(f"m-{number}" for number in range(10))


def test_a_webhook_gets_the_event_signed_and_with_its_key(database, receiver):
    alert = _put(database)

    error = send(alert, "webhook", {"url": receiver.url, "secret": "k3y", "headers": {"X-A": "b"}})

    assert error == ""
    (body,) = receiver.received
    (headers,) = receiver.headers
    digest = hmac.new(b"k3y", receiver.raw[0], hashlib.sha256).hexdigest()
    assert body["items"][0]["asset"] == "main.a"
    assert headers["X-Mainstem-Signature"] == f"sha256={digest}"
    assert headers["Idempotency-Key"] == alert.id == body["id"]
    assert headers["X-A"] == "b"


def test_slack_gets_text_and_blocks(database, receiver):
    send(_put(database), "slack", {"url": receiver.url})

    (body,) = receiver.received
    assert body["text"] == "✗ shop/prod: run 1 failed: main.a"
    assert "raised &lt;it&gt; &amp; more" in body["blocks"][1]["text"]["text"]


def test_mail_is_sent_with_a_login(database, mailbox):
    options = {
        "host": "127.0.0.1",
        "port": mailbox.port,
        "security": "none",
        "to": ["ann@shop.example", "bob@shop.example"],
        "from": "data@shop.example",
        "user": "data",
        "password": "pw-1234",
    }

    error = send(_put(database), "email", options)

    assert error == ""
    ((sender, receivers, text),) = mailbox.mails
    assert "data@shop.example" in sender
    assert len(receivers) == 2
    assert "Subject: shop/prod: run 1 failed: main.a" in text
    assert "raised <it> & more" in text
    assert base64.b64decode(mailbox.logins[0]) == b"\0data\0pw-1234"


@pytest.mark.parametrize("code", [302, 400, 404, 500, 503])
def test_an_answer_that_is_no_success_is_an_error_and_redirects_are_not_followed(
    database, receiver, code
):
    receiver.answers = [code]

    error = send(_put(database), "webhook", {"url": receiver.url})

    assert str(code) in error
    assert len(receiver.received) == 1
    assert "t0ken" not in error


def test_who_is_not_there_is_an_error_and_no_exception(database, mailbox):
    alert = _put(database)
    mailbox.refuses = True
    mail = {"host": "127.0.0.1", "port": mailbox.port, "security": "none", "to": "a@b.example"}

    errors = [
        send(alert, "webhook", {"url": "http://127.0.0.1:1/secret-path"}),
        send(alert, "webhook", {"url": "file:///etc/passwd"}),
        send(alert, "slack", {}),
        send(alert, "email", {**mail, "port": 1}),
        send(alert, "email", mail),
    ]

    assert all(errors)
    assert "secret-path" not in "".join(errors)


def test_a_message_stays_readable_however_much_failed():
    items = [
        {"asset": f"main.a{n}", "message": "m" * 200, "owner": "ann", "count": 3, "first_at": "x"}
        for n in range(500)
    ]
    body = {
        "event": "failed",
        "project": "shop",
        "environment": "prod",
        "branch": "main",
        "run_id": 1,
        "git": "",
        "items": items,
        "stale": [f"marts.x{n}" for n in range(100)],
    }

    assert len(lines_of(body)) < 40
    assert len(slack_of(body)["blocks"][1]["text"]["text"]) <= 3000
    assert subject_of(body) == "shop/prod: run 1 failed: main.a0 and 499 more"
