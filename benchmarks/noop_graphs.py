# SPDX-License-Identifier: Apache-2.0
"""No-op graphs on our run engine, in this process: `python noop_graphs.py SHAPE COUNT`.

A real lake, a real plan, the real driver with its leases and records; only the steps do nothing.
Prints one JSON document: CPU seconds from the plan to the end of the run, steps that the store
has as built, and bytes of the store.
"""

import gc
import json
import random
import resource
import sqlite3
import sys
import tempfile
from pathlib import Path

from mainstem.database import open_database
from mainstem.graph import Asset, Graph, PlanOptions, PlanRequest, make_plan
from mainstem.lake import Lake
from mainstem.runs import RunOptions, Services, StepOutcome, execute, gather_facts
from mainstem.types import AssetKey, SystemClock


def parents(shape, count):
    """Give for each node the positions of those before it."""
    match shape:
        case "chain":
            return [[n - 1] if n else [] for n in range(count)]
        case "fan":
            return [[0] if n else [] for n in range(count + 1)]
        case "diamond":
            return [[], *([0] for _ in range(count - 2)), list(range(1, count - 1))]
    raise SystemExit(f"no shape {shape}")


class Noop:
    def __init__(self, asset):
        self.outputs = (asset.key,)
        self.inputs = ()

    def execute(self, _context):
        return StepOutcome()


def main(shape, count):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clock = SystemClock()
        keys = [AssetKey("main", f"s{n}") for n in range(count + 1)]
        graph = Graph.build(
            Asset(
                key=keys[n],
                kind="python",
                materialized="none",
                after=tuple(keys[parent] for parent in before),
                code_version=str(n),
                volatile="returns nothing",
            )
            for n, before in enumerate(parents(shape, count))
        )
        database = open_database(str(folder / "lake.db"))
        lake = Lake.open(database, str(folder / "warehouse"), clock=clock)
        services = Services(
            graph=graph,
            lake=lake,
            database=database,
            step_of=lambda asset, _: Noop(asset),
            gates_of=lambda _: (),
            clock=clock,
            random=random.random,
        )
        start = cpu()
        facts = gather_facts(
            database, entries=lake.entries("main"), branch="main", clock=clock, observe=None
        )
        plan = make_plan(graph, PlanRequest(project="noops", branch="main"), facts)
        planned = cpu()
        finished = execute(plan, services, options=RunOptions(plan=PlanOptions()))
        ended = cpu()
        assert finished.status == "succeeded", finished
        database.close()
        with sqlite3.connect(folder / "lake.db") as store:
            (recorded,) = store.execute(
                "select count(*) from step where status = 'built'"
            ).fetchone()
        size = sum(path.stat().st_size for path in folder.glob("lake.db*"))
    print(
        json.dumps(
            {"cpu_s": ended - start, "plan_s": planned - start, "recorded": recorded, "bytes": size}
        )
    )


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    gc.set_threshold(300_000, 20, 20)  # as the program does
    main(sys.argv[1], int(sys.argv[2]))
