# SPDX-License-Identifier: Apache-2.0
"""Who calls, and what that one may do: viewer < runner < admin."""

from __future__ import annotations

from enum import IntEnum

from mainstem.errors import UserError
from mainstem.types import dataclass


class Role(IntEnum):
    """What a caller may do; each may all that those before it may."""

    VIEWER = 1
    """Reads: metadata, logs and data."""
    RUNNER = 2
    """Starts and stops work: runs, backfills, schedules; makes branches and tags."""
    ADMIN = 3
    """Changes history and settings: merges, reverts, deletes, cursors, pools; reads the audit."""

    @property
    def word(self) -> str:
        """As it is written."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody whose token was right, or who needs none."""

    name: str
    role: Role
    address: str
    token_id: str = ""

    def require(self, role: Role) -> None:
        """Go on only if the role suffices.

        Raises:
            UserError: It does not.
        """
        if self.role < role:
            raise UserError(
                "A8108",
                f"This needs the role {role.word}; the token `{self.name}` is a "
                f"{self.role.word}'s.",
                hint=f"An admin makes one: mainstem token create NAME --role {role.word}",
            )
