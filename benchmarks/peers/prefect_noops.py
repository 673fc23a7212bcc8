# SPDX-License-Identifier: Apache-2.0
"""No-op tasks in a Prefect flow against a running server: `SHAPE COUNT`, `PREFECT_API_URL` set.

A flow of one task runs first: imports and first connections are none of what is measured. Prints
the CPU seconds of this process alone; whoever calls this adds the server's, and counts what its
store has, since states travel there in the background.
"""

import json
import resource
import sys

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
    mine = resource.getrusage(resource.RUSAGE_SELF)
    return mine.ru_utime + mine.ru_stime


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
