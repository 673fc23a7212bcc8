# SPDX-License-Identifier: Apache-2.0
"""The answer to `why` as lines: what happened, then what may."""

from __future__ import annotations

from mainstem.cli.render.look import Look
from mainstem.project import Fact, Why


def why_lines(why: Why, look: Look) -> list[str]:
    """Show the facts in the order of cause and effect."""
    name = f"{why.asset}@{why.partition}" if why.partition else str(why.asset)
    return [
        f"{look.paint(name, 'bold')} · branch {why.branch}",
        look.paint("last", "bold"),
        *_indented(why.last),
        look.paint("next", "bold"),
        *(_indented(why.next) or ["  nothing keeps it, and nothing launches it by itself"]),
    ]


def _indented(facts: tuple[Fact, ...]) -> list[str]:
    lines = []
    for fact in facts:
        when = f"{fact.at:%Y-%m-%d %H:%M:%S} UTC  " if fact.at is not None else ""
        lines.append(f"  {fact.kind:<10} {when}{fact.text}")
    return lines
