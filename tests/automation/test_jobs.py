"""`jobs:` of mainstem.yml, as schedules."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mainstem.automation.job import schedules_of, targets_of
from mainstem.config import load_yaml, settings_of
from mainstem.errors import ConfigInvalid


def read(jobs):
    return settings_of(load_yaml(f"name: shop\njobs:\n{jobs}", "mainstem.yml"))


def test_a_job_says_what_and_when():
    settings = read(
        "  nightly:\n"
        "    select: +tag:daily\n"
        "    exclude: [raw.big]\n"
        "    cron: [0 3 * * *, 0 15 * * *]\n"
        "    zone: Europe/Berlin\n"
        "    publish: all_or_nothing\n"
        "    retries: 2\n"
        "    catchup: all\n"
        "    enabled: false\n"
        "    priority: 7\n"
        "    partition: latest\n"
    )

    (schedule,) = schedules_of(settings)

    assert schedule.timing.text == "0 3 * * * | 0 15 * * * (Europe/Berlin)"
    assert (schedule.catchup, schedule.enabled) == ("all", False)
    target = schedule.target
    assert (target.select, target.exclude) == (("+tag:daily",), ("raw.big",))
    assert target.options == {"fresh": True, "publish": "all_or_nothing", "retries": 2}
    assert (target.priority, target.partitions) == (7, {"*": "latest"})
    assert schedule.where.line == 3


def test_a_job_without_a_time_is_no_schedule_but_a_job():
    settings = read("  adhoc: {select: raw.orders}\n")

    assert schedules_of(settings) == ()
    assert targets_of(settings)["adhoc"].select == ("raw.orders",)


def test_an_interval_is_read():
    (schedule,) = schedules_of(read("  often: {select: a, every: 15m}\n"))

    assert schedule.timing.every == timedelta(minutes=15)


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ("cron: 0 3 * *", "A2201", "4 fields"),
        ("cron: 0 3 * * *, zone: Europe/Berln", "A2202", "Europe/Berln"),
        ("cron: 0 3 * * *, every: 1h", "A2203", "both"),
        ("every: 10ms", "A2203", "a second or more"),
    ],
)
def test_a_time_that_is_wrong_is_told_with_its_line(options, code, says):
    settings = read(f"  nightly:\n    {options}\n".replace(", ", "\n    "))

    with pytest.raises(ConfigInvalid) as raised:
        schedules_of(settings)

    assert raised.value.code == code
    assert says in raised.value.summary
    assert raised.value.where.line in {4, 5}


def test_a_wrong_job_does_not_hide_the_others():
    settings = read("  one: {cron: bad}\n  two: {cron: 0 3 * * *}\n")
    problems = []

    found = schedules_of(settings, problems)

    assert [schedule.name for schedule in found] == ["two"]
    assert [problem.code for problem in problems] == ["A2201"]
