# SPDX-License-Identifier: Apache-2.0
"""Schedules, sensors and hooks through the API."""

import hashlib
import hmac

import pytest

import mainstem
from mainstem.api import application

SETTINGS = """name: shop
jobs:
  nightly: {select: [+marts.large], cron: "30 2 * * *", zone: Europe/Berlin}
sensors:
  arrivals: {when: {files: "data/*.csv"}, job: nightly, every: 1m}
hooks:
  orders: {secret: sesame, scheme: github, job: nightly}
"""
TARGET = "target { job select }"


@pytest.fixture
def automated(folder, calling, configure):
    configure(SETTINGS)
    with mainstem.open(folder) as project:
        assert project.problems == ()
        yield calling(application(project))


def test_schedules_are_told_and_switched(automated):
    before = automated.ask(
        f"{{ schedules {{ name timing zone isOn nextAt {TARGET} }}"
        ' nextTicks(schedule: "nightly", first: 2) }'
    )
    after = automated.ask('mutation { switchSchedule(name: "nightly", on: false) { isOn nextAt } }')

    (schedule,) = before["schedules"]
    assert (schedule["name"], schedule["zone"]) == ("nightly", "Europe/Berlin")
    assert schedule["target"] == {"job": "nightly", "select": ["+marts.large"]}
    assert len(before["nextTicks"]) == 2
    assert after["switchSchedule"]["isOn"] is False


def test_a_schedule_is_launched_by_hand_and_tried(automated):
    found = automated.ask(
        'mutation { runSchedule(name: "nightly") { job status origin cause } '
        'dryRunSchedule(name: "nightly") { trigger plan { assets { asset action } } } }'
    )

    assert found["runSchedule"] == {
        "job": "nightly",
        "status": "QUEUED",
        "origin": "API",
        "cause": {"schedule": "nightly"},
    }
    assert found["dryRunSchedule"]["trigger"] == "schedule nightly"
    assert len(found["dryRunSchedule"]["plan"]["assets"]) == 3


def test_a_job_is_launched_by_name(automated):
    found = automated.ask('mutation { launch(request: {job: "nightly"}) { job select } }')

    assert found["launch"] == {"job": "nightly", "select": ["+marts.large"]}
    both = 'mutation { launch(request: {job: "nightly", select: ["x"]}) { number } }'
    assert automated.refused(both)["code"] == "A8113"


@pytest.mark.parametrize(
    "mutation",
    [
        'switchSchedule(name: "x", on: true) { isOn }',
        'runSchedule(name: "x") { number }',
        'launch(request: {job: "x"}) { number }',
        'runSensor(name: "x") { reason }',
        'dryRunHook(name: "x") { trigger }',
    ],
)
def test_what_is_not_there_is_an_error(automated, mutation):
    assert automated.refused(f"mutation {{ {mutation} }}")["code"].startswith("A22")


def test_a_sensor_is_tried_then_looks_and_launches(automated):
    look = 'mutation { runSensor(name: "arrivals") { outcome launch reason } }'
    # A file counts once two looks find it unchanged.
    first = automated.ask(look)["runSensor"]
    dry = automated.ask(
        'mutation { dryRunSensor(name: "arrivals") { reason cursor runs { trigger select } } }'
    )["dryRunSensor"]
    assert automated.ask("{ launches { number } }") == {"launches": []}

    second = automated.ask(look)["runSensor"]
    told = automated.ask(
        "{ sensors { name kind watches isOn everySeconds last { outcome } }"
        " ticks(kind: SENSOR, first: 1) { name outcome launch } }"
    )

    assert (first["outcome"], first["launch"]) == ("SKIPPED", None)
    assert dry["runs"] == [{"trigger": "sensor arrivals", "select": ["+marts.large"]}]
    assert (second["outcome"], second["launch"]) == ("LAUNCHED", 1)
    assert told["sensors"][0]["last"] == {"outcome": "LAUNCHED"}
    assert told["ticks"] == [{"name": "arrivals", "outcome": "LAUNCHED", "launch": 1}]


def test_a_sensor_looks_on_from_elsewhere(automated):
    found = automated.ask('mutation { setSensorCursor(name: "arrivals", cursor: "{}") { cursor } }')

    assert found["setSensorCursor"] == {"cursor": "{}"}


CONDITION = "asset runWhen isOn since last { outcome }"
SWITCH = "mutation ($a: String!, $on: Boolean!) { switchCondition(asset: $a, on: $on) "
SWITCH += f"{{ {CONDITION} }} }}"


@pytest.fixture
def eager(folder, calling):
    (folder / "models/marts/eager.sql").write_text(
        "/* ---\nmaterialized: table\nrun_when: eager\n--- */\nselect id from staging.orders\n"
    )
    with mainstem.open(folder) as project:
        assert project.problems == ()
        yield calling(application(project))


def test_conditions_are_told_and_switched(eager):
    before = eager.ask(f"{{ conditions {{ {CONDITION} }} }}")["conditions"]
    off = eager.ask(SWITCH, {"a": "marts.eager", "on": False})["switchCondition"]
    why = eager.ask('{ why(asset: "marts.eager") { next { kind text } } }')["why"]["next"]
    again = eager.ask(SWITCH, {"a": "EAGER", "on": True})["switchCondition"]

    assert before == [
        {"asset": "marts.eager", "runWhen": "eager", "isOn": True, "since": None, "last": None}
    ]
    assert off["isOn"] is False
    assert off["since"] is not None
    assert "run_when eager: is off, and launches nothing" in [each["text"] for each in why]
    assert again["isOn"] is True


@pytest.mark.parametrize(
    ("asset", "code"),
    [("marts.large", "A2222"), ("marts.nothing", "A2003"), ("\0", "A2003"), ("../x", "A2003")],
)
def test_what_has_no_condition_is_not_switched(eager, asset, code):
    assert eager.refused(SWITCH, {"a": asset, "on": True})["code"] == code


def delivered(api, body=b'{"id": 7}', secret=b"sesame", **headers):
    signature = hmac.new(secret, body, hashlib.sha256).hexdigest()
    given = {
        "X-Hub-Signature-256": f"sha256={signature}",
        "X-GitHub-Delivery": "d-1",
        "Content-Type": "application/json",
        **headers,
    }
    return api.post("/hooks/orders", content=body, headers=given)


def test_a_delivery_is_acknowledged_once_it_is_kept(automated):
    first, again = delivered(automated), delivered(automated)
    found = automated.ask(
        "{ hooks { name scheme deliveries { repeats launch } } launches { number origin } }"
    )

    assert (first.status_code, first.json()["status"]) == (202, "accepted")
    assert (again.status_code, again.json()["status"]) == (200, "duplicate")
    (hook,) = found["hooks"]
    assert hook["deliveries"] == [{"repeats": 1, "launch": 1}]
    assert found["launches"] == [{"number": 1, "origin": "WEBHOOK"}]


def test_a_delivery_from_outside_needs_a_signature_and_no_token(automated, calling):
    outside = calling(automated.app, address="203.0.113.9")

    assert delivered(outside).status_code == 202
    wrong = delivered(outside, secret=b"wrong", **{"X-GitHub-Delivery": "d-2"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "A8122")
    assert "signature" not in wrong.text
    missing = outside.post("/hooks/nothing", content=b"{}")
    assert (missing.status_code, missing.json()["code"]) == (404, "A8119")
    assert "orders" not in missing.text


def test_a_hook_takes_bodies_as_large_as_it_says(calling, folder, configure):
    configure(SETTINGS.replace("scheme: github,", "scheme: github, max_bytes: 2000000,"))
    with mainstem.open(folder) as project:
        api = calling(application(project))
        fits, large = (delivered(api, b" " * size) for size in (1_500_000, 2_500_000))

    assert (fits.status_code, large.status_code) == (202, 413)


def test_a_hook_is_tried_with_its_last_delivery(automated):
    delivered(automated)

    found = automated.ask('mutation { dryRunHook(name: "orders") { trigger select } }')

    assert found["dryRunHook"] == {"trigger": "hook orders", "select": ["+marts.large"]}
