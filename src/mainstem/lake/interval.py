# SPDX-License-Identifier: Apache-2.0
"""Cursor intervals: which part of a source some rows came from, and whether two parts overlap.

An interval is text: `from..to` excludes its start and includes its end, an empty side is open;
anything else, such as the digest of a file, overlaps only with itself. Commas join several.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal, InvalidOperation

_SEPARATOR = ".."


def are_disjoint(ours: Collection[str], theirs: Collection[str]) -> bool:
    """Tell whether rows of two sets of intervals surely come from different parts of the source.

    Rows that do not say where they come from overlap with everything.
    """
    mine, yours = _parts(ours), _parts(theirs)
    return not any(_overlap(a, b) for a in mine for b in yours)


def _parts(intervals: Collection[str]) -> set[str]:
    return {part.strip() for interval in intervals for part in (interval or "").split(",")}


def _overlap(a: str, b: str) -> bool:
    if not a or not b or a == b:
        return True
    if (_SEPARATOR in a) != (_SEPARATOR in b):
        return True
    if _SEPARATOR not in a:
        return False
    (a_from, _, a_to), (b_from, _, b_to) = a.partition(_SEPARATOR), b.partition(_SEPARATOR)
    return not (_ends_by(a_to, b_from) or _ends_by(b_to, a_from))


def _ends_by(end: str, start: str) -> bool:
    # An open end reaches past every start.
    if not end or not start:
        return False
    numbers = _number(end), _number(start)
    if numbers[0] is not None and numbers[1] is not None:
        return numbers[0] <= numbers[1]
    return end <= start


def _number(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None
