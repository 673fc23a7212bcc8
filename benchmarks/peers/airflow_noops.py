# SPDX-License-Identifier: Apache-2.0
"""A chain of no-op tasks in Airflow by `dag.test()`: `COUNT`, `AIRFLOW_HOME` set and migrated."""

import json
import resource
import sys
from datetime import UTC, datetime

from airflow.sdk import DAG, task

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 10

with DAG("noops", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:

    @task
    def noop():
        return None

    before = None
    for _ in range(COUNT):
        each = noop()
        if before is not None:
            before >> each
        before = each


def cpu():
    mine = resource.getrusage(resource.RUSAGE_SELF)
    theirs = resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime


if __name__ == "__main__":
    start = cpu()
    run = dag.test()
    used = cpu() - start
    states = [str(each.state) for each in run.get_task_instances()]
    print(json.dumps({"cpu_s": used, "recorded": states.count("success")}))
