# SPDX-License-Identifier: Apache-2.0
"""Three-way merge of text by lines, as version control does it; used for hand-written views."""

from __future__ import annotations

from difflib import SequenceMatcher
from itertools import pairwise

Edit = tuple[int, int, list[str]]
"""Lines [start, end) of the base are replaced by these."""


def merge_text(base: str, ours: str, theirs: str) -> str | None:
    """Merge two edits of a text; `None` if both changed the same or adjoining lines differently."""
    if theirs in (ours, base):
        return ours
    if ours == base:
        return theirs
    lines = base.splitlines(keepends=True)
    mine = _edits(lines, ours.splitlines(keepends=True))
    yours = _edits(lines, theirs.splitlines(keepends=True))
    merged = sorted([*mine, *(edit for edit in yours if edit not in mine)], key=lambda e: e[:2])
    for (_, end, _), (start, _, _) in pairwise(merged):
        if start <= end:
            return None
    result: list[str] = []
    at = 0
    for start, end, new in merged:
        result += lines[at:start]
        result += new
        at = end
    return "".join(result + lines[at:])


def _edits(before: list[str], after: list[str]) -> list[Edit]:
    matcher = SequenceMatcher(a=before, b=after, autojunk=False)
    return [
        (start, end, after[new_start:new_end])
        for tag, start, end, new_start, new_end in matcher.get_opcodes()
        if tag != "equal"
    ]
