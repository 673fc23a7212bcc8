# SPDX-License-Identifier: Apache-2.0
"""All triggers that a project declares, read and checked when it is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from mainstem.automation.expression import Condition, condition_of
from mainstem.automation.freshness import Promise, promise_of
from mainstem.automation.hook import Hook, hooks_of
from mainstem.automation.job import place, schedules_of, targets_of
from mainstem.automation.schedule import Schedule
from mainstem.automation.sensor import Sensor, python_sensor, sensors_of
from mainstem.automation.target import Target
from mainstem.config import Settings
from mainstem.errors import ConfigInvalid, MainstemError, Where
from mainstem.graph import Graph, require_partitions, select
from mainstem.types import AssetKey, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggers:
    """What may launch runs by itself; frozen, and kept with the loaded project."""

    jobs: Mapping[str, Target] = field(default_factory=dict)
    """All jobs, also those without a time."""
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    """By name, which is the job's."""
    sensors: Mapping[str, Sensor] = field(default_factory=dict)
    hooks: Mapping[str, Hook] = field(default_factory=dict)
    conditions: Mapping[AssetKey, Condition] = field(default_factory=dict)
    promises: Mapping[AssetKey, Promise] = field(default_factory=dict)


def triggers_of(
    settings: Settings,
    graph: Graph,
    functions: Iterable[Any],
    problems: list[MainstemError],
) -> Triggers:
    """Read the triggers of a project; what is wrong is added to `problems`.

    Args:
        settings: Of the project.
        graph: Its assets.
        functions: Python functions that are sensors.
        problems: Takes what is wrong.
    """
    jobs = targets_of(settings)
    schedules = schedules_of(settings, problems)
    for name, target in jobs.items():
        _select(graph, target, place(settings, f"jobs.{name}", "select"), problems)
        _environment(settings, target, place(settings, f"jobs.{name}", "environment"), problems)
    hooks = hooks_of(settings, problems)
    sensors = {sensor.name: sensor for sensor in sensors_of(settings, problems)}
    for function in functions:
        try:
            sensor = python_sensor(function, settings)
        except MainstemError as error:
            problems.append(error)
            continue
        if sensor.name in sensors:
            problems.append(_twice(sensor, sensors[sensor.name]))
        sensors[sensor.name] = sensor
    launched: list[tuple[Target | None, Where]] = [
        (sensor.target, sensor.where) for sensor in sensors.values()
    ]
    launched += [(hook.target, hook.where) for hook in hooks]
    for launch, where in launched:
        if launch is not None and not launch.job:
            _select(graph, launch, where, problems)
            _environment(settings, launch, where, problems)
    return Triggers(
        jobs=jobs,
        schedules={schedule.name: schedule for schedule in schedules},
        sensors=sensors,
        hooks={hook.name: hook for hook in hooks},
        conditions=_of_assets(graph, "run_when", problems),
        promises=_of_assets(graph, "freshness", problems),
    )


def _of_assets(graph: Graph, name: str, problems: list[MainstemError]) -> dict[AssetKey, Any]:
    """Read the conditions, or the promises, of all assets that have one."""
    found: dict[AssetKey, Any] = {}
    for key, asset in graph.assets.items():
        written = getattr(asset, name)
        if not written:
            continue
        where = Where(file=asset.file, line=asset.line, asset=str(key))
        try:
            is_promise = name == "freshness"
            found[key] = promise_of(written, where) if is_promise else condition_of(written)
        except MainstemError as error:
            error.where = where
            problems.append(error)
    return found


def _select(graph: Graph, target: Target, where: Where, problems: list[MainstemError]) -> None:
    """Find a wrong name or partition when the file is read, not at three in the morning."""
    try:
        for key in select(graph, target.select, target.exclude):
            require_partitions(graph.assets[key], target.partitions.get("*", ""))
    except MainstemError as error:
        error.where = where
        problems.append(error)


def _environment(
    settings: Settings, target: Target, where: Where, problems: list[MainstemError]
) -> None:
    if not target.environment:
        return
    try:
        settings.environment(target.environment)
    except ConfigInvalid as error:
        error.where = where
        problems.append(error)


def _twice(sensor: Sensor, other: Sensor) -> ConfigInvalid:
    return ConfigInvalid(
        "A2215",
        f"There are two sensors `{sensor.name}`; the other one is in {other.where}.",
        hint="Give one of them another name: @sensor(name=...).",
        where=sensor.where,
    )
