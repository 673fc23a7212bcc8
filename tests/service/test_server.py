# SPDX-License-Identifier: Apache-2.0
"""A server over a real project: launches become runs, files are followed, nothing is lost."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from mainstem import state
from mainstem.errors import Cancelled, DatabaseUnavailable
from mainstem.project import Controlling, open_project
from mainstem.runs import own_identity
from mainstem.service import Server
from mainstem.service.launcher import Ended, Launcher
from mainstem.state import LaunchRequest

MANUAL = LaunchRequest(origin="manual")


def _launch_of(server, launch_id):
    with server.database.read() as transaction:
        return state.launch_of(transaction, launch_id)


def test_a_launch_becomes_a_run_and_ends_with_it(server, watch):
    events = watch(server)

    launch = server.launch(replace(MANUAL, select=("one",)))
    begun = events.until("run", "RunStarted")
    events.until("launch", "finished", launch_id=launch.id, status="succeeded")

    stored = _launch_of(server, launch.id)
    assert (stored.status, stored.run_id, stored.attempts) == ("succeeded", begun.run_id, 1)
    assert [run.status for run in server.project.runs()] == ["succeeded"]
    assert server.status().running == ()


def test_a_launch_may_want_some_partitions_only(server, watch, folder):
    (folder / "models" / "monthly.sql").write_text(
        "/* ---\nmaterialized: table\n"
        "partitions: {by: month, column: day, start: 2013-01-01, end: 2014-01-01}\n--- */\n"
        "select unnest([date '2013-02-05', date '2013-03-05']) as day\n"
    )
    server.reload()
    events = watch(server)

    wanted = {"monthly": "2013-02..2013-03"}
    launch = server.launch(replace(MANUAL, select=("monthly",), partitions=wanted))
    events.until("launch", "finished", launch_id=launch.id, status="succeeded")

    assert server.project.partitions("monthly").built.text() == "2013-02..2013-03"


def test_a_launch_with_nothing_to_do_succeeds_without_a_run(server, watch):
    events = watch(server)
    server.launch(MANUAL)
    events.until("launch", "finished")

    again = server.launch(MANUAL)
    events.until("launch", "finished", launch_id=again.id, status="succeeded")

    assert _launch_of(server, again.id).run_id is None


def test_a_run_key_runs_once(server, watch):
    events = watch(server)
    keyed = replace(MANUAL, origin="webhook", source="hook", run_key="k")

    first, second = server.launch(keyed), server.launch(keyed)
    events.until("launch", "finished", launch_id=first.id)

    assert second.id == first.id


def test_a_launch_that_cannot_run_fails_and_says_why(server, watch):
    events = watch(server)

    wrong = server.launch(replace(MANUAL, select=("nonsense",)))
    nowhere = server.launch(replace(MANUAL, environment="nowhere"))

    events.until("launch", "finished", launch_id=wrong.id, status="failed")
    assert "A2008" in _launch_of(server, wrong.id).error
    server.launch(MANUAL)
    events.until("launch", "finished", status="succeeded")
    assert "nowhere" in _launch_of(server, nowhere.id).error


def test_launches_of_other_processes_are_found(server, watch, folder):
    events = watch(server)
    with open_project(folder) as other, other.services.database.write() as transaction:
        launch_id = state.enqueue(transaction, MANUAL, now=other.clock.now())

    events.until("launch", "finished", launch_id=launch_id, status="succeeded")


def test_a_queued_launch_is_cancelled_and_never_runs(open_server):
    server = open_server()
    launch = server.launch(MANUAL)

    assert server.cancel(launch.id).status == "cancelled"
    server.loop.turn()

    assert server.status().running == ()
    assert server.cancel(99) is None


def test_a_hundred_launches_at_once_all_end(server, watch):
    events = watch(server)
    launches = [
        server.launch(replace(MANUAL, run_key=str(number), select=("one",)))
        for number in range(100)
    ]

    for _ in launches:
        events.until("launch", "finished")

    with server.database.read() as transaction:
        found = state.launches(transaction, limit=200)
    assert {launch.status for launch in found} == {"succeeded"}
    assert len(found) == 100
    runs = server.project.runs(limit=200)
    built = [step.status for run in runs for step in server.project.run_detail(run.id).steps].count(
        "built"
    )
    assert (len(runs) <= 4, built) == (True, 1), "those that waited found that nothing was left"


def test_launches_run_on_the_branch_that_they_name(server, watch):
    events = watch(server)

    server.launch(replace(MANUAL, branch="trial"))
    events.until("launch", "finished", status="succeeded")

    assert [run.branch for run in server.project.runs()] == ["trial"]


def test_a_step_is_launched_once_more_with_the_inputs_that_its_run_had(server, watch, folder):
    table = "/* ---\nmaterialized: table\n--- */\n"
    (folder / "models" / "one.sql").write_text(f"{table}select 1 as a\n")
    (folder / "models" / "two.sql").write_text(f"{table}select a * 10 as a from one\n")
    server.reload()
    events = watch(server)
    server.launch(MANUAL)
    run = events.until("launch", "finished", status="succeeded").run_id
    (folder / "models" / "one.sql").write_text(f"{table}select 2 as a\n")
    server.reload()
    server.launch(MANUAL)
    events.until("launch", "finished", status="succeeded")

    wanted = Controlling(server.project).launch_to_replay(run, "two", source="ann")
    launch = server.launch(wanted)
    events.until("launch", "finished", launch_id=launch.id, status="succeeded")

    assert _launch_of(server, launch.id).run_id == run + 2
    rows = {
        branch: server.project.sql("select a from two", at=branch).to_pylist()
        for branch in ("main", f"replay/{run}-main.two")
    }
    assert rows == {"main": [{"a": 20}], f"replay/{run}-main.two": [{"a": 10}]}


def test_a_second_server_stands_by_and_leads_when_the_first_stops(open_server, watch):
    first, second = open_server(), open_server()
    first.start()
    watch(first, after=0).until("server", "leading")
    second.start()
    events = watch(second, after=0)
    events.until("server", "standby")

    first.stop()
    first.wait(30)
    events.until("server", "leading")

    assert second.status().role == "leading"
    assert second.status().leader.endswith(f":{second.status().pid}")


def test_a_launch_asked_of_the_standby_is_executed_by_the_leader(open_server, watch):
    first, second = open_server(), open_server()
    first.start()
    watch(first, after=0).until("server", "leading")
    second.start()
    events = watch(first)

    launch = second.launch(MANUAL)

    events.until("launch", "finished", launch_id=launch.id, status="succeeded")


def _orphan(server, *, owner="dead", pid=2**22 + 1):
    """Leave a claim behind as a server that was killed does."""
    process = replace(own_identity(), owner=owner, pid=pid, process_started="1")
    launch = server.launch(MANUAL)
    with server.database.write() as transaction:
        state.claim_launch(
            transaction,
            process=process,
            slots=9,
            now=server.clock.now(),
            expires_at=server.clock.now(),
        )
    return launch


def test_a_launch_of_a_dead_server_is_begun_again_at_boot(open_server, watch):
    server = open_server()
    launch = _orphan(server)

    server.start()
    events = watch(server, after=0)
    events.until("launch", "requeued", launch_id=launch.id)
    events.until("launch", "finished", launch_id=launch.id, status="succeeded")

    assert _launch_of(server, launch.id).attempts == 2


def test_a_launch_whose_run_had_ended_is_not_run_again(open_server, watch):
    server = open_server()
    launch = _orphan(server)
    with server.project.services.database.write() as transaction:
        held = state.launch_of(transaction, launch.id)
        state.begin_launch(transaction, held, 1)
        state.insert_run(
            transaction,
            branch="main",
            environment="local",
            base_commit="",
            process=held.process,
            started_at=server.clock.now(),
        )
        state.finish_run(transaction, 1, status="held", at=server.clock.now())

    server.start()
    watch(server, after=0).until("launch", "finished", launch_id=launch.id, status="held")

    assert len(server.project.runs()) == 1


def _broken_off(server, **facts):
    """Let a launch break off in the middle of its run, which could not write that it ended."""
    launch = server.launch(replace(MANUAL, select=("one",)))
    with server.database.write() as transaction:
        now = server.clock.now()
        claimed = state.claim_launch(
            transaction, process=server.process, slots=1, now=now, expires_at=now
        )
        run = state.insert_run(
            transaction,
            branch="main",
            environment="local",
            base_commit="",
            process=own_identity(),
            started_at=now,
        )
        state.begin_launch(transaction, claimed, run.id)
    gone = Ended(launch=claimed, status="failed", run_id=run.id, error="A5060: away", **facts)
    server._launcher.put_back([gone])
    return launch.id


def test_a_run_that_could_not_write_its_end_does_not_stay_running(open_server):
    server = open_server()
    launch_id = _broken_off(server)

    server.loop.turn()

    assert [one.status for one in server.project.runs()] == ["crashed"]
    assert _launch_of(server, launch_id).status == "failed"


def test_a_launch_that_broke_off_after_its_run_had_ended_is_not_run_again(open_server):
    server = open_server()
    launch_id = _broken_off(server, is_cut_off=True)
    with server.database.write() as transaction:
        state.finish_run(transaction, 1, status="succeeded", at=server.clock.now())

    server.loop.turn()

    stored = _launch_of(server, launch_id)
    assert (stored.status, stored.attempts, stored.error) == ("succeeded", 1, "")


@pytest.mark.parametrize(
    ("settings", "told"),
    [("{}", "requeued"), ("{lost: report}", "finished"), ("{attempts: 1}", "finished")],
)
def test_a_launch_whose_database_went_away_is_begun_again(
    open_server, watch, folder, settings, told
):
    (folder / "mainstem.yml").write_text(f"name: shop\nserve: {settings}\n")
    server = open_server()
    launch_id = _broken_off(server, is_cut_off=True)
    events = watch(server)

    server.loop.turn()
    events.until("launch", told, launch_id=launch_id)

    expected = (2, "running") if told == "requeued" else (1, "failed")
    stored = _launch_of(server, launch_id)
    assert (stored.attempts, stored.status) == expected


class _Gone:
    """A database that is away."""

    def read(self):
        raise DatabaseUnavailable("A5060", "The database is away.")

    def write(self, **options):
        raise DatabaseUnavailable("A5060", "The database is away.")


def test_a_server_whose_database_is_gone_stops_all_the_same(open_server):
    server = open_server()
    _broken_off(server)
    server.loop._parts = replace(server.loop._parts, database=_Gone())

    server.stop()
    for _ in range(3):
        server.loop.turn()

    assert server.loop._stop.stage == "over"


def test_what_a_person_cancelled_is_not_begun_again_though_the_server_stops(open_server, clock):
    server = open_server()
    launch = server.launch(replace(MANUAL, select=("one",)))
    stopped, ended = threading.Event(), threading.Event()

    def project_of(request):
        stopped.wait(10)
        raise Cancelled("A4030", "It was cancelled.")

    launcher = Launcher(server.database, project_of, clock=clock, bus=server.bus, wake=ended.set)
    launcher.start(launch)

    launcher.cancel(launch.id)
    launcher.cancel(launch.id, for_good=False)
    stopped.set()
    ended.wait(10)

    assert [one.is_again for one in launcher.ended()] == [False]


def test_a_launch_of_a_silent_server_is_taken_over_after_twice_the_lease(
    open_server, folder, clock
):
    (folder / "mainstem.yml").write_text("name: shop\nserve: {lease: 1s}\n")
    silent, other = open_server(clock=clock), open_server(clock=clock)
    launch = silent.launch(replace(MANUAL, select=("one",)))
    with silent.database.write() as transaction:
        now = clock.now()
        state.claim_launch(transaction, process=silent.process, slots=1, now=now, expires_at=now)

    holders = []
    for seconds in (0, 1.9, 1.0):
        clock.pass_s(seconds)
        other.loop.turn()
        holders.append(_launch_of(other, launch.id).process.owner)

    assert holders == [silent.process.owner] * 2 + [other.process.owner]


def _save(path, text):
    """Write as editors do: who watches never sees half of it, to reload for the rest again."""
    whole = path.with_name("saving")
    whole.write_text(text)
    whole.replace(path)


def test_a_broken_file_keeps_the_last_good_graph_up_and_says_what_is_wrong(
    open_server, watch, folder
):
    server = open_server(watch_s=0.02)
    server.start()
    events = watch(server, after=0)
    events.until("server", "leading")

    _save(folder / "models" / "two.sql", "select from where\n")
    broken = events.until("project", "broken")
    stood = server.status()
    launch = server.launch(replace(MANUAL, select=("one",)))
    events.until("launch", "finished", launch_id=launch.id, status="succeeded")
    _save(folder / "models" / "two.sql", "select a + 1 as b from one\n")
    events.until("project", "reloaded")

    assert [problem.code for problem in stood.problems] == ["A2010"]
    assert broken.facts["problems"][0]["where"]["file"] == "models/two.sql"
    assert server.status().problems == ()
    assert server.status().generation == stood.generation + 1


def test_mainstem_yml_that_does_not_parse_is_survived(open_server, folder):
    server = open_server()
    before = server.project

    (folder / "mainstem.yml").write_text("name: [shop\n")
    reloaded = server.reload()

    assert reloaded.problems
    assert server.project is before


def test_a_new_file_is_in_the_graph_after_a_reload(open_server, folder):
    server = open_server()
    (folder / "models" / "three.sql").write_text("select 3 as a\n")

    server.reload()

    assert "main.three" in {str(key) for key in server.project.graph.assets}


def test_a_project_without_settings_cannot_be_served(tmp_path):
    with pytest.raises(Exception, match=r"mainstem\.yml"):
        Server(tmp_path / "nowhere")


def test_settings_of_the_server_are_read_from_the_project(open_server, folder):
    (folder / "mainstem.yml").write_text(
        "name: shop\nserve:\n  max_runs: 2\n  share: {fresh: 5, backfill: 2}\n"
        "  lost: report\n  attempts: 7\n  grace: 90s\n  lease: 20s\n  history_days: 3\n"
    )

    serve = open_server().project.settings.serve

    assert (serve.max_runs, serve.fresh_share, serve.backfill_share) == (2, 5, 2)
    assert (serve.lost, serve.attempts, serve.history_days) == ("report", 7, 3)
    assert (serve.grace_s, serve.lease_s) == (90, 20)


def test_upkeep_that_fails_is_told(open_server, watch):
    def fails(project, now):
        raise OSError("the disk is full")

    server = open_server(upkeep=[fails])
    events = watch(server)

    server.loop.turn()

    events.until("trigger", "failed", trigger="upkeep", error="the disk is full")
