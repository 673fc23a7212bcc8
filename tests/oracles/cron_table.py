# SPDX-License-Identifier: Apache-2.0
"""Writes the ticks of a year as a table, minute by minute from the zone's clock: no cron library.

    python tests/oracles/cron_table.py > tests/cases/ticks/2018.txt

A line is a range of UTC days on which the ticks come at the same UTC times, and these times.
2018, since its rules will not change any more; Sao Paulo changed at midnight then.
"""

import sys
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from zoneinfo import ZoneInfo

YEAR = 2018
ZONES = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo",
)  # fmt: skip
CRONS = {  # minutes, hours, days of the month, months, weekdays (0 is Sunday)
    "30 2 * * *": ({30}, {2}, None, None, None),
    "0 0 * * *": ({0}, {0}, None, None, None),
    "15 1 * * *": ({15}, {1}, None, None, None),
    "*/20 2 * * *": ({0, 20, 40}, {2}, None, None, None),
    "0 */6 * * *": ({0}, {0, 6, 12, 18}, None, None, None),
    "0 * * * *": ({0}, None, None, None, None),
    "*/30 * * * *": ({0, 30}, None, None, None, None),
}
MINUTE = timedelta(minutes=1)


def matches(local, cron):
    minutes, hours, days, months, weekdays = cron
    return (
        local.minute in minutes
        and (hours is None or local.hour in hours)
        and (days is None or local.day in days)
        and (months is None or local.month in months)
        and (weekdays is None or local.isoweekday() % 7 in weekdays)
    )


def ticks(zone, cron, start, end):
    """Walk the minutes; a cron of named hours fires when the clock first reaches or passes one."""
    home = ZoneInfo(zone)
    highest = (start - MINUTE).astimezone(home).replace(tzinfo=None)
    moment = start
    while moment < end:
        local = moment.astimezone(home).replace(tzinfo=None)
        if cron[1] is None:
            fires = matches(local, cron)
        else:
            fires = False
            while highest < local:
                highest += MINUTE
                fires = fires or matches(highest, cron)
        if fires:
            yield moment
        moment += MINUTE


def lines():
    start, end = datetime(YEAR, 1, 1, tzinfo=UTC), datetime(YEAR + 1, 1, 1, tzinfo=UTC)
    for zone in ZONES:
        for text, cron in CRONS.items():
            yield f"{zone} | {text}"
            by_day = {}
            for moment in ticks(zone, cron, start, end):
                by_day.setdefault(moment.date(), []).append(f"{moment:%H:%M}")
            days = [start.date() + timedelta(days=count) for count in range((end - start).days)]
            rows = [(day, " ".join(by_day.get(day, ["-"]))) for day in days]
            for times, same in groupby(rows, key=itemgetter(1)):
                first, *others = [day for day, _ in same]
                yield f"  {first}..{others[-1] if others else first} {times}"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in lines())
