# SPDX-License-Identifier: Apache-2.0
"""Suggestions for names that were not found."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, candidates: Iterable[str], *, limit: int = 3) -> list[str]:
    """Give the candidates most like `name`, best first; case is ignored, spelling kept."""
    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=limit, cutoff=0.6)
    return [by_folded[folded] for folded in close]


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Give a hint sentence naming the nearest candidate, or nothing."""
    close = nearest(name, candidates, limit=1)
    return f"Did you mean `{close[0]}`?" if close else ""
