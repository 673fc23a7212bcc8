"""`sensor` and `hook`: functions that look, in workers, whatever they do."""

import hashlib
import hmac
from datetime import UTC, datetime

import pytest

import mainstem

SENSORS = """\
import os, time
from mainstem import Cursor, RunRequest, Skip, sensor

@sensor(every="1m", job="nightly")
def letters(cursor):
    for number in range((cursor or 0) + 1, 3):
        yield RunRequest(run_key=str(number), vars={"number": number})
        yield Cursor(number)

@sensor(job="nightly")
def quiet():
    return Skip("nothing yet")

@sensor(job="nightly")
def raises():
    raise ValueError("no letters today")

@sensor(job="nightly", timeout="1s")
def hangs():
    time.sleep(60)

@sensor(job="nightly")
def dies():
    os._exit(3)

@sensor(job="nightly")
def floods():
    print("x" * 10_000_000)
    return [RunRequest(run_key=str(number)) for number in range(1001)]

@sensor(job="nightly")
def wrong():
    return 5
"""


@pytest.fixture
def sensing(built):
    (built / "sensors").mkdir()
    (built / "sensors/mail.py").write_text(SENSORS)
    (built / "mainstem.yml").write_text(
        "name: shop\n"
        "jobs:\n"
        "  nightly: {select: +total}\n"
        "sensors:\n"
        "  arrivals: {when: {files: data/*.csv}, select: shop.orders+}\n"
        "  moved: {when: {table: shop.orders}, job: nightly}\n"
        "hooks:\n"
        "  orders: {secret: '${HOOK_SECRET}', job: nightly, vars: {order: $.id}}\n"
    )
    return built


def test_sensors_of_files_and_functions_are_listed(sensing, mainstem):
    names = [item["name"] for item in mainstem("sensor", "list", "--json").document]

    assert {"arrivals", "moved", "letters", "quiet"} <= set(names)
    assert "sensors/mail.py:5" in mainstem("sensor", "list").out


def test_a_function_looks_on_from_its_cursor(sensing, mainstem):
    first = mainstem("sensor", "run", "letters", "--json").document
    second = mainstem("sensor", "run", "letters", "--json").document

    assert (first["outcome"], first["facts"]) == ("launched", {"launches": [1, 2]})
    assert second["outcome"] == "skipped"
    assert mainstem("sensor", "cursor", "letters").out == "2\n"


def test_a_cursor_is_set_and_reset_and_run_keys_stay_taken(sensing, mainstem):
    mainstem("sensor", "run", "letters")
    mainstem("sensor", "cursor", "letters", "--set", "1")

    again = mainstem("sensor", "run", "letters", "--json").document

    assert again["outcome"] == "skipped"
    assert "launched before" in again["reason"]
    assert mainstem("sensor", "cursor", "letters", "--reset", "--json").document["cursor"] is None
    assert "A2217" in mainstem("sensor", "cursor", "letters", "--set", "a").err


def test_a_dry_run_shows_launches_and_keeps_the_cursor(sensing, mainstem):
    done = mainstem("sensor", "dry-run", "letters")

    assert done.code == 0
    assert "2 runs asked for" in done.out
    assert "would run +total" in done.out
    assert "none" in mainstem("sensor", "cursor", "letters").out


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("raises", "no letters today"),
        ("hangs", "1"),
        ("dies", "3"),
        ("floods", "1,000 runs"),
        ("wrong", "int"),
    ],
)
def test_a_sensor_that_goes_wrong_is_a_failed_tick_with_the_reason(name, says, sensing, mainstem):
    done = mainstem("sensor", "run", name, "--json")

    assert done.code == 2
    assert done.document["outcome"] == "failed"
    assert says in done.document["reason"]
    assert mainstem("query", "select count(*) as n from system.runs", "--json").code == 0


def test_a_file_that_arrives_launches_once(sensing, mainstem):
    ticks = [mainstem("sensor", "run", "arrivals", "--json").document for _ in range(3)]

    assert [tick["outcome"] for tick in ticks] == ["skipped", "launched", "skipped"]


def test_a_table_that_a_run_moved_launches_once(sensing, mainstem):
    mainstem("sensor", "run", "moved")
    (sensing / "data/orders3.csv").write_text("id,customer,amount\n77,zoe,90\n")
    mainstem("run")

    moved = mainstem("sensor", "run", "moved", "--json").document
    after = mainstem("sensor", "run", "moved", "--json").document

    assert (moved["outcome"], after["outcome"]) == ("launched", "skipped")


def test_a_sensor_with_a_parameter_that_nobody_gives_is_an_error_of_the_project(sensing, mainstem):
    (sensing / "sensors/mail.py").write_text(SENSORS + "\n@sensor\ndef bad(orders): ...\n")

    done = mainstem("plan")

    assert (done.code, "A7105" in done.err) == (1, True)


def test_a_sensor_of_a_job_that_is_not_there_is_told_with_its_line(sensing, mainstem):
    (sensing / "sensors/mail.py").write_text(SENSORS.replace('job="nightly", t', 'job="night", t'))

    done = mainstem("plan")

    assert (done.code, "A2204" in done.err) == (1, True)
    assert "sensors/mail.py:" in done.err


def test_a_hook_is_received_and_tried(sensing, mainstem, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", "s3cret")
    body = b'{"id": 7}'
    time = int(datetime.now(UTC).timestamp())
    signature = hmac.new(b"s3cret", f"{time}.".encode() + body, hashlib.sha256).hexdigest()
    assert "A2216" in mainstem("hook", "dry-run", "orders").err
    with open_project(sensing) as project:
        receipt = project.automation.hooks.receive(
            "orders", {"Mainstem-Signature": f"t={time},v1={signature}"}, body
        )

    assert receipt.http_status == 202
    assert "/hooks/orders" in mainstem("hook").out
    assert "delivery 1" in mainstem("hook", "deliveries", "orders").out
    assert mainstem("hook", "dry-run", "orders", "--json").document["options"]["vars"] == {
        "order": 7
    }


def open_project(folder):
    return mainstem.open(folder)
