# SPDX-License-Identifier: Apache-2.0
"""What a server says while it works, and its queue, as lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mainstem.cli.render.grid import grid
from mainstem.cli.render.look import Look, Mark
from mainstem.cli.render.words import moment, seconds
from mainstem.runs import RunFinished, RunStarted, StepFinished
from mainstem.service import ServerEvent
from mainstem.state import Launch
from mainstem.types import plural

_MARK: dict[str, Mark] = {"succeeded": "ok", "cancelled": "skip", "requeued": "skip"}
_SERVER = {
    "leading": "leads: schedules and launches are this server's now",
    "standby": "stands by: another server leads",
    "stopping": "stopping: nothing new is started",
}


def event_lines(event: ServerEvent, look: Look) -> list[str]:
    """Say what a person who watches a server wants to know; nothing for the rest."""
    match event.topic:
        case "server":
            text = _SERVER.get(event.name) or f"in trouble: {event.facts.get('summary', '')}"
            return [text]
        case "launch":
            return _launch_lines(event, look)
        case "run":
            return _run_lines(event, look)
        case "project":
            return [_project_line(event, look)]
        case "trigger":
            return [f"{look.mark('fail')} {event.facts['trigger']}: {event.facts['error']}"]
        case _:
            return []


def queue_lines(launches: Sequence[Launch], look: Look, *, now: datetime) -> list[str]:
    """List launches, newest first."""
    rows = [
        (
            f"launch {launch.id}",
            launch.status + (" (stopping)" if _is_stopping(launch) else ""),
            _asked_by(launch),
            _what(launch),
            launch.request.priority or "",
            moment(launch.requested_at, now),
            "" if launch.run_id is None else f"run {launch.run_id}",
            launch.error.splitlines()[0] if launch.error else "",
        )
        for launch in launches
    ]
    names = ("launch", "status", "by", "what", "priority", "asked (UTC)", "became", "error")
    return grid(names, rows, look=look, rule=False)


def _is_stopping(launch: Launch) -> bool:
    return launch.status == "running" and launch.cancel_requested


def _asked_by(launch: Launch) -> str:
    request = launch.request
    return f"{request.origin} {request.source}".strip()


def _what(launch: Launch) -> str:
    request = launch.request
    what = request.job or " ".join(request.select) or "everything"
    return f"{what} on {request.branch}" if request.branch else what


def _launch_lines(event: ServerEvent, look: Look) -> list[str]:
    name = f"launch {event.launch_id}"
    match event.name:
        case "finished":
            status = str(event.facts.get("status", ""))
            error = str(event.facts.get("error", ""))
            if event.run_id is not None and not error:
                return []  # its run has said so
            mark = look.mark(_MARK.get(status, "fail"))
            return [f"{mark} {name} {status}{f': {error}' if error else ''}"]
        case "requeued":
            return [f"{look.mark('skip')} {name} waits again: its server went away"]
        case "lost":
            return [f"{look.mark('skip')} {name} was taken over by another server"]
        case _:
            return []


def _run_lines(event: ServerEvent, look: Look) -> list[str]:
    name = f"run {event.run_id}"
    match event.run_event:
        case RunStarted() as started:
            steps = plural(started.step_count, "step")
            return [f"{name} began: launch {event.launch_id}, {steps} for {started.branch}"]
        case StepFinished(status="failed" | "held") as step:
            where = None if step.error is None else step.error.where
            place = f" ({where})" if where is not None and where.file else ""
            return [f"{look.mark('fail')} {name} {step.key} {step.status}: {step.reason}{place}"]
        case RunFinished() as finished if finished.run_id:
            mark = look.mark(_MARK.get(finished.status, "fail"))
            published = plural(len(finished.published), "asset")
            took = seconds(finished.elapsed_s)
            return [f"{mark} {name} {finished.status} in {took}, {published} published"]
        case _:
            return []


def _project_line(event: ServerEvent, look: Look) -> str:
    files = ", ".join(event.facts["files"]) or "project"
    problems: Sequence[Mapping[str, Any]] = event.facts["problems"]
    if not problems:
        return f"{look.mark('ok')} {files} reloaded"
    found = plural(len(problems), "error")
    return f"{look.mark('fail')} {files}: {found}; what was loaded before stays in use"
