# SPDX-License-Identifier: Apache-2.0
"""In the worker: part rows that break a `quarantine: true` check from the others, with SQL.

The columns added are those that `mainstem.models.quarantine` gives rejected rows of SQL models.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

from mainstem.models.worker.frames import engine_of

Rules = tuple[tuple[str, str], ...]


def part(table: pa.Table, rules: Rules, *, run_id: int, root: Path) -> tuple[pa.Table, pa.Table]:
    """Part rows.

    Args:
        table: The rows.
        rules: Id of a check, and SQL over the columns that is true for a bad row.
        run_id: Noted with each bad row.
        root: The project folder, for what queries spill.

    Returns:
        The good rows; the bad ones with `quarantine_reason` and `quarantine_run`.
    """
    conditions = [(check, f"coalesce(({predicate}), false)") for check, predicate in rules]
    is_bad = " or ".join(condition for _, condition in conditions)
    reasons = ", ".join(
        f"case when {condition} then {_text(check)} end" for check, condition in conditions
    )
    with ExitStack() as opened:
        session = opened.enter_context(engine_of(root).session())
        session.register_arrow("mainstem_rows", table)
        good = session.arrow(f"select * from mainstem_rows where not ({is_bad})")
        bad = session.arrow(
            f"select *, concat_ws(', ', {reasons}) as quarantine_reason, "
            f"cast({int(run_id)} as bigint) as quarantine_run from mainstem_rows where {is_bad}"
        )
    return good, bad


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
