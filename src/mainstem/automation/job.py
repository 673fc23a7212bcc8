# SPDX-License-Identifier: Apache-2.0
"""Read `jobs:` of mainstem.yml: what each launches, and when. Called when a project is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from mainstem.automation.cron import cron_of
from mainstem.automation.schedule import Schedule
from mainstem.automation.target import Target
from mainstem.automation.timing import Timing
from mainstem.config import RUN_KEYS, Settings, names_of
from mainstem.errors import ConfigInvalid, MainstemError, Where
from mainstem.types import did_you_mean, duration_of, nearest

_SHORTEST = timedelta(seconds=1)
_OPTIONS = ("full_refresh", "vars", *sorted(RUN_KEYS))


def targets_of(settings: Settings) -> dict[str, Target]:
    """Give what each job launches; its keys were checked when mainstem.yml was read."""
    return {name: _target(name, job.options) for name, job in settings.jobs.items()}


def schedules_of(
    settings: Settings, problems: list[MainstemError] | None = None
) -> tuple[Schedule, ...]:
    """Give the jobs that have a time; what is wrong with one is noted, or raised.

    Raises:
        ConfigInvalid: A time cannot be read, and there is no list to note it in.
    """
    found = []
    targets = targets_of(settings)
    for name, job in settings.jobs.items():
        base = f"jobs.{name}"
        try:
            timing = timing_of(job.options, f"job `{name}`", settings, base)
        except ConfigInvalid as error:
            if problems is None:
                raise
            problems.append(error)
            continue
        if timing is not None:
            found.append(
                Schedule(
                    name=name,
                    timing=timing,
                    target=targets[name],
                    catchup=job.options.get("catchup") or "latest",
                    enabled=job.options.get("enabled") is not False,
                    description=job.options.get("description") or "",
                    where=Where(file=settings.file, line=job.line),
                )
            )
    return tuple(found)


def timing_of(
    options: Mapping[str, Any], owner: str, settings: Settings, base: str
) -> Timing | None:
    """Read `cron`, `every` and `zone` of something in mainstem.yml; nothing without the first two.

    Args:
        options: As written.
        owner: What they are of, for the error: `job `nightly``.
        settings: For the lines.
        base: Dotted name of the options: `jobs.nightly`.

    Raises:
        ConfigInvalid: They cannot be read, or contradict each other.
    """
    crons = names_of(options.get("cron"))
    every = options.get("every")
    zone = options.get("zone") or "UTC"
    if crons and every is not None:
        raise ConfigInvalid(
            "A2203",
            f"{owner} has both `cron` and `every`.",
            hint="Keep one of them; `cron` may be a list.",
            where=place(settings, base, "every"),
        )
    try:
        if crons:
            return Timing(crons=tuple(cron_of(cron, zone) for cron in crons))
    except ConfigInvalid as error:
        error.where = place(settings, base, "zone" if error.code == "A2202" else "cron")
        raise
    if every is None:
        return None
    interval = duration_of(every)
    if interval is None or interval < _SHORTEST:
        raise ConfigInvalid(
            "A2203",
            f"`every` of {owner} is `{every}`; allowed is a second or more.",
            hint="Write it as 30s, 15m, 6h or 1d.",
            where=place(settings, base, "every"),
        )
    return Timing(every=interval)


def target_of(options: Mapping[str, Any], owner: str, settings: Settings, base: str) -> Target:
    """Read `job` or `select` of a sensor or hook.

    Raises:
        ConfigInvalid: There is neither, or both, or no such job.
    """
    job = options.get("job") or ""
    select = names_of(options.get("select"))
    if bool(job) == bool(select):
        raise ConfigInvalid(
            "A2204",
            f"{owner} has {'both `job` and `select`' if job else 'neither `job` nor `select`'}.",
            hint="Name a job of mainstem.yml, or select assets.",
            where=place(settings, base, "job" if job else ""),
        )
    if not job:
        return _target("", options)
    targets = targets_of(settings)
    if job not in targets:
        raise ConfigInvalid(
            "A2204",
            f"`job` of {owner} is `{job}`, which is not under `jobs:`.",
            hint=did_you_mean(job, targets),
            where=place(settings, base, "job"),
            known=nearest(job, targets) or tuple(targets),
        )
    return targets[job]


def place(settings: Settings, base: str, key: str) -> Where:
    """Give the place of a key, or else of what it belongs to."""
    lines = settings.lines
    return Where(file=settings.file, line=lines.get(f"{base}.{key}") or lines.get(base, 0))


def _target(name: str, options: Mapping[str, Any]) -> Target:
    partition = options.get("partition")
    chosen = {key: options[key] for key in _OPTIONS if options.get(key) is not None}
    return Target(
        job=name,
        environment=options.get("environment") or "",
        select=names_of(options.get("select")),
        exclude=names_of(options.get("exclude")),
        partitions={"*": partition} if partition else {},
        # A job always reads its sources (GRAMMAR 3, `fresh_for`).
        options={"fresh": True, **chosen},
        priority=options.get("priority") or 0,
    )
