# SPDX-License-Identifier: Apache-2.0
"""How lines may look where they go: colour, glyphs, width. Rendering takes it as an argument."""

from __future__ import annotations

from typing import Literal

from mainstem.types import dataclass

Mark = Literal["ok", "warn", "fail", "skip"]
Paint = Literal["bold", "dim", "red", "green", "yellow", "blue", "plain"]

_GLYPHS: dict[Mark, str] = {"ok": "✓", "warn": "!", "fail": "✗", "skip": "·"}
_PAINT_OF_MARK: dict[Mark, Paint] = {
    "ok": "green",
    "warn": "yellow",
    "fail": "red",
    "skip": "dim",
}
_CODES: dict[Paint, str] = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "plain": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the place that lines go to can show."""

    has_glyphs: bool = False
    """A terminal: `✓` and one place wide; otherwise the words `ok warn fail skip`."""
    has_color: bool = False
    width: int = 100

    def paint(self, text: str, paint: Paint) -> str:
        """Colour a text that is already padded."""
        if not self.has_color or paint == "plain" or not text:
            return text
        return f"\x1b[{_CODES[paint]}m{text}\x1b[0m"

    def mark(self, mark: Mark) -> str:
        """Give a glyph, or a word of four places."""
        text = _GLYPHS[mark] if self.has_glyphs else f"{mark:<4}"
        return self.paint(text, _PAINT_OF_MARK[mark])


PLAIN = Look()
