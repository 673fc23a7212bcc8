# SPDX-License-Identifier: Apache-2.0
"""Records of a real project: from a failing model to a message and to lines of history."""

import os
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path

import pytest

import mainstem
from mainstem.cli.app import execute
from mainstem.types import SystemClock

MODEL = """
import os
from mainstem import asset
@asset(owner="ann@shop.example")
def orders() -> None:
    {body}
@asset(deps=["main.orders"])
def report() -> None:
    pass
"""
FAILS = "raise ValueError(f'no row {os.getpid()} for ' + os.environ['SHOP_PASSWORD'])"


class Clock(SystemClock):
    """The machine's, set forward."""

    ahead = timedelta()

    def now(self):
        return super().now() + self.ahead


@pytest.fixture
def project(tmp_path, monkeypatch, receiver):
    monkeypatch.setenv("SHOP_PASSWORD", "c0rrect-h0rse")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "mainstem.yml").write_text(
        textwrap.dedent(f"""\
            name: shop
            alerts:
              hook:
                type: webhook
                url: "{receiver.url}"
                headers: {{X-Auth: "${{SHOP_PASSWORD}}"}}
            retention: {{logs: 2d, history: 3d}}
        """)
    )
    _write(tmp_path, FAILS)
    return tmp_path


def _write(folder, body):
    (folder / "models/orders.py").write_text(MODEL.format(body=body))


def _run(folder, clock=None):
    with mainstem.open(folder, clock=clock or SystemClock()) as opened:
        finished = opened.run()
        opened.recording.deliver()
        return finished, opened.recording.failures()


def _rows(folder, query):
    with mainstem.open(folder) as opened:
        return opened.sql(query).to_pylist()


def test_a_failing_model_is_told_once_and_its_recovery_too(project, receiver):
    _run(project)
    _run(project)
    _write(project, "pass")
    _, (failure,) = _run(project)

    events = [body["event"] for body in receiver.received]
    (item,) = receiver.received[0]["items"]
    assert events == ["failed", "recovered"]
    assert (item["asset"], item["owner"], item["code"]) == (
        "main.orders", "ann@shop.example", "A7110",
    )  # fmt: skip
    assert item["title"] == "ValueError in models/orders.py, orders()"
    assert receiver.received[0]["stale"] == ["main.report"]
    assert receiver.headers[0]["X-Auth"] == "c0rrect-h0rse"
    assert (failure.runs, failure.first_run, failure.last_run, failure.fixed_run) == (2, 1, 2, 3)


def test_no_secret_is_in_a_message_or_below_the_state_folder(project, receiver):
    _run(project)

    assert b"c0rrect" not in b"".join(receiver.raw)
    for file in (project / ".mainstem").rglob("*"):
        assert not file.is_file() or b"c0rrect" not in file.read_bytes(), file


def test_a_receiver_that_is_down_fails_no_run_and_gets_the_message_later(project, receiver):
    receiver.answers = [503]
    finished, _ = _run(project)
    with mainstem.open(project) as opened:
        (waiting,) = opened.recording.alerts()
    clock = Clock()
    clock.ahead = timedelta(minutes=5)
    with mainstem.open(project, clock=clock) as opened:
        opened.recording.deliver()
        (sent,) = opened.recording.alerts()

    assert finished.status == "failed"
    assert (waiting.status, waiting.error) == (
        "pending",
        "the receiver answered 503 Service Unavailable",
    )
    assert (sent.status, sent.attempts, len(receiver.received)) == ("sent", 2, 2)
    assert receiver.received[0]["id"] == receiver.received[1]["id"]


def test_history_tells_what_happened_and_what_it_took(project):
    _run(project)
    _write(project, "pass")
    _run(project)

    rows = _rows(
        project,
        "select event, run_id, asset, status, code, elapsed_s is not null as timed, "
        "cpu_s is not null as used from system.events order by happened_at, asset",
    )
    found = [
        (row["event"], row["run_id"], row["asset"], row["status"], row["code"]) for row in rows
    ]
    assert ("run_started", 1, None, None, None) in found
    assert ("step_finished", 1, "main.orders", "failed", "A7110") in found
    assert ("run_finished", 2, None, "succeeded", None) in found
    built = [row for row in rows if (row["run_id"], row["asset"]) == (2, "main.orders")]
    assert [(row["status"], row["timed"], row["used"]) for row in built] == [("built", True, True)]


def test_old_logs_and_history_are_removed_once_a_day_and_by_default(project):
    _run(project)
    for folder in ("logs/run-1", "history"):
        for file in (project / ".mainstem" / folder).iterdir():
            os.utime(file, (1, 1))
    old = project / ".mainstem/history/2020-01-01.jsonl"
    old.write_text("{}\n")
    clock = Clock()
    _run(project, clock)
    still = old.exists()
    clock.ahead = timedelta(hours=25)
    _run(project, clock)

    assert still
    assert not old.exists()
    assert not (project / ".mainstem/logs/run-1").exists()
    assert (project / ".mainstem/logs/run-3").exists()


def test_a_run_that_was_killed_is_told_and_in_the_history(project, receiver):
    _write(project, "os.kill(os.getppid(), 9)")
    program = str(Path(sys.executable).parent / "mainstem")
    done = subprocess.run([program, "run"], cwd=project, capture_output=True, check=False)
    _write(project, "pass")
    _run(project)

    assert done.returncode == -9
    body, again = receiver.received
    assert (body["event"], body["run_id"]) == ("failed", 1)
    assert "its process died" in body["error"]
    assert (again["event"], again["run_id"]) == ("recovered", 2)
    crashed = _rows(project, "select run_id from system.events where status = 'crashed'")
    assert crashed == [{"run_id": 1}]


def _lines(folder):
    with mainstem.open(folder) as opened:
        return [(entry.kind, entry.text) for entry in opened.run_log(1, "main.orders")]


def test_a_worker_that_is_killed_leaves_all_that_it_printed(project):
    """Airflow's "why did my task fail with no logs" (anchors 2.12)."""
    _write(project, "print('before', flush=True); os.kill(os.getpid(), 9)")

    _run(project)

    (printed, failed) = _lines(project)
    assert printed == ("stdout", "before")
    assert failed[0] == "failed"
    assert "was killed by SIGKILL" in failed[1]


def test_a_server_that_is_killed_leaves_what_its_steps_had_printed(project):
    """The log is a file that was written as lines came, not what a process meant to send on."""
    said = project / "said"
    _write(
        project,
        "print('before', flush=True); context.log('told');"
        f" open({str(said)!r}, 'w').close(); import signal; signal.pause()",
    )
    text = (project / "models/orders.py").read_text()
    (project / "models/orders.py").write_text(text.replace("def orders()", "def orders(context)"))
    program = str(Path(sys.executable).parent / "mainstem")
    child = subprocess.Popen([program, "run"], cwd=project, stdout=subprocess.DEVNULL)
    clock = SystemClock()
    log = project / ".mainstem/logs/run-1/main.orders-1.log"
    while not said.exists() or not log.exists() or log.read_text().count("\n") < 2:
        clock.sleep(0.05)
    child.kill()
    child.wait()

    assert sorted(_lines(project)) == [("log", "told"), ("stdout", "before")]


def test_the_command_line_shows_failures_and_alerts_and_tests_a_receiver(project, receiver, capsys):
    codes = [execute(["run"]), execute(["runs", "failures"]), execute(["alerts", "list"])]
    text = capsys.readouterr().out
    codes += [execute(["alerts", "test", "hook"])]
    receiver.answers = [404]
    codes += [execute(["alerts", "test", "hook"]), execute(["alerts", "test", "hok"])]
    errors = capsys.readouterr().err

    assert codes == [2, 0, 0, 0, 3, 1]
    assert "ValueError in models/orders.py, orders()" in text
    assert "hook  webhook  on failed, held, late, recovered" in text
    assert "sent" in text
    assert "404" in errors
    assert "Did you mean `hook`?" in errors
    assert "c0rrect" not in text + errors


def test_an_alert_that_could_never_arrive_is_an_error_of_the_settings(project, capsys):
    (project / "mainstem.yml").write_text(
        "name: shop\nalerts: {a: {type: email, to: x@y.example}}\n"
    )

    code = execute(["list"])

    assert code == 1
    assert "alert `a` of type email has no `host`" in capsys.readouterr().err
