# SPDX-License-Identifier: Apache-2.0
"""A plan as lines (GRAMMAR 6)."""

from __future__ import annotations

from collections.abc import Sequence

from mainstem.cli.render.look import Look, Paint
from mainstem.cli.render.words import about_seconds, count
from mainstem.graph import ColumnChange, Plan, PlannedAsset
from mainstem.types import plural

_PAINT: dict[str, Paint] = {
    "read": "blue",
    "build": "green",
    "link": "blue",
    "skip": "yellow",
    "fresh": "dim",
    "keep": "dim",
}
_SIGN = {"added": "+", "dropped": "-", "type changed": "~", "logic changed": "~"}
_UNTOUCHED = ("fresh", "keep", "skip")


def plan_lines(plan: Plan, look: Look, *, show_all: bool = False) -> list[str]:
    """Render what a run would do and why; fresh assets are counted unless `show_all`."""
    shown = [item for item in plan.assets if show_all or item.action != "fresh"]
    fresh = [item for item in plan.assets if item.action == "fresh"]
    hidden = 0 if show_all else len(fresh)
    hidden_text = plural(hidden, "asset")
    names = [str(item.key) for item in shown] + ([hidden_text] if hidden else [])
    key_width = max((len(name) for name in names), default=0) + 5
    estimated = [len(item.reason) for item in shown if _estimate(item)]
    reason_width = max(estimated, default=0) + 5
    lines = [head_line(plan, look)]
    for item in sorted(shown, key=lambda item: item.action in _UNTOUCHED):
        lines += _asset_lines(item, look, key_width, reason_width)
    if hidden:
        text = f"  {look.paint('fresh', 'dim')}  {hidden_text:<{key_width}}`--all` lists them"
        keep = next((at for at, line in enumerate(lines) if "  keep   " in line), len(lines))
        lines.insert(keep, text)
    lines += _column_lines(plan.columns, look)
    lines.append(_total_line(plan))
    return lines


def head_line(plan: Plan, look: Look) -> str:
    """Say where a command acts: project, environment, branch and commit, git."""
    commit = f"@{plan.base_commit[:8]}" if plan.base_commit else ""
    parts = [look.paint(plan.project, "bold"), plan.environment, f"branch {plan.branch}{commit}"]
    if plan.git:
        parts.append(f"git {plan.git}")
    return " · ".join(parts)


def _asset_lines(item: PlannedAsset, look: Look, key_width: int, reason_width: int) -> list[str]:
    action = look.paint(item.action, _PAINT[item.action]) + " " * (7 - len(item.action))
    estimate = _estimate(item)
    reason = f"{item.reason:<{reason_width}}{estimate}" if estimate else item.reason
    lines = [f"  {action}{item.key!s:<{key_width}}{reason}".rstrip()]
    return lines + [" " * (9 + key_width) + detail for detail in item.details]


def _estimate(item: PlannedAsset) -> str:
    parts = []
    if item.estimated_rows is not None:
        parts.append(f"~{plural(item.estimated_rows, 'row')}")
    if item.estimated_seconds is not None:
        parts.append(about_seconds(item.estimated_seconds))
    return ", ".join(parts)


def _column_lines(columns: Sequence[ColumnChange], look: Look) -> list[str]:
    if not columns:
        return []
    names = [f"{_SIGN[change.change]} {change.key.name}.{change.column}" for change in columns]
    width = max(map(len, names)) + 3
    lines = []
    for at, (change, name) in enumerate(zip(columns, names, strict=True)):
        if change.breaks:
            effect = look.paint(f"breaks {', '.join(change.breaks)}", "red")
        elif change.may_break:
            effect = look.paint(f"may break {', '.join(change.may_break)} (Python)", "yellow")
        elif change.change == "logic changed":
            effect = "its values are computed differently"
        else:
            effect = "nothing downstream breaks"
        lines.append(f"{'columns' if at == 0 else '':<9}{name:<{width}}{effect}")
    return lines


def _total_line(plan: Plan) -> str:
    by_action = {
        action: sum(item.action == action for item in plan.assets)
        for action in ("read", "build", "link")
    }
    untouched = len(plan.assets) - sum(by_action.values())
    if not plan.work:
        skipped = sum(item.action == "skip" for item in plan.assets)
        current = untouched - skipped
        verb = "is" if current == 1 else "are"
        parts = [f"{plural(current, 'asset')} {verb} up to date"] if current else []
        parts += [f"{count(skipped)} skipped"] if skipped else []
        return f"Nothing to do: {', '.join(parts) or 'the project has no assets'}."
    parts = [
        f"{plural(by_action['read'], 'source')} to read" if by_action["read"] else "",
        f"{count(by_action['build'])} to build" if by_action["build"] else "",
        f"{count(by_action['link'])} to link" if by_action["link"] else "",
        f"{count(untouched)} untouched" if untouched else "",
    ]
    times = [item.estimated_seconds for item in plan.work if item.estimated_seconds is not None]
    about = f"; about {about_seconds(sum(times))}" if times else ""
    text = ", ".join(part for part in parts if part)
    return f"{text}{about}. Nothing was changed. `mainstem run` does this."
