# SPDX-License-Identifier: Apache-2.0
"""What makes two failures the same: the kind of error and where it came from, without its values.

Of Python that is the type of the exception and the lines of the user's code that it passed, as
text: an edit above them, another row, another run change nothing. Of SQL and of our own errors it
is the code and the place.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from mainstem.errors import MainstemError
from mainstem.types import CheckResult, dataclass

_FRAME = re.compile(r'^\s*File "(?P<file>[^"]+)", line \d+, in (?P<function>.+)$')
_RAISED = re.compile(r"^(?P<type>[A-Za-z_][\w.]*)(?::\s|:?$)")
_VALUES = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|0x[0-9a-fA-F]+|\d+(?:[.,:\-]\d+)*")
_FOREIGN = ("/site-packages/", "/dist-packages/", "/lib/python", "<frozen ")
_NEW_TRACEBACK = "Traceback (most recent call last):"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """A failure without what differs from time to time."""

    id: str
    title: str
    """`ValueError in models/orders.py, load()`; `A7501 in models/delays.sql`."""
    place: str = ""


@dataclass(frozen=True, slots=True)
class _Frame:
    file: str
    function: str
    line: str


def fingerprint_of(error: MainstemError, *, root: str = "", asset: str = "") -> Fingerprint:
    """Fingerprint an error.

    Args:
        error: What a step failed with.
        root: Project folder: the code in it is the user's.
        asset: Stands for the place of an error that has none.
    """
    frames, raised = _traceback(error.details, root)
    if raised and frames:
        last = frames[-1]
        parts = [raised, *(f"{one.file}|{one.function}|{one.line}" for one in frames)]
        title = f"{raised} in {last.file}, {last.function}()"
        return Fingerprint(id=_hash(parts), title=title, place=last.file)
    where = error.where
    place = where.file if where is not None and where.file else asset
    line = " ".join(where.excerpt.split()) if where is not None else ""
    kind = raised or error.code
    summary = _VALUES.sub("?", error.summary) if raised or not line else ""
    return Fingerprint(
        id=_hash([kind, error.code, place, line, summary]), title=f"{kind} in {place}", place=place
    )


def fingerprint_of_checks(results: Sequence[CheckResult], *, asset: str) -> Fingerprint:
    """Fingerprint what held an asset back: which of its checks failed, whatever the rows."""
    failed = sorted(result.check_id for result in results if result.holds_publishing)
    names = [name.rpartition("/")[2] for name in failed]
    return Fingerprint(
        id=_hash(["held", asset, *failed]),
        title=f"{asset} held by {', '.join(names[:3])}" + (" and more" if len(names) > 3 else ""),
        place=asset,
    )


def _traceback(details: str, root: str) -> tuple[list[_Frame], str]:
    """Read the user's frames of the last traceback, and the type that was raised in it."""
    text = details.rpartition(_NEW_TRACEBACK)[2] if _NEW_TRACEBACK in details else ""
    lines = text.splitlines()
    frames: list[_Frame] = []
    raised = ""
    for number, line in enumerate(lines):
        match = _FRAME.match(line)
        if match is not None:
            following = lines[number + 1].strip() if number + 1 < len(lines) else ""
            frames.append(_Frame(_relative(match["file"], root), match["function"], following))
        elif not raised and line and not line[0].isspace():
            found = _RAISED.match(line)
            raised = found["type"].rpartition(".")[2] if found is not None else ""
    own = [one for one in frames if _is_own(one.file)]
    return _without_recursion(own), raised


def _without_recursion(frames: list[_Frame]) -> list[_Frame]:
    """Leave repeated frames out: how deep a recursion was says nothing."""
    return list(dict.fromkeys(frames))


def _relative(file: str, root: str) -> str:
    return file.removeprefix(f"{root.rstrip('/')}/") if root else file


def _is_own(file: str) -> bool:
    return not file.startswith(("/", "<")) and not any(part in f"/{file}" for part in _FOREIGN)


def _hash(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:16]
