# SPDX-License-Identifier: Apache-2.0
"""The project as parts of a server see it: its files are real, its lake is the world's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mainstem.config import Settings
from mainstem.database import Database, Transaction
from mainstem.graph import Asset, Graph
from mainstem.lake import Lake
from mainstem.project import Project
from mainstem.runs import RunEnding
from mainstem.state import Launch
from mainstem.types import Clock, dataclass


@dataclass(frozen=True, slots=True)
class Stores:
    """What is asked of a project's services: where its runs are recorded."""

    database: Database
    lake: Lake


class Stand:
    """Stands in for a `Project` where backfills and the settling of dead servers' launches ask.

    Args:
        project: Whose files it has.
        database: The world's, as one server sees it.
        lake: The same of the lake.
        clock: The world's.
    """

    branch = "main"
    reading_ref = "main"

    def __init__(self, project: Project, database: Database, lake: Lake, clock: Clock) -> None:
        self._project = project
        self.services = Stores(database, lake)
        self.lake = lake
        self.clock = clock

    @property
    def environment(self) -> str:
        """Name of the environment."""
        return self._project.environment

    @property
    def settings(self) -> Settings:
        """Of the project."""
        return self._project.settings

    @property
    def folder(self) -> Path:
        """Of the project."""
        return self._project.folder

    @property
    def graph(self) -> Graph:
        """The project's assets."""
        return self._project.graph

    @property
    def recording(self) -> NoRecording:
        """Nobody is told of simulated runs."""
        return NoRecording()

    def select(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> list[Asset]:
        """Give the assets that a selection means."""
        return self._project.select(include, exclude)


class NoRecording:
    """Meets what is asked of `Recording` when a dead run is settled."""

    def end_run(self, transaction: Transaction, ending: RunEnding) -> None:
        """Take note of the end of a run that was found dead."""

    def tell_lost(self, launch: Launch, why: str, *, branch: str) -> None:
        """Take note of a launch that is not begun again."""
