# SPDX-License-Identifier: Apache-2.0
"""Lineage as an indented tree."""

from __future__ import annotations

from collections.abc import Iterator

from mainstem.cli.render.look import Look
from mainstem.project import LineageNode


def lineage_lines(root: LineageNode, look: Look) -> list[str]:
    """Render a tree, the asset or column that was asked for on top."""
    rows = [(look_name, note) for look_name, note in _rows(root, "", "", look)]
    width = max(len(name) for name, _ in rows) + 3
    return [
        (f"{name:<{width}}{look.paint(note, 'dim')}" if note else name).rstrip()
        for name, note in rows
    ]


def _rows(node: LineageNode, lead: str, below: str, look: Look) -> Iterator[tuple[str, str]]:
    note = "see above" if node.is_repeated else node.note
    yield lead + node.name, note
    branch, last, line = ("├─ ", "└─ ", "│  ") if look.has_glyphs else ("|- ", "`- ", "|  ")
    for at, child in enumerate(node.next):
        is_last = at == len(node.next) - 1
        yield from _rows(
            child,
            below + (last if is_last else branch),
            below + ("   " if is_last else line),
            look,
        )
