# SPDX-License-Identifier: Apache-2.0
"""Past runs as lines: the list, one in detail, its log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mainstem.cli.render.checks import title_of
from mainstem.cli.render.grid import grid
from mainstem.cli.render.harmless import harmless
from mainstem.cli.render.look import Look, Mark
from mainstem.cli.render.words import moment, seconds, size
from mainstem.project import LogEntry, RunDetail, RunRecord, StepRecord
from mainstem.types import plural

_MARK: dict[str, Mark] = {
    "succeeded": "ok",
    "nothing_to_do": "ok",
    "held": "fail",
    "failed": "fail",
    "crashed": "fail",
    "cancelled": "skip",
    "running": "skip",
    "built": "ok",
    "read": "ok",
    "linked": "ok",
    "unchanged": "ok",
    "skipped": "skip",
}


def run_list_lines(runs: Sequence[RunRecord], look: Look, *, now: datetime) -> list[str]:
    """List runs, newest first."""
    rows = [
        (
            f"run {run.id}",
            run.status,
            run.environment,
            run.branch,
            moment(run.started_at, now),
            _took(run),
            run.commit_id[:8],
            run.run_branch,
        )
        for run in runs
    ]
    names = ("run", "status", "environment", "branch", "began (UTC)", "took", "commit", "see")
    return grid(names, rows, look=look, rule=False)


def run_detail_lines(detail: RunDetail, look: Look) -> list[str]:
    """Show one run: its steps, and every check that did not pass."""
    run = detail.run
    head = [look.paint(f"run {run.id}", "bold"), run.status, run.environment]
    head += [f"branch {run.branch}", f"{run.started_at:%Y-%m-%d %H:%M:%S} UTC"]
    if run.commit_id:
        head.append(f"commit {run.commit_id[:8]}")
    if run.git:
        head.append(f"git {run.git}")
    lines = [" · ".join(head)]
    width = max((len(str(step.key)) for step in detail.steps), default=0) + 4
    for step in detail.steps:
        rows = plural(step.row_count, "row") if step.row_count is not None else ""
        sign = "+" if step.is_increment and rows else ""
        notes = [step.reason, *step.notes, *step.warnings]
        if step.error is not None:
            summary = str(step.error.get("summary", ""))
            notes = [summary, *(note for note in notes if note != summary)]
        lines.append(
            f"  {look.mark(_MARK.get(step.status, 'skip'))} {step.key!s:<{width}}"
            f"{step.status:<10}{sign + rows:>14}   {seconds(step.elapsed_s):<8}{_took_of(step):<30}"
            f"{', '.join(note for note in notes if note)}".rstrip()
        )
    bad = [check for check in detail.checks if check.verdict not in {"passed", "proven"}]
    lines.append(f"{plural(len(detail.checks), 'check')}, {len(detail.checks) - len(bad)} passed")
    lines += [
        f"  {check.verdict:<8} {check.asset}: {check.message or title_of(check.check_id)}"
        for check in bad
    ]
    if any(step.error is not None for step in detail.steps):
        lines.append(f"what failed, in full: mainstem runs log {run.id}")
    return lines


def log_lines(entries: Sequence[LogEntry], look: Look) -> list[str]:
    """Render lines of a run's log with their time and step."""
    lines = []
    for entry in entries:
        first, *more = [harmless(line) for line in entry.text.splitlines()] or [""]
        lines.append(f"{look.paint(f'{entry.at:%H:%M:%S}', 'dim')} {entry.asset or 'run'}: {first}")
        lines += [f"{'':<8} {line}" for line in more]
    return lines


def _took_of(step: StepRecord) -> str:
    """Say what a step wrote and used; `~` where others used the process at the same time."""
    parts = [size(step.size_bytes)] if step.size_bytes else []
    usage = step.usage
    if usage is not None:
        about = "~" if usage.measured == "shared" else ""
        parts.append(f"{about}{seconds(usage.cpu_s)} CPU")
        if usage.peak_memory is not None:
            parts.append(f"{about}{size(usage.peak_memory)} peak")
    return ", ".join(parts)


def _took(run: RunRecord) -> str:
    if run.finished_at is None:
        return ""
    return seconds((run.finished_at - run.started_at).total_seconds())
