# SPDX-License-Identifier: Apache-2.0
"""What must hold once a world is at peace, by its records, its tables and its side effects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from machines import Machine
from world import MONTHS, World, events_of

from mainstem.project import Project
from mainstem.state import to_us
from mainstem.testing.simulation.faults import broken_promises, left_behind
from mainstem.types import AssetKey

ENDS = {"succeeded", "held", "failed", "cancelled"}
EMPTY_TABLES = ("slot", "control", "item")
ALL = 100_000


def judge(
    project: Project, world: World, files: int, servers: Sequence[Machine], launched: Sequence[int]
) -> list[str]:
    """Say in words what does not hold; empty if all is well.

    Args:
        project: Opened anew.
        world: As drawn.
        files: How many files of events arrived, beside the first.
        servers: All that ever were.
        launched: Ids of the launches that the harness asked for.
    """
    database, lake = project.services.database, project.lake
    with database.read() as transaction:
        # What a schedule asked for after the last server was told to stop waits for the next one.
        waiting = transaction.execute(
            "select id from launch where status = 'queued' and origin = 'schedule'"
        )
        later = {f"launch {launch_id} is still queued" for (launch_id,) in waiting}
        wrong = [*broken_promises(transaction, lake, project.graph)]
        wrong += [text for text in left_behind(transaction) if text not in later]
        wrong += _left_rows(transaction)
        wrong += _left_tickets(transaction, project.clock.now())
        wrong += _ends(transaction, servers, launched)
    wrong += contents(project, world, files)
    wrong += _effects(project)
    return wrong


def _left_rows(transaction) -> Iterator[str]:
    for table in EMPTY_TABLES:
        count = transaction.execute(f"select count(*) from {table}")[0][0]
        if count:
            yield f"{count} rows are left in `{table}`"


def _left_tickets(transaction, now: datetime) -> Iterator[str]:
    """What a run that died wanted is taken along by the next ticket, or the upkeep of a server."""
    for ticket, asset in transaction.execute(
        "select id, asset from ticket where wanted_until > ?", (to_us(now),)
    ):
        yield f"ticket {ticket} of {asset} is still wanted"
    query = "select distinct ticket from ticket_message where ticket not in (select id from ticket)"
    for (ticket,) in transaction.execute(query):
        yield f"messages of ticket {ticket} are left without it"


def _ends(transaction, servers: Sequence[Machine], launched: Sequence[int]) -> Iterator[str]:
    """Each launch ended once, as one run at most that was not cut off."""
    stored = dict(
        transaction.execute(
            "select id, status from launch where not (status = 'queued' and origin = 'schedule')"
        )
    )
    for launch_id in launched:
        if launch_id not in stored:
            yield f"launch {launch_id} is lost"
    for launch_id, status in stored.items():
        if status not in ENDS:
            yield f"launch {launch_id} ended as {status}"
    ends: Counter[int] = Counter()
    runs: dict[int, set[int]] = {}
    for event in (event for server in servers for event in server.events()):
        launch_id, run_id = event.get("launch_id"), event.get("run_id")
        if event["topic"] == "launch" and event["name"] == "finished":
            ends[launch_id] += 1
        if launch_id is not None and run_id is not None:
            runs.setdefault(launch_id, set()).add(run_id)
    for launch_id, count in ends.items():
        if count > 1:
            yield f"launch {launch_id} ended {count} times"
    status = dict(transaction.execute("select id, status from run"))
    for launch_id, run_ids in runs.items():
        # One that broke off with its database may be on record as failed, and is begun again.
        whole = [n for n in run_ids if status.get(n) in {"succeeded", "held"}]
        if len(whole) > 1:
            told = ", ".join(f"run {n} {status.get(n)}" for n in sorted(whole))
            yield f"launch {launch_id} was carried out {len(whole)} times: {told}"


def contents(project: Project, world: World, files: int) -> Iterator[str]:
    """The lake has what the files say, each row once."""
    rows = [row for number in range(files + 1) for row in events_of(world.seed, number)]
    ids = sorted(row[0] for row in rows)
    total = sum(row[2] for row in rows)
    for table in ("raw.events", "staging.events", "marts.seen", "parts.monthly"):
        found = project.sql(f"select id from {table} order by id").to_pydict()["id"]
        if found != ids:
            counted = Counter(found)
            twice = [number for number, count in counted.items() if count > 1][:5]
            missing = sorted(set(ids) - set(found))[:5]
            yield f"{table} has {len(found)} rows of {len(ids)}; twice {twice}, missing {missing}"
    for table in ("marts.totals", "marts.judged"):
        found = project.sql(f"select n, amount from {table}").to_pylist()
        if found != [{"n": len(ids), "amount": total}]:
            yield f"{table} is {found}, not {len(ids)} and {total}"
    found = project.sql("select ok, n from marts.guarded").to_pylist()
    if found != [{"ok": 1, "n": len(ids)}]:
        yield f"marts.guarded is {found}, not 1 and {len(ids)}"
    counted = project.sql(
        "select strftime(happened, '%Y-%m') as month, n from parts.counted order by 1"
    )
    expected = Counter(row[1][:7] for row in rows)
    if counted.to_pylist() != [{"month": m, "n": expected[m]} for m in MONTHS if expected[m]]:
        yield f"parts.counted is {counted.to_pylist()}, not {sorted(expected.items())}"
    for asset in ("parts.monthly", "parts.counted"):
        built = project.partitions(asset).built.text()
        if built != f"{MONTHS[0]}..{MONTHS[-1]}":
            yield f"{asset} has {built} built"


def _effects(project: Project) -> Iterator[str]:
    """What was published had run, and no attempt was published under two versions."""
    marks = [line.split() for line in (project.folder / "effects.log").read_text().splitlines()]
    tokens = Counter(token for name, token, _run, _attempt in marks if name == "judged")
    attempts = Counter((run, attempt) for name, _, run, attempt in marks if name == "judged")
    for (run, attempt), count in attempts.items():
        if count > 1 and not _may_repeat(project):
            yield f"attempt {attempt} of run {run} ran {count} times"
    published: list[tuple[str, str]] = []
    judged = AssetKey.parse("marts.judged")
    for commit in reversed(project.lake.log("main", limit=ALL)):
        entry = project.lake.entries(commit.id).get(judged)
        version = "" if entry is None else entry.provenance.data_version
        if not version or (published and published[-1][0] == version):
            continue
        found = project.sql("select token from marts.judged", at=commit.id).to_pydict()["token"]
        if len(found) != 1 or tokens[found[0]] != 1:
            yield f"{commit.id[:8]} has tokens {found}, of which the step knows {tokens[found[0]]}"
        published.append((version, found[0]))
    for index, what in enumerate(("versions", "attempts")):
        twice = [one for one, count in Counter(p[index] for p in published).items() if count > 1]
        if twice:
            yield f"{what} of marts.judged were published twice: {twice}"


def _may_repeat(project: Project) -> bool:
    """A step on an executor goes to another worker within one attempt when its worker is lost."""
    return "executor" in (project.folder / "models/marts/python.py").read_text()
