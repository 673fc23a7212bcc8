# SPDX-License-Identifier: Apache-2.0
"""Ref expressions: `main`, `v1`, `7f3c2a1e`, `main@7f3c2a1e`, `main~2`, `main@2026-01-31T10:00`.

Called by `Lake.resolve` and by every method that takes a place to look at.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from mainstem.errors import RefNotFound, SelectionInvalid
from mainstem.lake.catalog import Catalog
from mainstem.lake.commit import commits_by_prefix, find_commit, first_parents, is_ancestor
from mainstem.lake.ref import MAIN, find_ref, head_of, load_ref, unknown_ref, was_at
from mainstem.lake.values import Commit

_HEX = re.compile(r"[0-9a-f]{4,32}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")
_BACK = re.compile(r"(?P<place>.+)~(?P<steps>\d*)")


def resolve(catalog: Catalog, expression: str) -> Commit:
    """Find the commit that an expression means.

    A name wins over a commit id. Times without a zone are UTC, a date is its first moment; a time
    alone asks for `main`. `~n` goes back along first parents.

    Raises:
        RefNotFound: Nothing has that name, or it is ambiguous; lists what comes near.
        SelectionInvalid: It cannot be read.
    """
    text = expression.strip()
    ref = find_ref(catalog, text)
    if ref is not None:
        return head_of(catalog, ref)
    back = _BACK.fullmatch(text)
    if back is not None:
        return _back(catalog, back["place"], int(back["steps"] or 1), text)
    name, at, point = text.partition("@")
    if at:
        return _at(catalog, name or MAIN, point, text)
    if _TIME.fullmatch(text):
        return _at_time(catalog, MAIN, text)
    found = _by_id(catalog, text)
    if found is None:
        raise unknown_ref(catalog, text)
    return found


def _back(catalog: Catalog, place: str, steps: int, text: str) -> Commit:
    head = resolve(catalog, place)
    taken = -1
    for taken, commit in enumerate(first_parents(catalog, head)):
        if taken == steps:
            return commit
    raise RefNotFound(
        "A5015",
        f"`{text}` goes back {steps} commits, but there are only {taken} before it.",
        hint=f"`mainstem log {place}` lists them.",
    )


def _at(catalog: Catalog, name: str, point: str, text: str) -> Commit:
    ref = load_ref(catalog, name)
    if _TIME.fullmatch(point):
        return _at_time(catalog, name, point)
    found = _by_id(catalog, point)
    if found is None:
        raise RefNotFound(
            "A5010",
            f"There is no commit {point} (in `{text}`).",
            hint=f"`mainstem log --branch {name}` lists the commits; times are written "
            f"{name}@2026-01-31T10:00.",
        )
    if not is_ancestor(catalog, head_of(catalog, ref), found):
        raise RefNotFound(
            "A5016",
            f"The commit {found.short_id} is not in the history of `{name}`.",
            hint=f"Write {found.short_id} alone to look at it wherever it is.",
        )
    return found


def _by_id(catalog: Catalog, text: str) -> Commit | None:
    prefix = text.lower()
    if not _HEX.fullmatch(prefix):
        return None
    if len(prefix) == 32:
        return find_commit(catalog, prefix)
    found = commits_by_prefix(catalog, prefix)
    if len(found) > 1:
        raise RefNotFound(
            "A5017",
            f"`{text}` is the beginning of several commits.",
            hint="Write more of its digits.",
            known=[commit.id[: max(8, len(prefix) + 4)] for commit in found],
        )
    return found[0] if found else None


def _at_time(catalog: Catalog, name: str, text: str) -> Commit:
    when = _read_time(text)
    ref = load_ref(catalog, name)
    commit_id = was_at(catalog, name, when)
    if commit_id is not None:
        found = find_commit(catalog, commit_id)
        if found is not None:
            return found
    # Before the branch itself: what it was made from had a history too.
    earliest = None
    for commit in first_parents(catalog, head_of(catalog, ref)):
        if commit.created_at <= when:
            return commit
        earliest = commit
    begin = f"{earliest.created_at:%Y-%m-%d %H:%M:%S} UTC" if earliest is not None else "now"
    raise RefNotFound(
        "A5018",
        f"`{name}` has no commit as old as {text}; its history begins at {begin}.",
        hint=f"`mainstem log --branch {name}` lists the commits with their times.",
    )


def _read_time(text: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise SelectionInvalid(
            "A5020",
            f"`{text}` is not a time.",
            hint="Write it as 2026-01-31, 2026-01-31T10:00 or 2026-01-31T10:00:00+02:00.",
        ) from error
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)
