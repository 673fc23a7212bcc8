# SPDX-License-Identifier: Apache-2.0
"""Logs in files: nothing printed is lost, floods are bounded, readers go on where they were."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mainstem.records import AttemptLog, RunLogs
from mainstem.types import SystemClock


@pytest.fixture
def logs(tmp_path):
    return RunLogs(tmp_path / "logs", SystemClock())


def _texts(page):
    return [line.text for line in page.lines]


def test_lines_come_back_with_their_kind_and_in_order(logs):
    log = logs.writer(1, "marts.delays", 1)
    log.append("stdout", "one")
    log.append("stderr", "two\nlines")

    page = logs.tail(1, "Marts.Delays")

    assert [(line.kind, line.text, line.attempt) for line in page.lines] == [
        ("stdout", "one", 1),
        ("stderr", "two\nlines", 1),
    ]


def test_without_a_line_there_is_no_file(logs):
    logs.writer(1, "a.b", 1).close()

    assert not logs.folder.exists()
    assert logs.tail(1, "a.b").lines == ()


def test_a_reader_goes_on_where_it_was_over_attempts(logs):
    first = logs.writer(1, "a.b", 1)
    first.append("stdout", "one")
    page = logs.tail(1, "a.b")
    first.append("stdout", "two")
    first.append("retried", "again")
    logs.writer(1, "a.b", 2).append("stdout", "three")

    more = logs.tail(1, "a.b", page.next_offset)
    rest = logs.tail(1, "a.b", more.next_offset)

    assert _texts(more) == ["two", "again", "three"]
    assert [line.attempt for line in more.lines] == [1, 1, 2]
    assert rest.lines == ()
    assert rest.next_offset == more.next_offset


def test_pages_of_any_size_give_every_line_once(logs):
    log = logs.writer(1, "a.b", 1)
    for number in range(25):
        log.append("stdout", f"line {number}")

    found, offset = [], 0
    while page := logs.tail(1, "a.b", offset, limit=7).lines:
        found += page
        offset = logs.tail(1, "a.b", offset, limit=7).next_offset

    assert [line.text for line in found] == [f"line {number}" for number in range(25)]


def test_a_line_that_is_being_written_waits(logs):
    log = logs.writer(1, "a.b", 1)
    log.append("stdout", "whole")
    with log.path.open("ab") as stream:
        stream.write(b'{"at":1,"kind":"stdout","text":"ha')

    page = logs.tail(1, "a.b")
    with log.path.open("ab") as stream:
        stream.write(b'lf"}\n')

    assert _texts(page) == ["whole"]
    assert _texts(logs.tail(1, "a.b", page.next_offset)) == ["half"]


def test_what_is_no_text_is_kept_readable(logs):
    log = logs.writer(1, "a.b", 1)
    log.append("stdout", "nul \x00, a lone \ud800, escape \x1b[31m")

    assert _texts(logs.tail(1, "a.b")) == ["nul \x00, a lone \\ud800, escape \x1b[31m"]


@pytest.mark.parametrize("step", ["a.b/../../c", "ns.änder", "x" * 300, "a.b[2026-01-01]", "a-1.b"])
def test_any_name_of_a_step_is_a_file_in_the_folder_of_its_run(logs, step):
    log = logs.writer(7, step, 2)
    log.append("stdout", "here")

    assert log.path.parent == logs.folder / "run-7"
    (name,) = logs.steps(7)
    assert _texts(logs.tail(7, name)) == ["here"]
    assert len(step) > 200 or name == step


def test_of_a_flood_the_beginning_and_the_end_are_kept(tmp_path):
    log = AttemptLog(
        tmp_path / "run-1/a.b-1.log", SystemClock(), head_bytes=10_000, tail_bytes=2_000
    )
    for number in range(5_000):
        log.append("stdout", f"line {number:05}")

    logs = RunLogs(tmp_path, SystemClock())
    texts = _texts(logs.tail(1, "a.b", limit=100_000))
    size = sum(file.stat().st_size for file in (tmp_path / "run-1").iterdir())
    assert size < 10_000 + 2 * 2_000 + 200
    assert texts[0] == "line 00000"
    assert texts[-1] == "line 04999"
    assert sum("left out" in text for text in texts) == 1
    assert [text for text in texts if "only the end" in text] != []


def test_a_reader_that_was_left_behind_by_a_flood_is_told(tmp_path):
    log = AttemptLog(tmp_path / "run-1/a.b-1.log", SystemClock(), head_bytes=500, tail_bytes=500)
    logs = RunLogs(tmp_path, SystemClock())
    log.append("stdout", "first")
    offset = logs.tail(1, "a.b").next_offset
    for number in range(200):
        log.append("stdout", f"line {number}")

    page = logs.tail(1, "a.b", offset)

    assert [text for text in _texts(page) if text.endswith("bytes of the log left out ...")]
    assert _texts(page)[-1] == "line 199"
    assert logs.tail(1, "a.b", page.next_offset).lines == ()


def test_a_log_that_was_closed_goes_on_where_it_ended(tmp_path):
    path = tmp_path / "run-1/a.b-1.log"
    for begin in (0, 300, 600):
        log = AttemptLog(path, SystemClock(), head_bytes=2_000, tail_bytes=2_000)
        for number in range(begin, begin + 300):
            log.append("stdout", f"line {number}")
        log.close()

    page = RunLogs(tmp_path, SystemClock()).tail(1, "a.b", limit=10_000)

    assert _texts(page)[-1] == "line 899"
    assert len(list(path.parent.iterdir())) == 3


def test_a_folder_that_cannot_be_written_fails_nothing(tmp_path):
    (tmp_path / "logs").write_text("a file is in the way")
    log = RunLogs(tmp_path / "logs", SystemClock()).writer(1, "a.b", 1)

    log.append("stdout", "lost")

    assert log.lost == 1


def test_threads_write_whole_lines(logs):
    log = logs.writer(1, "a.b", 1)

    def write(name):
        for number in range(200):
            log.append("stdout", f"{name} {number} {'x' * 300}")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    lines = logs.tail(1, "a.b", limit=10_000).lines
    assert len(lines) == 800
    assert {line.kind for line in lines} == {"stdout"}


def test_steps_of_a_run_are_merged_in_the_order_of_time(logs):
    a, b = logs.writer(1, "a.a", 1), logs.writer(1, "b.b", 1)
    a.append("stdout", "one")
    b.append("stdout", "two")
    a.append("stdout", "three")
    first = logs.run(1)
    b.append("stdout", "four")

    second = logs.run(1, first.offsets)

    assert [line.text for line in first.lines] == ["one", "two", "three"]
    assert [(line.step, line.text) for line in second.lines] == [("b.b", "four")]


def test_a_killed_process_has_lost_nothing(tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from mainstem.records import RunLogs\nfrom mainstem.types import SystemClock\n"
        "log = RunLogs(Path(sys.argv[1]), SystemClock()).writer(1, 'a.b', 1)\n"
        "for number in range(1000): log.append('stdout', f'line {number}')\n"
        "print('written', flush=True)\n"
        "sys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout.readline() == "written\n"
        os.kill(child.pid, signal.SIGKILL)

    page = RunLogs(Path(tmp_path), SystemClock()).tail(1, "a.b")
    assert _texts(page)[-1] == "line 999"
    assert len(page.lines) == 1000
