# SPDX-License-Identifier: Apache-2.0
"""No-op tasks in a Prefect flow on its temporary server: `SHAPE COUNT`, `PREFECT_HOME` set.

A flow of one task runs first: the server's start is none of what is measured. Its store is read by
whoever calls this, after the process has ended: states travel to it in the background.
"""

import json
import os
import resource
import sys
from pathlib import Path

from prefect import flow, task


@task
def noop(_before=None):
    return None


@flow(log_prints=False)
def chain(count):
    before = None
    for _ in range(count):
        before = noop(before)


@flow(log_prints=False)
def fan(count):
    root = noop.submit()
    for each in [noop.submit(root) for _ in range(count)]:
        each.result()


def main(shape, count):
    chain(1)
    start = cpu()
    {"chain": chain, "fan": fan}[shape](count)
    print(json.dumps({"cpu_s": cpu() - start}))


def cpu():
    """Give the CPU seconds of this process and of the server below it, which is still running."""
    mine = resource.getrusage(resource.RUSAGE_SELF)
    return mine.ru_utime + mine.ru_stime + sum(_alive(pid) for pid in _children())


def _children():
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def _alive(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
