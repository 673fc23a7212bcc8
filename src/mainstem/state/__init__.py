# SPDX-License-Identifier: Apache-2.0
"""What is remembered of runs, beside what the lake holds: functions over an open transaction.

No transaction is opened here, so that `runs` can move state and tables in one. Called by `runs`,
and by `project` for listings.
"""

from mainstem.state.lease import (
    Held,
    Lease,
    acquire,
    compare_fences,
    leases,
    release,
    renew,
    steal,
)
from mainstem.state.migrations import MIGRATIONS
from mainstem.state.plans import plan_of, save_plan
from mainstem.state.process import ProcessIdentity
from mainstem.state.results import add_check_results, check_results, last_verdicts
from mainstem.state.run import (
    RunRecord,
    StepRecord,
    add_event,
    events,
    finish_run,
    insert_run,
    last_built_at,
    last_step,
    prune_history,
    publishing_runs,
    run_of,
    runs,
    save_steps,
    steps,
    unfinished_runs,
)
from mainstem.state.system import SYSTEM_TABLES
from mainstem.state.tombstone import (
    add_tombstones,
    clear_tombstones,
    reverted_commits,
    tombstones,
)
from mainstem.state.version import (
    StoredVersion,
    add_versions,
    codes_of_texts,
    expire_versions,
    linkable_commits,
    mark_published,
    parts_of,
    save_parts,
    save_texts,
    versions_of,
)

__all__ = [
    "MIGRATIONS",
    "SYSTEM_TABLES",
    "Held",
    "Lease",
    "ProcessIdentity",
    "RunRecord",
    "StepRecord",
    "StoredVersion",
    "acquire",
    "add_check_results",
    "add_event",
    "add_tombstones",
    "add_versions",
    "check_results",
    "clear_tombstones",
    "codes_of_texts",
    "compare_fences",
    "events",
    "expire_versions",
    "finish_run",
    "insert_run",
    "last_built_at",
    "last_step",
    "last_verdicts",
    "leases",
    "linkable_commits",
    "mark_published",
    "parts_of",
    "plan_of",
    "prune_history",
    "publishing_runs",
    "release",
    "renew",
    "reverted_commits",
    "run_of",
    "runs",
    "save_parts",
    "save_plan",
    "save_steps",
    "save_texts",
    "steal",
    "steps",
    "tombstones",
    "unfinished_runs",
    "versions_of",
]
