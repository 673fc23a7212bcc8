# SPDX-License-Identifier: Apache-2.0
"""What others printed, shown so that it cannot move the cursor, ring, or retitle the terminal."""

from __future__ import annotations

import re

_COLOUR = r"\x1b\[[0-9;]*m"
_CONTROL = re.compile(rf"(?!{_COLOUR})[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def harmless(line: str) -> str:
    """Escape control characters of one line; colours stay, and end with it."""
    shown = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), line)
    return f"{shown}\x1b[0m" if "\x1b" in shown else shown
