# SPDX-License-Identifier: Apache-2.0
"""Records of runs: what goes in comes out, and what must not be overwritten is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mainstem import state
from mainstem.database import open_database
from mainstem.errors import LeaseLost
from mainstem.graph import ColumnChange, Plan, PlannedAsset
from mainstem.state import ProcessIdentity, StepRecord, StoredVersion
from mainstem.types import AssetKey, CheckResult, Usage

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
PROCESS = ProcessIdentity(owner="o", host="h", boot_id="b", pid=7, process_started="99")
A, B = AssetKey.parse("raw.A"), AssetKey.parse("raw.b")


@pytest.fixture
def transaction(database_url):
    database = open_database(database_url)
    database.migrate(state.MIGRATIONS)
    with database.write() as opened:
        yield opened
    database.close()


def _begin(transaction, **more):
    return state.insert_run(
        transaction,
        **{
            "branch": "main",
            "environment": "local",
            "base_commit": "c0",
            "process": PROCESS,
            "started_at": NOW,
            **more,
        },
    )


def _acquire(transaction, run_id, *keys, owner="o"):
    return state.acquire(
        transaction,
        branch="main",
        keys=keys,
        run_id=run_id,
        owner=owner,
        expires_at=NOW + timedelta(seconds=30),
    )


def test_runs_are_numbered_and_read_back(transaction):
    first, second = _begin(transaction), _begin(transaction, git="4d0e1b2", options={"force": True})

    assert (first.id, second.id) == (1, 2)
    assert state.run_of(transaction, 2) == second
    assert [run.id for run in state.runs(transaction)] == [2, 1]
    assert state.runs(transaction, branch="dev") == []


def test_a_run_ends_once(transaction):
    run = _begin(transaction)
    state.finish_run(transaction, run.id, status="crashed", at=NOW)
    state.finish_run(transaction, run.id, status="succeeded", at=NOW, commit_id="c1")

    assert state.run_of(transaction, run.id).status == "crashed"
    assert state.unfinished_runs(transaction) == []


def test_steps_are_replaced_as_they_move_on_and_read_in_order(transaction):
    running = StepRecord(key=B, position=2, action="build", status="running", started_at=NOW)
    first = StepRecord(key=A, position=1, action="read", status="read", row_count=3)
    built = StepRecord(
        key=B,
        position=2,
        action="build",
        status="built",
        attempts=2,
        row_count=5,
        is_increment=True,
        elapsed_s=1.5,
        notes=("a",),
        warnings=("w",),
        error={"code": "A1"},
        finished_at=NOW,
    )
    state.save_steps(transaction, 1, [running])
    state.save_steps(transaction, 1, [first, built])

    found = state.steps(transaction, 1)

    assert [step.key for step in found] == [A, B]
    assert found[1].status == "built"
    assert found[1].notes == ("a",)
    assert found[1].error == {"code": "A1"}
    assert str(found[0].key) == "raw.A"


def test_the_last_time_that_something_was_built_is_known_by_asset(transaction):
    for run_id, status, rows in ((1, "built", 10), (2, "built", 20), (3, "failed", None)):
        state.save_steps(
            transaction,
            run_id,
            [StepRecord(key=A, position=0, action="build", status=status, row_count=rows)],
        )

    assert state.last_costs(transaction, [A, B]) == {A: (20, 0.0)}


def test_history_of_long_ago_is_forgotten_but_the_runs_stay_listed(transaction):
    old, new = _begin(transaction), _begin(transaction)
    for run, at in ((old, NOW), (new, NOW + timedelta(days=100))):
        state.finish_run(transaction, run.id, status="succeeded", at=at)
        state.save_steps(
            transaction,
            run.id,
            [StepRecord(key=A, position=0, action="build", status="built")],
        )

    state.prune_history(transaction, before=NOW + timedelta(days=1))

    assert state.steps(transaction, old.id) == []
    assert len(state.steps(transaction, new.id)) == 1
    assert [run.id for run in state.runs(transaction)] == [new.id, old.id]


def test_plans_are_stored_without_what_is_left_alone(transaction):
    work = PlannedAsset(key=A, action="build", reason="because", details=("more",))
    left = PlannedAsset(key=B, action="fresh", reason="unchanged")
    column = ColumnChange(key=A, column="x", change="dropped", breaks=("raw.b.x",))
    plan = Plan(
        project="p",
        environment="e",
        branch="main",
        base_commit="c",
        assets=(work, left),
        columns=(column,),
        options={"force": True},
    )
    state.save_plan(transaction, 1, plan)

    found = state.plan_of(transaction, 1)

    assert found.assets == (work,)
    assert found.columns == (column,)
    assert found.options == {"force": True}
    assert state.plan_of(transaction, 2) is None


def test_results_of_checks_are_kept_and_the_latest_found(transaction):
    def result(verdict):
        return CheckResult(
            check_id="raw.A/unique(id)",
            asset=A,
            verdict=verdict,
            severity="error",
            message="m",
            row_count=5,
            failed_count=1,
            sample=({"id": 1, "rows": 2},),
        )

    state.add_check_results(transaction, 1, [result("failed")], at=NOW)
    state.add_check_results(transaction, 2, [result("passed")], at=NOW + timedelta(hours=1))

    assert state.check_results(transaction, 1) == [result("failed")]
    assert state.last_verdicts(transaction) == [result("passed")]


def test_the_last_of_a_check_that_judged_partitions_is_the_worst_of_its_last_run(transaction):
    def result(part, verdict):
        return CheckResult(
            check_id=f"raw.A/unique(id) [{part}]",
            asset=A,
            verdict=verdict,
            severity="error",
            message=f"{part}: m",
        )

    old, new = [result("p1", "errored"), result("p2", "failed")], [result("p2", "passed")]
    state.add_check_results(transaction, 1, old, at=NOW)
    state.add_check_results(transaction, 2, new, at=NOW + timedelta(hours=1))
    state.add_check_results(
        transaction, 2, [result("p3", "failed")], at=NOW + timedelta(minutes=30)
    )

    (found,) = state.latest_checks(transaction, [A])[A]

    assert found[1:] == (2, replace(result("p3", "failed"), check_id="raw.A/unique(id)"))


def test_events_come_back_in_the_order_in_which_they_happened(transaction):
    for text in "abc":
        state.add_event(transaction, 1, "log", text, at=NOW, asset="raw.a")

    assert [text for _at, _kind, _asset, text in state.events(transaction, 1)] == ["a", "b", "c"]


class TestLeases:
    def test_a_lease_is_held_until_it_is_released(self, transaction):
        held = _acquire(transaction, 1, A, B)
        before = [lease.asset for lease in state.leases(transaction, "main", [A])]
        state.release(transaction, held)

        assert before == ["raw.a"]
        assert state.leases(transaction, "main") == []

    def test_branches_do_not_disturb_each_other(self, transaction):
        _acquire(transaction, 1, A)

        assert state.leases(transaction, "dev") == []

    def test_a_taken_over_lease_does_not_let_its_former_holder_commit(self, transaction):
        held = _acquire(transaction, 1, A)
        state.steal(transaction, 1)
        _acquire(transaction, 2, A, owner="other")

        with pytest.raises(LeaseLost):
            state.compare_fences(transaction, held)

    def test_a_lease_that_was_stolen_and_taken_back_has_another_fence(self, transaction):
        held = _acquire(transaction, 1, A)
        state.steal(transaction, 1)
        again = _acquire(transaction, 1, A)

        assert again.fences["raw.a"] > held.fences["raw.a"]
        with pytest.raises(LeaseLost):
            state.renew(transaction, held, expires_at=NOW)

    def test_renewing_moves_the_expiry(self, transaction):
        held = _acquire(transaction, 1, A)
        state.renew(transaction, held, expires_at=NOW + timedelta(seconds=60))

        (lease,) = state.leases(transaction, "main")
        assert lease.expires_at == NOW + timedelta(seconds=60)


class TestVersions:
    def _version(self, **more):
        return StoredVersion(
            **{
                "key": A,
                "version": "v1",
                "run_id": 1,
                "inputs": {"raw.b": "w"},
                "commit_id": "c1",
                "branch": "main",
                "created_at": NOW,
                "expires_at": NOW + timedelta(days=14),
                **more,
            }
        )

    def test_versions_are_found_latest_first(self, transaction):
        state.add_versions(transaction, [self._version(), self._version(run_id=2)])

        assert [item.run_id for item in state.versions_of(transaction, A, "v1")] == [2, 1]
        assert state.versions_of(transaction, A, "v2") == []

    def test_published_versions_do_not_expire(self, transaction):
        state.add_versions(transaction, [self._version(), self._version(key=B)])
        state.mark_published(transaction, 1, [A], commit_id="p1")
        expired = state.expire_versions(transaction, now=NOW + timedelta(days=15))

        assert expired == 1
        assert state.versions_of(transaction, A, "v1")[0].commit_id == "p1"
        assert state.versions_of(transaction, B, "v1")[0].commit_id == ""
        assert state.linkable_commits(transaction, now=NOW) == {"p1"}

    def test_of_a_table_that_came_in_steps_only_what_was_published_is_linked(self, transaction):
        staged = [self._version(version=f"v{n}", commit_id=f"c{n}") for n in (1, 2, 3)]
        state.add_versions(transaction, staged)
        state.mark_published(transaction, 1, [A], commit_id="p1", versions={A: "v2"})

        found = {v: state.versions_of(transaction, A, v)[0].commit_id for v in ("v1", "v2", "v3")}
        assert found == {"v1": "", "v2": "p1", "v3": ""}
        assert state.linkable_commits(transaction, now=NOW) == {"p1"}

    def test_parts_of_code_are_kept_by_version(self, transaction):
        state.save_parts(transaction, [(A, "c1", {"rows": "1"}), (B, "c1", {})])

        assert state.parts_of(transaction, A, "c1") == {"rows": "1"}
        assert state.parts_of(transaction, B, "c1") == {}


def test_tombstones_are_per_branch_and_can_be_lifted(transaction):
    state.add_tombstones(transaction, "main", [(A, "v1"), (B, "v2")], commit_id="c", at=NOW)
    state.clear_tombstones(transaction, "main", [(B, "v2")])

    assert state.tombstones(transaction, "main") == {("raw.a", "v1")}
    assert state.tombstones(transaction, "dev") == frozenset()


def test_when_an_asset_was_last_built_is_told_by_branch(transaction):
    run = _begin(transaction)
    built = StepRecord(
        key=A, position=0, action="build", status="built", started_at=NOW, finished_at=NOW
    )
    failed = StepRecord(
        key=B, position=1, action="build", status="failed", started_at=NOW, finished_at=NOW
    )
    state.save_steps(transaction, run.id, [built, failed])

    assert state.last_built_at(transaction, A, branch="main") == NOW
    assert state.last_built_at(transaction, A, branch="dev") is None
    assert state.last_built_at(transaction, B, branch="main") is None


def test_run_state_is_given_as_tables_with_the_kinds_they_promise(transaction):
    run = _begin(transaction)
    table = state.SYSTEM_TABLES["runs"]

    (row,) = table.rows(transaction)

    values = dict(zip((column.name for column in table.columns), row, strict=True))
    assert (values["run_id"], values["started_at"]) == (run.id, NOW)
    assert values["finished_at"] is None
    assert values["commit_id"] is None


def test_what_a_step_used_is_kept(transaction):
    usage = Usage(cpu_s=1.25, peak_memory=123_456_789, measured="worker")
    record = StepRecord(
        key=A, position=0, action="build", status="built", size_bytes=1 << 33, usage=usage
    )
    state.save_steps(transaction, 1, [record])

    (kept,) = state.steps(transaction, 1)

    assert (kept.usage, kept.size_bytes) == (usage, 1 << 33)


def test_leases_are_counted_that_somebody_holds_or_left(transaction):
    run = _begin(transaction)
    held = _acquire(transaction, run.id, AssetKey("a", "b"), AssetKey("a", "c"))
    later = state.to_us(NOW + timedelta(days=1))

    assert state.lease_counts(transaction, now_us=state.to_us(NOW)) == (2, 0)
    assert state.lease_counts(transaction, now_us=later) == (0, 2)
    state.release(transaction, held)
    assert state.lease_counts(transaction, now_us=later) == (0, 0)
