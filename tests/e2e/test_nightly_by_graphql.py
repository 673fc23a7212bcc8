# SPDX-License-Identifier: Apache-2.0
"""A year of hourly weather through GraphQL alone: a job, a backfill, held hours, a kill, mending.

The data is real: every flight that left New York City in 2013, and the weather there. Two of its
days are bad: on 12 February a wind of 1,048 mph was read, and on 3 November the clocks went back.
"""

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import httpx
import orjson
import pytest

PROGRAM = Path(sys.executable).parent / "mainstem"
HOURLY = """/* ---
materialized: table
partitions: {by: hour, column: time_hour, start: 2013-01-01, end: 2014-01-01, zone: UTC, batch: 168}
checks:
  - unique: {columns: [origin, month, day, hour], name: one_row_an_hour}
  - between: {column: wind_speed, min: 0, max: 150}
--- */
select origin, time_hour, month, day, hour, temp, wind_speed, precip from raw.weather
"""
DAILY = """/* ---
materialized: table
partitions: {by: day, column: day, start: 2013-01-01, end: 2014-01-01, zone: UTC, batch: 28}
checks: [{unique: [origin, day]}]
--- */
select origin, time_hour::date as day, count(*) as readings, max(temp) as warmest
from weather.hourly group by all
"""
SETTINGS = """
serve: {lease: 2s, grace: 1s}
jobs:
  nightly: {select: "*", cron: "0 3 * * *", zone: America/New_York, partition: latest}
  arrivals: {select: raw.weather, every: 1s, enabled: false}
"""
MENDED = {
    "name: one_row_an_hour": "name: one_row_an_hour, severity: warn",
    "max: 150}": "max: 150, severity: warn}",
}
BAD_HOURS = "2013-02-12T00..2013-02-18T23,2013-10-29T00..2013-11-04T23"
BAD_DAYS = {f"2013-02-{day}" for day in range(12, 19)} | {
    *(f"2013-10-{day}" for day in (29, 30, 31)),
    *(f"2013-11-0{day}" for day in range(1, 5)),
}
HOURS, DAYS, HELD = 8760, 365, 2 * 168
"""What is built together is held together: two weeks of hours."""
STEPS = 53
"""A week of hours is a step; the nightly job built the last hour in one of its own."""
BACKFILL = """{ backfill(number: 1) { status note done failed target secondsLeft launches
  assets { asset target done failed stuck failedPartitions } } }"""
PARTITIONS = """{
  hourly: partitions(asset: "weather.hourly") {
    count states { state count ranges { first last } } failures { partition status reason } }
  daily: partitions(asset: "weather.daily") { count states { state count } } }"""
LAUNCHES = """{ launches(first: 1000, origin: BACKFILL) { number status attempts run partitions }
  runs(first: 1000) { nodes { number status steps { asset status notes } } }
  pools { name taken } queue { queued running } }"""
COUNT = re.compile(r"(\d+) (\w+)")

pytestmark = pytest.mark.slow


class Served:
    """A `mainstem serve` process, and what it answers."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--port", "0"],
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NO_COLOR": "1"},
        )
        found = None
        while found is None:
            line = self.process.stderr.readline()
            assert line, "the server ended"
            found = re.search(r"http://\S+", line)
        self.client = httpx.Client(base_url=found[0], timeout=60)

    def ask(self, query):
        while True:
            with contextlib.suppress(httpx.ConnectError):
                answer = self.client.post("/graphql", json={"query": query}).json()
                break
            threading.Event().wait(0.05)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def until(self, query, is_so):
        """Ask until the answer is as wanted, five minutes at most; not so often as to hinder it."""
        last = time.monotonic() + 300
        while not is_so(found := self.ask(query)):
            threading.Event().wait(0.1)
            assert time.monotonic() < last, found
        return found

    def follow(self, is_so):
        """Look at the backfill whenever the server says that it moved on, until it is as wanted."""
        moves = self.hear('{ projectEvents(after: 0, topics: ["backfill"]) { number } }')
        with contextlib.closing(moves):
            return next(found for _ in moves if is_so(found := self.ask(BACKFILL)["backfill"]))

    def hear(self, subscription):
        """Give the events of a subscription until it is complete."""
        body, headers = {"query": f"subscription {subscription}"}, {"accept": "text/event-stream"}
        with self.client.stream("POST", "/graphql", json=body, headers=headers) as answer:
            for line in answer.iter_lines():
                if line == "event: complete":
                    return
                if line.startswith("data: {"):
                    yield orjson.loads(line.removeprefix("data: "))["data"]

    def end(self, *, now=False):
        if self.process.poll() is None:
            (self.process.kill if now else self.process.terminate)()
        self.process.wait(60)
        self.process.stderr.close()
        self.client.close()


@pytest.fixture
def folder(tmp_path):
    subprocess.run(
        [PROGRAM, "init", "nyc", "--template", "flights"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    path = tmp_path / "nyc"
    (path / "models/weather").mkdir()
    (path / "models/weather/hourly.sql").write_text(HOURLY)
    (path / "models/weather/daily.sql").write_text(DAILY)
    with (path / "mainstem.yml").open("a") as settings:
        settings.write(SETTINGS)
    return path


@pytest.fixture
def serve(folder):
    begun = []

    def start():
        begun.append(Served(folder))
        return begun[-1]

    yield start
    for server in begun:
        if server.process.poll() is None:
            server.end()


def test_a_year_of_hours_is_filled_in_over_a_kill_and_mended_by_graphql_alone(serve, folder):
    first = serve()
    look_around(first)
    run_the_night(first)
    let_a_schedule_tick(first)
    launch_the_backfill(first)
    midway = first.follow(is_midway)
    first.end(now=True)
    assert midway["secondsLeft"] > 0
    assert midway["done"] < midway["target"] - 1000

    second = serve()
    second.follow(is_over)
    exactly_the_bad_days_are_held(second)
    nothing_was_built_twice(second, midway["launches"])

    mend(second, folder)
    second.ask("mutation { retryBackfill(number: 1) { status } }")
    second.follow(is_over)
    all_is_there(second)
    what_was_held_was_taken_over_as_it_was(second)
    the_rows_are_those_of_the_files(second, folder)


def look_around(server):
    found = server.ask(
        "{ project { name branch problems { code } } assets { totalCount } "
        "schedules { name zone isOn nextAt } }"
    )
    partitions = server.ask(PARTITIONS)

    assert found["project"] == {"name": "nyc", "branch": "main", "problems": []}
    assert found["assets"]["totalCount"] == 21
    zones = {one["name"]: (one["zone"], one["isOn"]) for one in found["schedules"]}
    assert zones == {"nightly": ("America/New_York", True), "arrivals": ("UTC", False)}
    assert (partitions["hourly"]["count"], partitions["daily"]["count"]) == (HOURS, DAYS)
    assert counts(partitions["hourly"])["missing"] == HOURS


def run_the_night(server):
    """The job as its schedule launches it, watched as it goes on."""
    launch = server.ask('mutation { runSchedule(name: "nightly") { number } }')["runSchedule"]
    query = f"{{ launch(number: {launch['number']}) {{ run }} }}"
    run = server.until(query, lambda data: data["launch"]["run"])["launch"]["run"]

    events = list(
        server.hear(f"{{ runEvents(run: {run}) {{ isOver run {{ status }} steps {{ asset }} }} }}")
    )

    last = events[-1]["runEvents"]
    assert (last["isOver"], last["run"]["status"]) == (True, "SUCCEEDED")
    heard = {step["asset"] for event in events for step in event["runEvents"]["steps"]}
    assert {"raw.flights", "marts.delays", "weather.hourly"} <= heard
    assert counts(server.ask(PARTITIONS)["hourly"]) == {"built": 1, "missing": HOURS - 1}


def let_a_schedule_tick(server):
    server.ask('mutation { switchSchedule(name: "arrivals", on: true) { isOn } }')
    ticks = '{ ticks(kind: SCHEDULE, name: "arrivals") { outcome scheduledFor launch } }'
    server.until(ticks, lambda data: len(data["ticks"]) > 1)
    server.ask('mutation { switchSchedule(name: "arrivals", on: false) { isOn } }')

    found = server.ask(ticks)["ticks"]
    assert len({tick["scheduledFor"] for tick in found}) == len(found)
    launched = [tick["launch"] for tick in found if tick["outcome"] == "LAUNCHED"]
    assert launched
    server.until("{ queue { queued running } }", lambda data: not any(data["queue"].values()))


def launch_the_backfill(server):
    request = 'select: ["weather.hourly+"], only: [MISSING], dryRun: {}'
    fields = "{ number target assets { asset target partitions } }"
    dry, wet = (
        server.ask(f"mutation {{ launchBackfill(request: {{{request.format(is_dry)}}}) {fields} }}")
        for is_dry in ("true", "false")
    )

    assert dry["launchBackfill"]["assets"] == wet["launchBackfill"]["assets"]
    assert wet["launchBackfill"] == {
        "number": 1,
        "target": HOURS - 1 + DAYS,
        "assets": [
            {
                "asset": "weather.hourly",
                "target": HOURS - 1,
                "partitions": "2013-01-01T00..2013-12-31T22",
            },
            {"asset": "weather.daily", "target": DAYS, "partitions": "2013-01-01..2013-12-31"},
        ],
    }


def is_midway(backfill):
    """Much is done, and hours are in flight."""
    assert backfill["status"] == "RUNNING", backfill
    return backfill["done"] > 2000 and bool(backfill["launches"])


def is_over(backfill):
    return backfill["status"] != "RUNNING"


def exactly_the_bad_days_are_held(server):
    backfill = server.ask(BACKFILL)["backfill"]
    partitions = server.ask(PARTITIONS)
    rows = server.ask(
        '{ hourly: data(asset: "weather.hourly", limit: 10000, filter: '
        '"month = 2 and day = 12", columns: ["time_hour"]) { rows } '
        'daily: data(asset: "weather.daily", limit: 10000, columns: ["day"]) { rows } }'
    )

    assert (backfill["status"], backfill["secondsLeft"]) == ("FAILED", None)
    assert backfill["assets"] == [
        {
            "asset": "weather.hourly",
            "target": HOURS - 1,
            "done": HOURS - 1 - HELD,
            "failed": HELD,
            "stuck": 0,
            "failedPartitions": BAD_HOURS,
        },
        {
            "asset": "weather.daily",
            "target": DAYS,
            "done": DAYS - 14,
            "failed": 0,
            "stuck": 14,
            "failedPartitions": "",
        },
    ]
    hourly = partitions["hourly"]
    assert counts(hourly) == {"built": HOURS - HELD, "missing": HELD, "failed": HELD}
    for state in ("missing", "failed"):
        (found,) = [one for one in hourly["states"] if one["state"] == state]
        assert ",".join(f"{part['first']}..{part['last']}" for part in found["ranges"]) == BAD_HOURS
    assert counts(partitions["daily"]) == {"built": DAYS - 14, "missing": 14}
    reasons = {(one["status"], one["reason"]) for one in hourly["failures"]}
    assert reasons == {
        ("held", "between(wind_speed, min 0, max 150): 1 of 503 rows (0.2 %)"),
        ("held", "one_row_an_hour: 3 of 482 rows (0.6 %), 3 values"),
    }
    # Of a held week nothing is to be seen, neither by the hour nor in the sums.
    assert not {row[0][:10] for row in rows["hourly"]["rows"]} & BAD_DAYS
    assert not {row[0] for row in rows["daily"]["rows"]} & BAD_DAYS


def nothing_was_built_twice(server, in_flight):
    found = server.ask(LAUNCHES)
    launches = {launch["number"]: launch for launch in found["launches"]}
    runs = found["runs"]["nodes"]
    dead = [run for run in runs if run["status"] == "CRASHED"]
    ended = [run for run in runs if run["status"] != "CRASHED"]

    # A launch that was in flight at the kill is begun again, no other is.
    again = {number for number, launch in launches.items() if launch["attempts"] > 1}
    assert again <= set(in_flight)
    assert {launch["attempts"] for launch in launches.values()} <= {1, 2}
    for asset in ("weather.hourly", "weather.daily"):
        asked = [
            one["partitions"][asset] for one in launches.values() if asset in one["partitions"]
        ]
        assert len(set(asked)) == len(asked)
        # What the dead server had committed is linked by the run that goes on, never built again.
        left = totals(dead, asset)
        assert totals(ended, asset)["linked"] == left["staged"] + left["built"]
    hourly = totals(ended, "weather.hourly")
    assert hourly["built"] + hourly["linked"] + hourly["held"] == STEPS + 1
    assert hourly["held"] == 2
    assert not any(found["queue"].values())
    assert {pool["taken"] for pool in found["pools"]} <= {0}
    assert "RUNNING" not in {run["status"] for run in runs}


def mend(server, folder):
    """The checks were too strict: what they found is real, and told from now on."""
    file = folder / "models/weather/hourly.sql"
    text = file.read_text()
    file.write_text(text.replace("max: 150}", "max: 150, severity: fatal}"))
    broken = server.ask("mutation { reload { isInForce problems { summary } } }")["reload"]
    for old, new in MENDED.items():
        text = text.replace(old, new)
    file.write_text(text)
    mended = server.ask("mutation { reload { isInForce problems { summary } } }")["reload"]

    assert not broken["isInForce"]
    assert broken["problems"]
    assert mended == {"isInForce": True, "problems": []}


def all_is_there(server):
    backfill = server.ask(BACKFILL)["backfill"]
    partitions = server.ask(PARTITIONS)
    plan = server.ask('{ plan(select: ["weather.hourly+"]) { assets { asset action } } }')["plan"]
    asset = server.ask('{ asset(key: "weather.hourly") { asset { rowCount fileCount } } }')

    assert backfill["status"] == "SUCCEEDED"
    assert (backfill["done"], backfill["failed"]) == (HOURS - 1 + DAYS, 0)
    assert counts(partitions["hourly"]) == {"built": HOURS}
    assert counts(partitions["daily"]) == {"built": DAYS}
    assert partitions["hourly"]["failures"] == []
    assert {(one["asset"], one["action"]) for one in plan["assets"]} == {
        ("weather.hourly", "FRESH"),
        ("weather.daily", "FRESH"),
    }
    # A file for each day that has weather: the 31st of December has none.
    assert asset["asset"]["asset"] == {"rowCount": 26115, "fileCount": 364}


def what_was_held_was_taken_over_as_it_was(server):
    """Checks shape no rows: the held hours were linked, not computed again."""
    runs = server.ask(LAUNCHES)["runs"]["nodes"]
    held = max(run["number"] for run in runs if run["status"] == "HELD")
    later = totals([run for run in runs if run["number"] > held], "weather.hourly")

    assert (later["linked"], later["held"]) == (2, 0)


def the_rows_are_those_of_the_files(server, folder):
    raw = "read_csv('data/weather.csv', nullstr=['', 'NA'])"
    connection = duckdb.connect()
    connection.execute(f"set file_search_path = '{folder}'; set timezone = 'UTC'")
    hourly = connection.sql(
        f"select origin, strftime(time_hour, '%Y-%m-%dT%H'), temp, wind_speed, precip from {raw} "
        "order by time_hour, origin"
    ).fetchall()
    daily = connection.sql(
        f"select origin, strftime(time_hour, '%Y-%m-%d') as day, count(*), max(temp) from {raw} "
        "group by all order by day, origin"
    ).fetchall()

    found = []
    while len(found) % 10_000 == 0:
        page = server.ask(
            '{ data(asset: "weather.hourly", limit: 10000, '
            'columns: ["origin", "time_hour", "temp", "wind_speed", "precip"], '
            f'order: {{by: ["time_hour", "origin"], offset: {len(found)}}}) {{ rows }} }}'
        )
        found.extend(page["data"]["rows"])
    days = server.ask(
        '{ data(asset: "weather.daily", limit: 10000, order: {by: ["day", "origin"]}) { rows } }'
    )

    assert [(row[0], row[1][:13], *row[2:]) for row in found] == hourly
    assert [tuple(row) for row in days["data"]["rows"]] == daily


def counts(partitions):
    """Give how many partitions there are of each state that has any."""
    return {one["state"]: one["count"] for one in partitions["states"] if one["count"]}


def totals(runs, asset):
    """Give how many steps of an asset ended how."""
    found = dict.fromkeys(("staged", "built", "linked", "held"), 0)
    for run in runs:
        for step in run["steps"]:
            if step["asset"] == asset:
                for number, status in COUNT.findall(" ".join(step["notes"])):
                    found[status] = found.get(status, 0) + int(number)
    return found
