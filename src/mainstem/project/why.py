# SPDX-License-Identifier: Apache-2.0
"""Why an asset ran, or did not: told from what is stored, without planning or reading data.

Two questions: what happened last (run, trigger, inputs, checks), and what may happen next (launches
that wait, jobs and whether their schedules are on, conditions, tombstones, promises).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Literal

from mainstem.automation import (
    ScheduleStatus,
    Standing,
    Triggers,
    conditions_off,
    schedule_statuses,
    standings,
    ticks,
)
from mainstem.database import Transaction
from mainstem.errors import SelectionInvalid
from mainstem.graph import Graph, select, stale_assets
from mainstem.lake import Entry
from mainstem.project.promising import pending_partitions
from mainstem.state import (
    Launch,
    RunRecord,
    StepRecord,
    check_results,
    launch_of_run,
    launches,
    leases,
    reverted_commits,
    run_of,
    steps,
    steps_of_asset,
    updated_at,
)
from mainstem.types import AssetKey, dataclass

Kind = Literal[
    "run", "step", "trigger", "upstream", "check", "error",
    "busy", "waiting", "job", "schedule", "condition", "reverted", "stale", "promise",
    "outside", "fresh",
]  # fmt: skip

_DEPTH = 8
_HISTORY = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact of an answer, with what it speaks of."""

    kind: Kind
    text: str
    run_id: int | None = None
    launch_id: int | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """The answer to `why ASSET`, or `why ASSET@PARTITION`."""

    asset: AssetKey
    branch: str
    partition: str = ""
    last: tuple[Fact, ...]
    """What happened last, from the asset up to what set it off."""
    next: tuple[Fact, ...]
    """What keeps it, and what may launch it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Where the answer is looked for."""

    graph: Graph
    triggers: Triggers
    branch: str
    entries: Mapping[AssetKey, Entry]
    """What the branch has."""
    now: datetime
    reported: Mapping[AssetKey, datetime] = field(default_factory=dict)
    """When others last made it, of an external asset."""


def why(transaction: Transaction, key: AssetKey, seen: Seen) -> Why:
    """Tell why an asset ran last, or did not, and what may run it next."""
    return Why(
        asset=key,
        branch=seen.branch,
        last=tuple(_last(transaction, key, seen)),
        next=tuple(_next(transaction, key, seen)),
    )


def _last(transaction: Transaction, key: AssetKey, seen: Seen) -> Iterator[Fact]:
    found = _last_step(transaction, key, seen.branch)
    yield from gone(transaction, key, seen, None if found is None else found[0])
    if found is None:
        yield Fact(kind="run", text=f"no run on {seen.branch} has had to do with it")
        return
    run, step = found
    yield Fact(
        kind="step",
        text=f"{step.status} in run {run.id}" + (f": {step.reason}" if step.reason else ""),
        run_id=run.id,
        at=step.finished_at or run.started_at,
    )
    all_steps = {one.key: one for one in steps(transaction, run.id)}
    if step.status in {"built", "read", "linked", "unchanged"}:
        yield from _moved_by(key, all_steps, seen.graph, run.id)
    else:
        yield from _kept_by(transaction, key, all_steps, seen.graph, run.id)
    yield trigger_of(transaction, key, run)


def gone(
    transaction: Transaction,
    key: AssetKey,
    seen: Seen,
    run: RunRecord | None,
    concerns: Callable[[Launch], bool] = lambda _launch: True,
) -> Iterator[Fact]:
    """Tell of a launch after the last run, or behind it, whose servers died too often.

    Args:
        transaction: Of the project's database.
        key: Of the asset.
        seen: Where the answer is looked for.
        run: The last one that had to do with it.
        concerns: Whether a launch that names the asset means what is asked about.
    """
    for launch in launches(transaction, status="lost", limit=_HISTORY):
        ended = launch.finished_at or launch.requested_at
        is_last = run is None or launch.run_id == run.id or ended > run.started_at
        is_here = launch.request.branch in {"", seen.branch}
        if is_last and is_here and launch_names(launch, key, seen) and concerns(launch):
            yield Fact(
                kind="error",
                text=f"launch {launch.id} ({launch.request.origin}) is lost: {launch.error}; "
                "it is not begun again",
                run_id=launch.run_id,
                launch_id=launch.id,
                at=ended,
            )
            return


def _last_step(
    transaction: Transaction, key: AssetKey, branch: str
) -> tuple[RunRecord, StepRecord] | None:
    for run_id, step in steps_of_asset(transaction, key, limit=_HISTORY):
        run = run_of(transaction, run_id)
        if run is not None and run.branch == branch:
            return run, step
    return None


def _moved_by(
    key: AssetKey, all_steps: Mapping[AssetKey, StepRecord], graph: Graph, run_id: int
) -> Iterator[Fact]:
    """Follow the inputs that moved in the same run, up to a source."""
    at = key
    for _ in range(_DEPTH):
        inputs = graph.assets[at].inputs if at in graph.assets else ()
        moved = [all_steps[one] for one in inputs if one in all_steps]
        moved = [one for one in moved if one.status in {"built", "read", "linked"}]
        if not moved:
            return
        for step in moved:
            reason = f": {step.reason}" if step.reason else ""
            yield Fact(kind="upstream", text=f"{step.key} was {step.status}{reason}", run_id=run_id)
        at = moved[0].key


def _kept_by(
    transaction: Transaction,
    key: AssetKey,
    all_steps: Mapping[AssetKey, StepRecord],
    graph: Graph,
    run_id: int,
) -> Iterator[Fact]:
    """Name what failed: checks and errors of the asset, or of what it needs."""
    above = {key, *graph.upstream([key])} if key in graph.assets else {key}
    for asset, step in all_steps.items():
        if asset not in above or step.status not in {"failed", "held"}:
            continue
        if step.error is not None:
            summary = str(step.error.get("summary", ""))
            yield Fact(kind="error", text=f"{asset} failed: {summary}", run_id=run_id)
        elif asset != key:
            yield Fact(kind="upstream", text=f"{asset} was held: {step.reason}", run_id=run_id)
    for result in check_results(transaction, run_id):
        if result.asset in above and result.holds_publishing:
            text = f"check {result.check_id} {result.verdict}: {result.message}"
            yield Fact(kind="check", text=text, run_id=run_id)


def trigger_of(transaction: Transaction, key: AssetKey, run: RunRecord) -> Fact:
    """Tell what set a run off."""
    launch = launch_of_run(transaction, run.id)
    if launch is None:
        return Fact(
            kind="trigger",
            text=f"run {run.id} was started by hand, by a command",
            run_id=run.id,
            at=run.started_at,
        )
    return Fact(
        kind="trigger",
        text=_said(launch, key),
        run_id=run.id,
        launch_id=launch.id,
        at=launch.requested_at,
    )


def _said(launch: Launch, key: AssetKey) -> str:
    """Say what a launch goes back to."""
    request, cause = launch.request, launch.request.cause
    match request.origin:
        case "schedule":
            return f"tick {cause.get('tick', '')} of schedule {request.source}, {_of(cause)}"
        case "sensor":
            return f"sensor {request.source} asked for it (run key {request.run_key or 'none'})"
        case "webhook":
            return f"delivery {cause.get('delivery', '')} to hook {request.source}"
        case "condition":
            facts = cause.get("facts", {}).get(str(key), [])
            return "its condition became true: " + (", ".join(facts) or "of its inputs' facts")
        case "backfill":
            return f"backfill {request.source}"
        case "retry":
            return f"launch {launch.id} again, after a failure"
        case "manual" | "api":
            return f"asked for by {request.source or 'somebody'} ({request.origin})"


def _of(cause: Mapping[str, Any]) -> str:
    return str(cause.get("timing", ""))


def _next(transaction: Transaction, key: AssetKey, seen: Seen) -> Iterator[Fact]:
    yield from _busy(transaction, key, seen)
    commits = reverted_commits(transaction, seen.branch).get(key.folded, ())
    if commits:
        yield Fact(
            kind="reverted",
            text=f"its version of commit {commits[-1][:8]} was reverted: it is not built again "
            "until code or inputs change, or with --force",
        )
    if key not in seen.entries:
        yield Fact(kind="stale", text=f"{seen.branch} has no version of it")
    elif key in stale_assets(seen.graph, seen.entries):
        yield Fact(kind="stale", text="its inputs or its code are newer than its data")
    yield from ahead_of(transaction, key, seen)


def ahead_of(transaction: Transaction, key: AssetKey, seen: Seen) -> Iterator[Fact]:
    """Tell of jobs, the condition and the promise of an asset."""
    yield from _jobs(transaction, key, seen)
    yield from _condition(transaction, key, seen)
    for one in _promise(transaction, key, seen):
        state = f"{one.freshness.status}, due {one.freshness.due_at:%Y-%m-%d %H:%M} UTC"
        yield Fact(kind="promise", text=f"promised to be fresh {one.promise}: {state}")


def _busy(transaction: Transaction, key: AssetKey, seen: Seen) -> Iterator[Fact]:
    for lease in leases(transaction, seen.branch, [key]):
        text = f"run {lease.run_id} holds it now"
        yield Fact(kind="busy", text=text, run_id=lease.run_id)
    for launch in launches(transaction, status="queued", limit=1000):
        if launch_names(launch, key, seen):
            after = launch.request.not_before
            waits = f", not before {after:%Y-%m-%d %H:%M:%S} UTC" if after is not None else ""
            yield Fact(
                kind="waiting",
                text=f"launch {launch.id} ({launch.request.origin}) waits for its turn{waits}",
                launch_id=launch.id,
            )


def launch_names(launch: Launch, key: AssetKey, seen: Seen) -> bool:
    """Tell whether a launch is about an asset."""
    return _selects(seen.graph, launch.request.select, launch.request.exclude, key)


def _jobs(transaction: Transaction, key: AssetKey, seen: Seen) -> Iterator[Fact]:
    named = [
        name
        for name, target in seen.triggers.jobs.items()
        if _selects(seen.graph, target.select, target.exclude, key)
    ]
    if not named:
        jobs = "no job selects it" if seen.triggers.jobs else "the project has no jobs"
        yield Fact(kind="job", text=jobs)
    schedules = [seen.triggers.schedules[name] for name in named if name in seen.triggers.schedules]
    for status in schedule_statuses(transaction, schedules, now=seen.now):
        yield _schedule(status)
    for name in named:
        if name not in seen.triggers.schedules:
            yield Fact(kind="job", text=f"job {name} selects it, and has no schedule")


def _schedule(status: ScheduleStatus) -> Fact:
    if not status.is_on:
        return Fact(kind="schedule", text=f"schedule {status.name} selects it, and is off")
    text = f"schedule {status.name} selects it"
    if status.since is None:
        text += ", and no server has seen it yet"
    elif status.next_at is not None:
        text += f", next at {status.next_at:%Y-%m-%d %H:%M:%S} UTC"
    last = status.last
    if last is not None and last.outcome == "skipped":
        text += f"; its tick of {last.scheduled_for:%Y-%m-%d %H:%M} was skipped: {last.reason}"
    return Fact(kind="schedule", text=text, at=status.next_at)


def _condition(transaction: Transaction, key: AssetKey, seen: Seen) -> Iterator[Fact]:
    if key not in seen.triggers.conditions:
        return
    written = f"run_when {seen.graph.assets[key].run_when}"
    if key.folded in conditions_off(transaction):
        yield Fact(kind="condition", text=f"{written}: is off, and launches nothing")
    last = next(iter(ticks(transaction, "condition", name=str(key), limit=1)), None)
    if last is None:
        yield Fact(kind="condition", text=f"{written}: it has not become true yet")
        return
    became = "nothing was launched" if last.launch_id is None else f"launch {last.launch_id}"
    yield Fact(
        kind="condition",
        text=f"{written}: last true at {last.scheduled_for:%Y-%m-%d %H:%M:%S} UTC "
        f"({last.reason or 'nothing kept it'}), {became}",
        launch_id=last.launch_id,
        at=last.scheduled_for,
    )


def _promise(transaction: Transaction, key: AssetKey, seen: Seen) -> list[Standing]:
    promise = seen.triggers.promises.get(key)
    if promise is None:
        return []
    updated = {**updated_at(transaction, seen.branch, [key]), **seen.reported}
    return standings(
        transaction,
        {key: promise},
        updated,
        pending=pending_partitions(seen.graph, [key], seen.entries, seen.now),
        branch=seen.branch,
        now=seen.now,
    )


def _selects(
    graph: Graph, include: tuple[str, ...], exclude: tuple[str, ...], key: AssetKey
) -> bool:
    try:
        return key in select(graph, include, exclude)
    except SelectionInvalid:
        return False  # a launch of other files, which named what is no more
