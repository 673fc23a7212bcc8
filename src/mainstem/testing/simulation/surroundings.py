# SPDX-License-Identifier: Apache-2.0
"""What a simulated server needs of the world that it is in."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mainstem.database import Database
from mainstem.graph import Asset, PlannedAsset
from mainstem.lake import Lake
from mainstem.project import Project
from mainstem.runs import Gate, RunFinished, Step
from mainstem.state import Launch, ProcessIdentity
from mainstem.testing.simulation.behaviour import Look
from mainstem.testing.simulation.clock import VirtualClock
from mainstem.testing.simulation.outside import SimulatedSensors
from mainstem.testing.simulation.planning import Plans
from mainstem.testing.simulation.turns import Turns
from mainstem.types import Pool


class Surroundings(Protocol):
    """The world, as servers see it."""

    project: Project
    clock: VirtualClock
    turns: Turns
    folder: Path
    """For the warehouse."""
    random: random.Random
    database: Database
    """Outlives every server."""
    sensors: SimulatedSensors
    plans: Plans
    pools: Mapping[str, Pool]

    def is_dead(self, process: ProcessIdentity) -> bool:
        """Tell whether a simulated server was killed."""
        ...

    def bury(self, server: str) -> None:
        """Hear that a server was killed."""
        ...

    def note(self, launch: Launch, finished: RunFinished | None, error: str) -> None:
        """Take down what became of a launch."""
        ...

    def observe(self, lake: Lake, asset: Asset) -> Look:
        """Look at a source, without reading it."""
        ...

    def step_of(self, asset: Asset, planned: PlannedAsset) -> Step:
        """Make the step of an asset, or of its group."""
        ...

    def gates_of(self, asset: Asset) -> Sequence[Gate]:
        """Make the gates of an asset: its checks, which read what they really read."""
        ...
