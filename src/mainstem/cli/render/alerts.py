# SPDX-License-Identifier: Apache-2.0
"""Alerts as lines: who is told what, what was sent; failures by what they have in common. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from mainstem.cli.render.grid import grid
from mainstem.cli.render.look import Look
from mainstem.cli.render.words import moment
from mainstem.project import Alert, AlertRule, Failure
from mainstem.types import plural


def rule_lines(rules: Sequence[AlertRule]) -> list[str]:
    """List who is told what."""
    width = max((len(rule.name) for rule in rules), default=0)
    return [
        f"{rule.name:<{width}}  {rule.type:<8} on {', '.join(rule.events)}"
        + (f" of jobs {', '.join(rule.jobs)}" if rule.jobs else "")
        + (f" in {', '.join(rule.environments)}" if rule.environments else "")
        for rule in rules
    ]


def message_lines(messages: Sequence[Alert], look: Look, *, now: datetime) -> list[str]:
    """List messages, the latest first."""
    if not messages:
        return []
    rows = [
        (
            moment(one.created_at, now),
            one.alert,
            one.event,
            f"run {one.run_id}" if one.run_id else "",
            one.status,
            plural(one.attempts, "attempt"),
            one.error,
        )
        for one in messages
    ]
    names = ("when (UTC)", "alert", "event", "run", "status", "tried", "error")
    return grid(names, rows, look=look, rule=False)


def failure_lines(failures: Sequence[Failure], look: Look, *, now: datetime) -> list[str]:
    """Show failures, each once: what, how often, between which commits."""
    return [line for failure in failures for line in _failure_lines(failure, look, now)]


def _failure_lines(failure: Failure, look: Look, now: datetime) -> Iterator[str]:
    is_open = failure.fixed_at is None
    mark = look.mark("fail" if is_open else "ok")
    code = f" [{failure.code}]" if failure.code else ""
    yield f"{mark} {look.paint(failure.title, 'bold')}{code}  {failure.fingerprint}"
    yield f"    {failure.asset} on {failure.branch}: {failure.message}"
    times = f"{plural(failure.runs, 'run')}, first run {failure.first_run}"
    times += f" ({moment(failure.first_at, now)}), last run {failure.last_run}"
    yield f"    {times} ({moment(failure.last_at, now)})"
    if failure.good_run is not None:
        git = f", git {failure.good_git}" if failure.good_git else ""
        yield f"    last good: run {failure.good_run}{git}"
    if not is_open:
        git = f", git {failure.fixed_git}" if failure.fixed_git else ""
        yield f"    fixed: run {failure.fixed_run}{git}"
