# SPDX-License-Identifier: Apache-2.0
"""Backfills through a server: planned, steered, killed, resumed; each partition once."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from mainstem import state
from mainstem.errors import SelectionInvalid, UserError
from mainstem.graph import PartitionSet, time_partitions
from mainstem.service import Backfills
from mainstem.service.backfill.outcome import outcome
from mainstem.state import Launch, LaunchRequest, PartitionStep
from mainstem.types import AssetKey

MONTHS = [f"2013-{number:02}" for number in range(1, 13)]
MODEL = """/* ---
materialized: table
partitions: {by: %s, column: flown, start: 2013-01-01, end: 2014-01-01}
--- */
%s
"""


@pytest.fixture
def folder(tmp_path):
    """Flights in one file; by month, checked, and by quarter of months."""
    for name, text in {
        "mainstem.yml": "name: flights\n",
        "ingest/raw.yml": "type: files\npath: data/\ninto: raw\n"
        'tables:\n  flights: {files: "f*.csv", write: append}\n',
        "data/f0.csv": "flown,delay\n"
        + "".join(f"{month}-15 10:00:00,{at}\n" for at, month in enumerate(MONTHS)),
        "models/marts/monthly.sql": MODEL % ("month", "select flown, delay from raw.flights"),
        "models/marts/yearly.sql": MODEL % ("year", "select flown, delay from monthly"),
        "models/marts/late.sql": MODEL % ("month", "select flown from monthly where delay > 0"),
        "models/marts/whole.sql": "select count(*) as flights from monthly",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.fixture
def idle(open_server):
    """A server that is not started, over a project whose sources are read."""
    server = open_server()
    server.project.run(["raw.flights"])
    return server


def _work_until(server, watch, backfill_id, *statuses):
    events = watch(server, after=0)
    for _ in range(200):
        events.until("backfill", "changed", backfill=backfill_id)
        report = server.backfills.show(backfill_id)
        if report.backfill.status in statuses:
            return report
    raise AssertionError(report)


def _built(server, asset):
    rows = server.project.sql(f"select distinct strftime(flown, '%Y-%m') as m from {asset}")
    return sorted(rows.to_pydict()["m"])


def test_a_backfill_builds_its_range_and_what_reads_it(idle, watch):
    made = idle.backfills.create(
        ["marts.monthly", "marts.late"], partitions="2013-02..2013-06", pace={"chunk": 2}
    )
    assert [(str(one.key), one.target) for one in made.assets] == [
        ("marts.monthly", 5),
        ("marts.late", 5),
    ]

    idle.start()
    report = _work_until(idle, watch, made.backfill.id, "succeeded", "failed")

    assert report.backfill.status == "succeeded"
    assert [(one.done, one.failed, one.flying) for one in report.assets] == [(5, 0, 0), (5, 0, 0)]
    assert _built(idle, "marts.monthly") == _built(idle, "marts.late") == MONTHS[1:6]
    with idle.database.read() as transaction:
        launches = state.launches(transaction, origin="backfill")
    assert {text for one in launches for text in one.request.partitions.values()} == {
        "2013-02..2013-03",
        "2013-04..2013-05",
        "2013-06",
    }
    assert len(launches) == 6


def test_its_runs_have_its_options(idle, watch, folder):
    model = folder / "models/marts/monthly.sql"
    model.write_text(model.read_text().replace("delay", "{{ var('delay', 'delay') }} as delay", 1))
    idle.reload()
    made = idle.backfills.create(
        ["marts.monthly"], partitions="2013-02..2013-03", options={"vars": {"delay": 41}}
    )

    idle.start()
    report = _work_until(idle, watch, made.backfill.id, "succeeded", "failed")
    built = idle.project.sql("select distinct delay from marts.monthly").column(0).to_pylist()

    assert report.backfill.status == "succeeded"
    assert built == [41]


def test_what_reads_partitions_that_were_never_built_is_not_called_done(idle, watch):
    made = idle.backfills.create(["marts.monthly", "marts.yearly"], partitions="2013-02..2013-06")

    idle.start()
    report = _work_until(idle, watch, made.backfill.id, "succeeded", "failed")

    assert [(str(a.key), a.done, a.failed) for a in report.assets] == [
        ("marts.monthly", 5, 0),
        ("marts.yearly", 0, 1),
    ]
    assert report.backfill.status == "failed"


def test_only_what_is_missing_is_filled(idle):
    idle.project.run(["marts.monthly"], partitions={"marts.monthly": "2013-02..2013-04"})

    made = idle.backfills.create(
        ["marts.monthly"], partitions="2013-01..2013-05", only=["missing"], dry_run=True
    )

    assert made.assets[0].partitions == "2013-01,2013-05"
    assert idle.backfills.list() == []


def test_what_failed_is_told_and_done_again(idle, watch, folder):
    model = folder / "models/marts/monthly.sql"
    good = model.read_text()
    bad = "select flown, case when delay = 3 then error('no') else delay end as delay"
    model.write_text(good.replace("select flown, delay", bad))
    idle.reload()
    made = idle.backfills.create(["marts.monthly", "marts.yearly"], pace={"chunk": 6})

    idle.start()
    failed = _work_until(idle, watch, made.backfill.id, "failed")
    only_failed = idle.backfills.create(["marts.monthly"], only=["failed"], dry_run=True)
    model.write_text(good)
    idle.reload()
    idle.backfills.retry(made.backfill.id)
    done = _work_until(idle, watch, made.backfill.id, "succeeded", "cancelled")

    assert [(a.done, a.failed_partitions, a.stuck) for a in failed.assets] == [
        (11, "2013-04", 0),
        (0, "", 1),
    ]
    assert only_failed.assets[0].partitions == "2013-04"
    assert done.backfill.status == "succeeded"
    assert _built(idle, "marts.monthly") == MONTHS


def test_a_paused_backfill_starts_nothing_and_a_resumed_one_goes_on(idle, watch):
    made = idle.backfills.create(["marts.monthly"], partitions="2013-01..2013-03")
    number = made.backfill.id
    idle.backfills.pause(number)
    idle.start()
    events = watch(idle, after=0)
    events.until("server", "leading")
    launch = idle.launch(LaunchRequest(origin="manual", select=("marts.whole",)))
    events.until("launch", "finished", launch_id=launch.id)

    paused = idle.backfills.show(number)
    idle.backfills.edit(number, order="newest", chunk=1, parallel=1)
    idle.backfills.resume(number)
    done = _work_until(idle, watch, number, "succeeded")

    assert (paused.done, paused.launches) == (0, ())
    assert done.done == 3
    with idle.database.read() as transaction:
        launches = state.launches(transaction, origin="backfill")
    assert [list(one.request.partitions.values()) for one in launches] == [
        ["2013-01"],
        ["2013-02"],
        ["2013-03"],
    ]


def _rounds(server):
    """One round of all backfills, as the leader does it."""
    server.loop.turn()
    for entry in server._triggers._entries:
        if entry.turn is not None:
            entry.turn.exception(timeout=30)


def test_a_server_that_dies_between_rounds_loses_and_doubles_nothing(idle, open_server, watch):
    made = idle.backfills.create(["marts.monthly"], pace={"chunk": 5})
    idle._launcher.start = lambda launch: None
    _rounds(idle)
    before = idle.backfills.show(made.backfill.id)
    idle._leadership.give_up()
    with idle.database.write() as transaction:
        # As if its process were gone: the claim is of a pid that is not there.
        transaction.execute("update launch set pid = 4194305 where status = 'running'")

    second = open_server()
    second.start()
    report = _work_until(second, watch, made.backfill.id, "succeeded", "failed")

    assert before.assets[0].flying == 5
    assert (report.backfill.status, report.done) == ("succeeded", 12)
    with second.database.read() as transaction:
        launches = state.launches(transaction, origin="backfill")
    flown = [text for one in launches for text in one.request.partitions.values()]
    assert len(flown) == len(set(flown))


def test_a_cancelled_backfill_takes_its_launches_out_of_the_queue(idle):
    made = idle.backfills.create(["marts.monthly"])
    idle._launcher.start = lambda launch: None
    _rounds(idle)

    report = idle.backfills.cancel(made.backfill.id)

    with idle.database.read() as transaction:
        (launch,) = state.launches(transaction, origin="backfill")
    assert report.backfill.status == "cancelled"
    assert launch.status == "cancelled" or launch.cancel_requested


def test_what_cannot_be_is_refused(idle):
    backfills = idle.backfills
    with pytest.raises(SelectionInvalid) as unpartitioned:
        backfills.create(["marts.whole"])
    with pytest.raises(SelectionInvalid) as nothing:
        backfills.create(["marts.monthly"], only=["failed"])
    with pytest.raises(UserError) as unknown:
        backfills.show(9)
    number = backfills.create(["marts.monthly"]).backfill.id
    with pytest.raises(UserError) as running:
        backfills.resume(number)
    with pytest.raises(UserError) as wrong:
        backfills.edit(number, order="sideways")

    codes = [each.value.code for each in (unpartitioned, nothing, unknown, running, wrong)]
    assert codes == ["A6410", "A6412", "A6413", "A6414", "A6415"]


def test_an_asset_that_is_gone_pauses_its_backfill_and_says_so(idle, folder):
    made = idle.backfills.create(["marts.monthly"])
    (folder / "models/marts/monthly.sql").unlink()
    (folder / "models/marts/yearly.sql").unlink()
    (folder / "models/marts/whole.sql").unlink()
    (folder / "models/marts/late.sql").unlink()
    assert idle.reload().problems == ()

    _rounds(idle)

    backfill = Backfills(idle.project).show(made.backfill.id).backfill
    assert backfill.status == "paused"
    assert backfill.note.startswith("A6411")


DAYS = time_partitions("day", "2013-01-01")
KEY = AssetKey.parse("a.b")


def _january(numbers):
    return PartitionSet.parse(re.sub(r"\d\d", r"2013-01-\g<0>", numbers), DAYS)


@pytest.mark.parametrize(
    ("status", "steps", "built", "done"),
    [
        ("succeeded", {}, "01..03", "01..03"),
        ("succeeded", {"01": "built"}, "01..03", "01..03"),
        ("succeeded", {"01": "built"}, "01..02", "01..02"),
        # What was up to date has no step; one that failed beside it takes nothing from it.
        ("failed", {"02": "failed"}, "01..03", "01,03"),
        ("failed", {"01": "built", "02": "failed"}, "01", "01"),
        ("failed", {"01": "built", "02": "failed"}, "", ""),
        ("held", {"01..02": "linked", "03": "held"}, "01..03", "01..02"),
        ("failed: it could not publish", {"01": "built"}, "01..03", ""),
        ("cancelled", {"01": "built"}, "01..03", ""),
        ("lost: its servers died", {}, "01..03", ""),
    ],
)
def test_a_launch_is_taken_apart_by_partition(status, steps, built, done):
    status, _, error = status.partition(": ")
    launch = Launch(
        id=1,
        request=LaunchRequest(origin="backfill"),
        status=status,
        requested_at=datetime(2026, 1, 1, tzinfo=UTC),
        error=error,
    )
    records = [
        PartitionStep(key=KEY, partitions=_january(text).text(), status=status)
        for text, status in steps.items()
    ]

    good, bad = outcome(launch, _january("01..03"), records, _january(built))

    assert good == _january(done)
    assert bad == _january("01..03") - good


def _round(server):
    """Let all backfills go a step further, by hand."""
    server.loop.turn()
    for entry in server._triggers._entries:
        if entry.trigger.name == "backfills" and entry.turn is not None:
            entry.turn.result(timeout=30)


def test_a_cancelled_backfill_stays_cancelled_though_its_asset_is_gone(idle, folder):
    idle._launcher.start = lambda launch: None
    made = idle.backfills.create(["marts.monthly"])
    _round(idle)
    idle.backfills.cancel(made.backfill.id)
    with idle.database.write() as transaction:
        (flying,) = state.backfill_launches(transaction, made.backfill.id)
        transaction.execute(
            "update launch set status = 'cancelled' where id = ?", (flying.launch_id,)
        )
    for name in ("monthly", "yearly", "late", "whole"):
        (folder / f"models/marts/{name}.sql").unlink()
    assert idle.reload().problems == ()

    _round(idle)

    with idle.database.read() as transaction:
        assert state.backfill_of(transaction, made.backfill.id).status == "cancelled"
        assert state.open_backfills(transaction) == []
