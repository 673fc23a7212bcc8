# SPDX-License-Identifier: Apache-2.0
"""History: a file a day that only grows, is packed when the day is over, and removed in time."""

import gzip
import os
import threading
from datetime import UTC, datetime, timedelta

import duckdb
import orjson
import pytest

from mainstem.records import History, RecordFiles, Retention, events_query

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def history(tmp_path):
    return History(tmp_path / "history")


@pytest.fixture
def files(tmp_path):
    return RecordFiles(tmp_path / "logs", tmp_path / "history")


def _event(number):
    return {
        "event": "step_finished",
        "run_id": number,
        "environment": "prod",
        "branch": "main",
        "asset": f"marts.orders_{number % 50}",
        "status": "built",
        "row_count": number * 17,
        "elapsed_s": number / 7,
    }


def _rows(history, what="count(*), min(run_id), max(run_id)"):
    query = events_query(history.folder)
    with duckdb.connect() as connection:
        return connection.execute(f"select {what} from ({query})").fetchall()


def test_events_go_to_the_file_of_their_day(history):
    history.add(NOW, [_event(1), _event(2)])
    history.add(NOW + DAY, [{"event": "run_started", "run_id": 3, "text": "", "code": None}])

    names = sorted(path.name for path in history.folder.iterdir())
    last = orjson.loads((history.folder / names[1]).read_bytes())
    assert names == ["2026-11-28.jsonl", "2026-11-29.jsonl"]
    assert set(last) == {"at", "event", "run_id"}
    assert _rows(history) == [(3, 1, 3)]


def test_a_torn_line_hides_no_other(history):
    history.add(NOW, [_event(1)])
    (path,) = history.folder.iterdir()
    path.write_bytes(path.read_bytes() + b'{"at":1,"event":"st')

    assert _rows(history) == [(1, 1, 1)]


def test_threads_write_whole_lines(history):
    def write(begin):
        for number in range(begin, begin + 200):
            history.add(NOW, [_event(number)])

    threads = [threading.Thread(target=write, args=(begin,)) for begin in (0, 200, 400)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert _rows(history) == [(600, 0, 599)]


def test_days_that_are_over_are_packed_and_read_as_before(history, files):
    for day in range(5):
        history.add(
            NOW - day * DAY, [_event(number) for number in range(day * 100, day * 100 + 100)]
        )
    before = _rows(history)

    files.prune(Retention(), now=NOW)

    names = sorted(path.name for path in history.folder.iterdir())
    assert names == [
        "2026-11-24.jsonl.gz",
        "2026-11-25.jsonl.gz",
        "2026-11-26.jsonl.gz",
        "2026-11-27.jsonl",
        "2026-11-28.jsonl",
    ]
    assert _rows(history) == before == [(500, 0, 499)]


def test_an_event_costs_less_than_sixty_bytes_when_its_day_is_over(history, files):
    history.add(NOW - 3 * DAY, [_event(number) for number in range(2_000)])

    files.prune(Retention(), now=NOW)

    (path,) = history.folder.iterdir()
    assert path.stat().st_size / 2_000 < 60


def test_a_day_that_was_packed_by_somebody_who_died_is_packed_anew(history, files):
    history.add(NOW - 3 * DAY, [_event(1), _event(2)])
    (path,) = history.folder.iterdir()
    with gzip.open(path.with_name(f"{path.name}.gz"), "wb") as half:
        half.write(path.read_bytes()[:40])

    files.prune(Retention(), now=NOW)

    assert _rows(history) == [(2, 1, 2)]


def test_packed_days_go_when_their_time_has_come(history, files):
    for day in (2, 10, 500):
        history.add(NOW - day * DAY, [_event(day)])

    told = files.prune(Retention(history=5 * DAY), now=NOW, dry_run=True)
    done = files.prune(Retention(history=5 * DAY), now=NOW)

    assert (told.days, done.days) == (2, 2)
    assert [path.name for path in history.folder.iterdir()] == ["2026-11-26.jsonl.gz"]


def test_logs_of_runs_that_go_on_stay(files):
    for run in (1, 2):
        log = files.logs / f"run-{run}" / "a.b-1.log"
        log.parent.mkdir(parents=True)
        log.write_text("{}")
        os.utime(log, (1, 1))

    pruned = files.prune(Retention(), now=NOW, running=[2])

    assert (pruned.logs, pruned.log_bytes) == (1, 2)
    assert [path.name for path in files.logs.iterdir()] == ["run-2"]


def test_pruning_is_due_once_a_day_even_if_the_clock_goes_back(files):
    looks = [
        files.is_due(NOW + delay)
        for delay in (timedelta(), DAY / 2, 2 * DAY, 2 * DAY + DAY / 2, -300 * DAY)
    ]

    assert looks == [False, False, True, False, True]


def test_a_folder_that_cannot_be_written_fails_nothing(tmp_path):
    (tmp_path / "history").write_text("a file is in the way")
    history = History(tmp_path / "history")

    history.add(NOW, [_event(1)])

    assert history.lost == 1
