# SPDX-License-Identifier: Apache-2.0
"""What the API serves: the project as it is now, and who carries out what callers ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mainstem.types import dataclass

if TYPE_CHECKING:
    from mainstem.project import Project


class Host(Protocol):
    """The process that the API is part of."""

    @property
    def project(self) -> Project:
        """The project; another one after it was loaded anew."""
        ...


@dataclass(frozen=True, slots=True)
class Alone:
    """A project without a server: it can be read and changed, and nothing is carried out."""

    project: Project
