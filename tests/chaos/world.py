# SPDX-License-Identifier: Apache-2.0
"""What a seed stands for: a small project, who works on it, and the accidents that befall them.

Pure, and the same for a seed for ever; how long things take is the machine's own doing.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

MONTHS = [f"2024-{number:02}" for number in range(1, 7)]
MOMENTS = 110
"""Accidents happen within so many events of servers."""
ROWS = 12
"""Events in a file."""

SETTINGS = """\
name: chaos
lake: {database: "<database>", warehouse: "<folder>/files"}
pools: {narrow: 1, wide: 2}
executors:
  far: {type: remote}
  cores: {type: dask, workers: 1}
serve: {max_runs: 3, lease: 1s, grace: <grace>, attempts: 20}
"""
SCHEDULE = """\
jobs:
  often: {select: staging.events+, every: 1s, catchup: <catchup>}
"""
INGEST = """\
type: files
path: data/
into: raw
tables:
  events: {files: "events*.csv", write: append}
  control: {files: "control.csv", write: replace}
"""
EVENTS = """\
/* ---
materialized: table
checks: [{unique: id}, {row_count: {equal_to: raw.events}}]
--- */
select id, happened, amount from raw.events
"""
TOTALS = """\
/* ---
materialized: table
--- */
select count(*) as n, sum(amount) as amount from staging.events
"""
SEEN = """\
/* ---
materialized: incremental
--- */
select id, amount from raw.events where {{ newer_than('id') }}
"""
GUARDED = """\
/* ---
materialized: table
checks: [{min: {column: ok, equal_to: 1}}]
--- */
select ok, (select count(*) from staging.events) as n from raw.control
"""
MONTHLY = """\
/* ---
materialized: table
partitions: {by: month, column: happened, start: 2024-01-01, end: 2024-07-01}
checks: [{unique: id}]
--- */
select happened, id, amount from raw.events
"""
PYTHON = """\
import os
import random
import time
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from mainstem import asset
from mainstem.partitions import monthly

HERE = Path("<folder>")


def _leave_a_mark(name, context, token):
    line = f"{name} {token} {context.run_id} {context.attempt}\\n".encode()
    file = os.open(HERE / "effects.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line)
    os.close(file)


@asset(namespace="marts", inputs={"events": "staging.events"}, <options>)
def judged(events: pa.Table, context) -> pa.Table:
    token = uuid.uuid4().hex
    chance = random.Random(f"<seed>/{context.run_id}/{context.attempt}")
    time.sleep(chance.uniform(0, <slow>))
    _leave_a_mark("judged", context, token)
    if chance.random() < <failing>:
        raise ConnectionResetError("the world is like that")
    amount = pc.sum(events["amount"]).as_py()
    return pa.table({"token": [token], "n": [events.num_rows], "amount": [amount]})
"""
COUNTED_IN_PYTHON = """\


@asset(
    namespace="parts", inputs={"monthly": "parts.monthly"}, pool="wide",
    partitions=monthly("2024-01-01", column="happened", end="2024-07-01"),
)
def counted(monthly: pa.Table, context) -> pa.Table:
    _leave_a_mark("counted", context, context.partition.key)
    first = monthly["happened"].slice(0, 1)
    return pa.table({"happened": first, "n": [monthly.num_rows] * len(first)})
"""
COUNTED = """\
/* ---
materialized: table
pool: wide
partitions: {by: month, column: happened, start: 2024-01-01, end: 2024-07-01}
--- */
select min(happened) as happened, count(*) as n from parts.monthly
having count(*) > 0
"""
SELECTIONS = [(), (), ("staging.events+",), ("marts.judged",), ("parts.monthly+",), ("marts.seen",)]
FAULTS = {
    "kill_server": 5,
    "kill_server_in_commit": 5,
    "stop_server": 5,
    "term_server": 2,
    "kill_worker": 4,
    "stop_worker": 2,
    "hold_database": 2,
}
"""Accidents on any database, with their weights."""
ON_POSTGRES = {"restart_postgres": 2, "cut_connections": 3}
OF_REMOTE = {"kill_remote": 8, "stop_remote": 5}


@dataclass(frozen=True, kw_only=True)
class Act:
    """Something that happens in a world."""

    after: int
    """What servers have told by then: events, of which a run over all has about fifty."""
    what: str
    number: int = 0
    """Which server or worker (modulo how many there are), or file."""
    lasts_s: float = 0.0
    select: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class World:
    """All that a seed decides."""

    seed: int
    servers: int
    executor: str
    """Of the Python step: empty, `far` or `cores`."""
    acts: tuple[Act, ...]
    deaths: tuple[int, ...]
    """Writes after which servers die of themselves, as they are started; 0: not at all."""
    settings: str
    python: str
    ends_with_a_kill: bool
    """All servers are killed at the end, and a fresh one finishes."""

    @property
    def faults(self) -> list[str]:
        """The accidents by kind."""
        peaceful = {"launch", "file", "backfill", "control", "pause", "cancel"}
        kinds = [act.what for act in self.acts if act.what not in peaceful]
        return kinds + ["kill_server_in_commit" for number in self.deaths if number]


def draw(seed: int, *, on_postgres: bool) -> World:
    """Draw the world of a seed.

    Args:
        seed: Any number.
        on_postgres: The database is a server, which may fall too.
    """
    chance = random.Random(seed)
    servers = chance.choice([1, 1, 2])
    executor = chance.choices(["", "far", "cores"], [32, 7, 1])[0]
    acts = [Act(after=0, what="launch")]
    acts += [_work(chance) for _ in range(chance.randint(3, 7))]
    files = sorted(chance.randint(0, MOMENTS) for _ in range(chance.randint(1, 4)))
    acts += [Act(after=at, what="file", number=number) for number, at in enumerate(files, 1)]
    acts += [
        Act(after=chance.randint(0, MOMENTS), what="control", number=number) for number in (0, 1)
    ]
    weights = {**FAULTS, **(ON_POSTGRES if on_postgres else {})}
    weights |= OF_REMOTE if executor == "far" else {}
    kinds = chance.choices(list(weights), list(weights.values()), k=chance.randint(2, 5))
    acts += [_accident(chance, kind) for kind in kinds if kind != "kill_server_in_commit"]
    deaths = [
        chance.choice([chance.randint(1, 12), chance.randint(5, 90)])
        for _ in range(kinds.count("kill_server_in_commit"))
    ]
    chance.shuffle(deaths := [*deaths, 0])
    catchup = chance.choice(["", "", "latest", "all"])
    options = {"pool": "narrow", "retries": 4, "retry_delay": "50ms"}
    if executor:
        options["executor"] = executor
    counts_in_python = chance.random() < 0.25
    python = _filled(
        PYTHON + (COUNTED_IN_PYTHON if counts_in_python else ""),
        options=", ".join(f"{key}={value!r}" for key, value in options.items()),
        slow=chance.choice([0.05, 0.3, 1.0]),
        failing=chance.choice([0, 0.2, 0.4]),
        seed=seed,
    )
    settings = SETTINGS + (SCHEDULE if catchup else "")
    return World(
        seed=seed,
        servers=servers,
        executor=executor,
        acts=tuple(sorted(acts, key=lambda act: act.after)),
        deaths=tuple(deaths),
        settings=_filled(settings, catchup=catchup, grace=chance.choice(["1s", "100ms"])),
        python=python,
        ends_with_a_kill=chance.random() < 0.5,
    )


def _work(chance: random.Random) -> Act:
    after = chance.choice([0, chance.randint(0, MOMENTS)])
    kind = chance.choices(["launch", "backfill", "pause", "cancel"], [12, 3, 1, 1])[0]
    if kind == "launch":
        return Act(
            after=after, what=kind, select=chance.choice(SELECTIONS), number=chance.randint(0, 1)
        )
    return Act(after=after, what=kind, number=chance.randint(1, 4))


def _accident(chance: random.Random, kind: str) -> Act:
    # Short of the lease, past it, and past what a claim or a hold lasts.
    lasts = chance.choice([0.3, 1.5, 2.6])
    return Act(
        after=chance.randint(0, MOMENTS), what=kind, number=chance.randint(0, 7), lasts_s=lasts
    )


def events_of(seed: int, number: int) -> list[tuple[int, str, int]]:
    """Give the rows of a file: id, time, amount."""
    chance = random.Random(f"{seed}/{number}")
    months = chance.sample(MONTHS, k=chance.randint(1, len(MONTHS)))
    return [
        (
            number * ROWS + n,
            f"{chance.choice(months)}-{chance.randint(1, 28):02} 10:00:00",
            chance.randint(1, 99),
        )
        for n in range(ROWS)
    ]


def files_of(world: World, folder: str, database: str) -> dict[str, str]:
    """Give the files of the project as it begins."""
    python = _filled(world.python, folder=folder)
    files = {
        "mainstem.yml": _filled(world.settings, database=database, folder=folder),
        "ingest/raw.yml": INGEST,
        "models/staging/events.sql": EVENTS,
        "models/marts/totals.sql": TOTALS,
        "models/marts/seen.sql": SEEN,
        "models/marts/guarded.sql": GUARDED,
        "models/parts/monthly.sql": MONTHLY,
        "models/marts/python.py": python,
        "data/control.csv": "ok\n1\n",
        "data/events000.csv": csv_of(world.seed, 0),
    }
    if "counted" not in python:
        files["models/parts/counted.sql"] = COUNTED
    return files


def csv_of(seed: int, number: int) -> str:
    """Give a file of events."""
    lines = [f"{id_},{at},{amount}" for id_, at, amount in events_of(seed, number)]
    return "id,happened,amount\n" + "\n".join(lines) + "\n"


def _filled(text: str, **values: object) -> str:
    for name, value in values.items():
        text = text.replace(f"<{name}>", str(value))
    return text
