# SPDX-License-Identifier: Apache-2.0
"""All triggers that a project declares, read and checked when it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mainstem.automation.job import place, schedules_of, targets_of
from mainstem.automation.schedule import Schedule
from mainstem.automation.target import Target
from mainstem.config import Settings
from mainstem.errors import MainstemError
from mainstem.graph import Graph, select


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggers:
    """What may launch runs by itself; frozen, and kept with the loaded project."""

    jobs: Mapping[str, Target] = field(default_factory=dict)
    """All jobs, also those without a time."""
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    """By name, which is the job's."""


def triggers_of(settings: Settings, graph: Graph, problems: list[MainstemError]) -> Triggers:
    """Read the triggers of a project; what is wrong is added to `problems`."""
    jobs = targets_of(settings)
    schedules = schedules_of(settings, problems)
    for name, target in jobs.items():
        try:
            select(graph, target.select, target.exclude)
        except MainstemError as error:
            # A name that is wrong is told when the file is read, not at three in the morning.
            error.where = place(settings, f"jobs.{name}", "select")
            problems.append(error)
    return Triggers(jobs=jobs, schedules={schedule.name: schedule for schedule in schedules})
