# SPDX-License-Identifier: Apache-2.0
"""Rows as text in columns: results of queries, listings, samples of failing rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mainstem.cli.render.look import PLAIN, Look
from mainstem.cli.render.words import shorten

CELL_WIDTH = 60


def cell(value: Any) -> str:
    """Write one value on one line; null is empty, so that it differs from the word."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else repr(value)
    if isinstance(value, bytes):
        return value.hex()
    text = str(value)
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def grid(
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    look: Look = PLAIN,
    indent: int = 0,
    rule: bool = True,
) -> list[str]:
    """Lay out rows below their names; columns of numbers stand to the right.

    Args:
        names: Of the columns.
        rows: Values in the order of `names`.
        look: Where it goes.
        indent: Places to the left of each line.
        rule: Draw a line below the names.
    """
    if not names:
        return []
    texts = [[shorten(cell(value), CELL_WIDTH) for value in row] for row in rows]
    is_right = [_is_numeric([row[at] for row in rows]) for at in range(len(names))]
    widths = [max(len(name), *(len(row[at]) for row in texts), 0) for at, name in enumerate(names)]
    margin = " " * indent

    def line(cells: Sequence[str]) -> str:
        placed = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(cells, widths, is_right, strict=True)
        ]
        return (margin + "  ".join(placed)).rstrip()

    head = [look.paint(line(names), "bold")]
    if rule:
        head.append(look.paint(margin + "  ".join("-" * width for width in widths), "dim"))
    return [*head, *(line(row) for row in texts)]


def groups(rows: Sequence[Mapping[str, Any]], *, indent: int, width: int) -> list[str]:
    """Lay out few-columned rows in blocks side by side, as in GRAMMAR 6.

    Reads across, then down: `dest   rows      dest   rows`.
    """
    if not rows:
        return []
    names = list(rows[0])
    texts = [[_number(row.get(name)) for name in names] for row in rows]
    is_right = [_is_numeric([row.get(name) for row in rows]) for name in names]
    widths = [max(len(name), *(len(row[at]) for row in texts)) for at, name in enumerate(names)]
    block = sum(widths) + 2 * (len(names) - 1)
    across = max(1, min(len(rows), (width - indent + 6) // (block + 6), 4))

    def placed(cells: Sequence[str]) -> str:
        return "  ".join(
            text.rjust(size) if right else text.ljust(size)
            for text, size, right in zip(cells, widths, is_right, strict=True)
        )

    margin, gap = " " * indent, " " * 6
    lines = [margin + gap.join(placed(names) for _ in range(across))]
    lines += [
        margin + gap.join(placed(row) for row in texts[start : start + across])
        for start in range(0, len(texts), across)
    ]
    return [line.rstrip() for line in lines]


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else cell(value)


def _is_numeric(values: Sequence[Any]) -> bool:
    seen = [value for value in values if value is not None]
    return bool(seen) and all(
        hasattr(value, "__float__") and not isinstance(value, bool) for value in seen
    )
