# SPDX-License-Identifier: Apache-2.0
"""No-op assets in Dagster, in one process, with its SQLite store: `SHAPE COUNT`, `DAGSTER_HOME` set."""

import json
import os
import resource
import sys
from pathlib import Path

from dagster import AssetsDefinition, DagsterInstance, asset, materialize


def parents(shape, count):
    if shape == "chain":
        return [[n - 1] if n else [] for n in range(count)]
    return [[0] if n else [] for n in range(count + 1)]


def noop(number, before) -> AssetsDefinition:
    @asset(name=f"s{number}", deps=[f"s{parent}" for parent in before])
    def build() -> None:
        return None

    return build


def main(shape, count):
    assets = [noop(n, before) for n, before in enumerate(parents(shape, count))]
    instance = DagsterInstance.get()
    start = cpu()
    result = materialize(assets, instance=instance)
    used = cpu() - start
    assert result.success
    done = instance.get_run_step_stats(result.run_id)
    recorded = sum(step.status.value == "SUCCESS" for step in done)
    files = [path for path in Path(os.environ["DAGSTER_HOME"]).rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files if ".db" in path.name)
    print(json.dumps({"cpu_s": used, "recorded": recorded, "bytes": size}))


def cpu():
    mine = resource.getrusage(resource.RUSAGE_SELF)
    theirs = resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
