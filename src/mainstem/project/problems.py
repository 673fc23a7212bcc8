# SPDX-License-Identifier: Apache-2.0
"""Static faults are reported together: one broken file does not hide the others."""

from __future__ import annotations

from collections.abc import Iterable

from mainstem.errors import ErrorGroup, MainstemError


def raise_problems(problems: Iterable[MainstemError]) -> None:
    """Raise what is wrong, one error as itself, several as a group; nothing if nothing is."""
    found = list(problems)
    if len(found) == 1:
        raise found[0]
    if found:
        raise ErrorGroup(found)
