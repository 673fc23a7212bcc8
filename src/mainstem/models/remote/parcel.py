# SPDX-License-Identifier: Apache-2.0
"""What a ticket holds, and the kinds of messages about it; both sides pickle and unpickle it.

The database is ours: whoever may write to it may run code on the workers, as whoever may write to
the project's folder may.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

from mainstem.types import dataclass

LINES = "lines"
"""Up: what the step printed."""
MESSAGE = "message"
"""Up: a note or a question of the worker process."""
ANSWER = "answer"
"""Up: the last word."""
REPLY = "reply"
"""Down: to a question."""

HELD_S = 30.0
"""What its run has not renewed for so long is dropped, and what its worker has not is passed on."""
RENEWALS = 6
"""In the time that either would be taken for dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One request, on its way."""

    request: object
    """`Build`."""
    timeout_s: float | None
    versions: Mapping[str, str]


def pack(value: object) -> bytes:
    """Make bytes of a value."""
    return pickle.dumps(value, protocol=5)


def unpack(body: bytes) -> Any:
    """Make a value of bytes that `pack` made."""
    return pickle.loads(body)  # noqa: S301  # the database is ours, see above
