"""Deliveries to hooks: genuine or refused, kept once, launched once."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta

import orjson
import pytest

from mainstem.automation import Hook, Target, deliveries, prune_deliveries, receive
from mainstem.automation.hook import hooks_of, value_at
from mainstem.config import load_yaml, settings_of
from mainstem.state import launches

HOOK = Hook(name="orders", secrets=("${HOOK_SECRET}",), target=Target(job="nightly"))
BODY = b'{"id": 7, "lines": [{"sku": "a"}]}'


def sign(content, secret="s3cret"):
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def signed(body, at, secret="s3cret"):
    time = int(at.timestamp())
    return {
        "Mainstem-Signature": f"t={time},v1={sign(f'{time}.'.encode() + body, secret)}",
        "Authorization": "Bearer of-no-concern",
        "X-Event": "created",
    }


@pytest.fixture
def now(utc):
    return utc("2026-01-01 00:00")


@pytest.fixture
def post(database, now):
    def call(headers, body=BODY, hook=HOOK, secrets=("s3cret",)):
        with database.write(durable=True) as transaction:
            return receive(transaction, hook, headers, body, secrets=secrets, now=now)

    return call


def kept(database, hook="orders"):
    with database.read() as transaction:
        return deliveries(transaction, hook), launches(transaction)


def test_a_genuine_delivery_is_kept_and_launched(post, database, now):
    receipt = post(signed(BODY, now))

    assert (receipt.status, receipt.http_status) == ("accepted", 202)
    (delivery,), (launch,) = kept(database)
    assert delivery.body == BODY.decode()
    assert delivery.headers == {"x-event": "created"}
    assert (launch.id, launch.request.job) == (receipt.launch_id, "nightly")
    assert launch.request.cause["delivery"] == receipt.delivery_id


def test_a_delivery_that_comes_again_is_answered_and_not_launched(post, database, now):
    first, second = post(signed(BODY, now)), post(signed(BODY, now))

    assert (second.status, second.http_status) == ("duplicate", 200)
    assert second.launch_id == first.launch_id
    (delivery,), launched = kept(database)
    assert (delivery.repeats, len(launched)) == (1, 1)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Mainstem-Signature": "nonsense"},
        {"Mainstem-Signature": "t=,v1="},
        {"Mainstem-Signature": "t=99999999999999999999,v1=00"},
        {"Mainstem-Signature": "t=²,v1=00"},
    ],
)
def test_what_is_not_signed_is_refused_and_not_kept(headers, post, database):
    receipt = post(headers)

    assert (receipt.status, receipt.http_status) == ("refused", 401)
    assert kept(database) == ([], [])


def test_a_signature_of_another_secret_or_body_is_refused(post, now):
    assert post(signed(BODY, now, "other")).status == "refused"
    assert post(signed(b"{}", now)).status == "refused"


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_time_that_is_too_far_is_refused(minutes, post, now):
    receipt = post(signed(BODY, now + timedelta(minutes=minutes)))

    assert "too long ago" in receipt.reason


def test_a_hook_whose_secret_is_empty_takes_nothing(post, now):
    assert post(signed(BODY, now, ""), secrets=("",)).status == "refused"


def test_two_secrets_hold_while_one_is_replaced(post, now):
    assert post(signed(BODY, now, "new"), secrets=("s3cret", "new")).status == "accepted"


def test_a_body_over_the_limit_is_not_looked_at(post, database, now):
    small = Hook(name="orders", secrets=(), target=Target(job="nightly"), max_bytes=10)

    assert post(signed(BODY, now), hook=small).http_status == 413
    assert kept(database) == ([], [])


def test_a_hook_that_is_off_says_so_only_to_those_who_sign(post, now):
    off = Hook(name="orders", secrets=(), target=Target(job="nightly"), enabled=False)

    assert post({}, hook=off).http_status == 401
    assert post(signed(BODY, now), hook=off).http_status == 403


def test_github_stripe_and_slack_are_understood(post, now):
    time = int(now.timestamp())
    cases = {
        "github": {"X-Hub-Signature-256": f"sha256={sign(BODY)}", "X-GitHub-Delivery": "d1"},
        "stripe": {"Stripe-Signature": f"t={time},v1=00,v1={sign(f'{time}.'.encode() + BODY)}"},
        "slack": {
            "X-Slack-Request-Timestamp": str(time),
            "X-Slack-Signature": f"v0={sign(f'v0:{time}:'.encode() + BODY)}",
        },
    }
    for scheme, headers in cases.items():
        hook = Hook(name=scheme, secrets=(), target=Target(job="nightly"), scheme=scheme)
        assert post(headers, hook=hook).status == "accepted", scheme


@pytest.mark.parametrize(("scheme", "name"), [("stripe", "id"), ("slack", "event_id")])
def test_what_is_signed_anew_and_sent_again_is_launched_once(post, now, scheme, name):
    hook = Hook(name=scheme, secrets=(), target=Target(job="nightly"), scheme=scheme)
    body = orjson.dumps({name: "evt_1\x00"})

    def send(at):
        time = str(int(at.timestamp()))
        headers = {
            "Stripe-Signature": f"t={time},v1={sign(f'{time}.'.encode() + body)}",
            "X-Slack-Request-Timestamp": time,
            "X-Slack-Signature": f"v0={sign(f'v0:{time}:'.encode() + body)}",
        }
        return post(headers, body, hook=hook).status

    assert [send(now), send(now + timedelta(seconds=60))] == ["accepted", "duplicate"]


def test_a_sender_may_name_what_makes_deliveries_one(post, now):
    by_json = Hook(name="j", secrets=(), target=Target(job="nightly"), dedup_json="$.id")
    other = orjson.dumps({"id": 7, "again": True})

    assert post(signed(BODY, now), hook=by_json).status == "accepted"
    assert post(signed(other, now), other, hook=by_json).status == "duplicate"


def test_values_of_the_body_become_variables_of_the_run(post, database, now):
    hook = Hook(
        name="orders",
        secrets=(),
        target=Target(job="nightly", options={"vars": {"kind": "hook"}}),
        vars={"order": "$.id", "sku": "$.lines.0.sku", "none": "$.lines.9.sku"},
    )

    post(signed(BODY, now), hook=hook)

    _, (launch,) = kept(database)
    assert launch.request.options["vars"] == {"kind": "hook", "order": 7, "sku": "a", "none": None}


def test_old_bodies_are_forgotten_and_their_identity_is_not(post, database, now):
    post(signed(BODY, now))
    with database.write() as transaction:
        prune_deliveries(transaction, before=now + timedelta(days=1))

    assert post(signed(BODY, now)).status == "duplicate"
    assert kept(database)[0][0].body == ""


def test_a_body_that_is_no_json_has_no_values():
    assert value_at(b"\xff\x00", "$.a") is None


def test_hooks_are_read_from_the_file():
    text = (
        "name: shop\njobs:\n  nightly: {select: a}\nhooks:\n"
        "  one: {secret: '${A}', job: nightly, tolerance: 1m, dedup: {header: X-Id}}\n"
        "  two: {secret: '${A}', job: nightli}\n"
    )
    problems = []

    (hook,) = hooks_of(settings_of(load_yaml(text, "mainstem.yml")), problems)

    assert (hook.tolerance, hook.dedup_header) == (timedelta(minutes=1), "X-Id")
    assert [(error.code, error.where.line) for error in problems] == [("A2204", 6)]
