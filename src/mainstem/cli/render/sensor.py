# SPDX-License-Identifier: Apache-2.0
"""Sensors, what they answered, and deliveries to hooks, as lines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mainstem.automation import Delivery, Hook, SensorStatus
from mainstem.cli.render.grid import grid
from mainstem.cli.render.look import Look
from mainstem.cli.render.words import moment, shorten, size
from mainstem.types import SensorAnswer, duration_text, plural


def sensor_lines(statuses: Sequence[SensorStatus], look: Look, *, now: datetime) -> list[str]:
    """List sensors: what they watch, and what the last look gave."""
    rows = [
        (
            status.name,
            "on" if status.is_on else "off",
            status.watches,
            duration_text(status.every),
            _last(status, now),
        )
        for status in statuses
    ]
    return grid(
        ("sensor", "is", "watches", "every", "last look (UTC)"), rows, look=look, rule=False
    )


def answer_lines(answer: SensorAnswer) -> list[str]:
    """Say what a look gave, above the plans of what it would launch."""
    lines = [f"{plural(len(answer.requests), 'run')} asked for"]
    if answer.skip:
        lines.append(f"why none: {answer.skip}")
    if answer.cursor is not None:
        lines.append(f"cursor would be: {shorten(answer.cursor, 200)}")
    return lines


def hook_lines(hooks: Sequence[Hook], look: Look) -> list[str]:
    """List hooks: where they are called, and what they launch."""
    rows = [
        (
            f"/hooks/{hook.name}",
            "on" if hook.enabled else "off",
            hook.scheme,
            f"job {hook.target.job}" if hook.target.job else " ".join(hook.target.select),
        )
        for hook in hooks
    ]
    return grid(("path", "is", "signed as", "launches"), rows, look=look, rule=False)


def delivery_lines(deliveries: Sequence[Delivery], look: Look, *, now: datetime) -> list[str]:
    """List what came to a hook."""
    rows = [
        (
            f"delivery {item.id}",
            moment(item.received_at, now),
            size(len(item.body.encode())),
            f"launch {item.launch_id}" if item.launch_id is not None else "",
            f"came again {plural(item.repeats, 'time')}" if item.repeats else "",
        )
        for item in deliveries
    ]
    return grid(("delivery", "came (UTC)", "body", "see", ""), rows, look=look, rule=False)


def _last(status: SensorStatus, now: datetime) -> str:
    if status.last is None:
        return ""
    tick = status.last
    text = f"{moment(tick.evaluated_at, now)} {tick.outcome}"
    if status.failures > 1:
        text += f" ({status.failures} times in a row)"
    return text + (f": {tick.reason}" if tick.reason else "")
