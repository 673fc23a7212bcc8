# SPDX-License-Identifier: Apache-2.0
"""Subscriptions as event streams: what is told, and when a stream ends.

The streams are read through the ASGI interface itself: httpx's transport waits for a whole body.
"""

import asyncio
from contextlib import contextmanager
from urllib.parse import urlencode

import orjson

from mainstem.api import ApiSettings, application
from mainstem.runs import own_identity
from mainstem.service import Server
from mainstem.state import LaunchRequest, StepRecord, finish_run, insert_run, save_steps
from mainstem.types import AssetKey

RUN_EVENTS = (
    "subscription ($run: Int!) { runEvents(run: $run) "
    "{ isOver run { status stepCounts { status count } } steps { asset status } } }"
)


class Stream:
    """One request to an application, whose events are taken one at a time."""

    def __init__(self, app, query, variables=None, *, method="POST", headers=()):
        self.app = app
        self.body = orjson.dumps({"query": query, "variables": variables or {}})
        self.query = (
            urlencode({"query": query, "variables": orjson.dumps(variables or {})})
            if method == "GET"
            else ""
        )
        self.method = method
        self.headers = [
            (b"host", b"localhost:3000"),
            (b"accept", b"text/event-stream"),
            (b"content-type", b"application/json"),
            *headers,
        ]
        self.messages = asyncio.Queue()
        self.left = asyncio.Event()
        self.status = 0
        self.text = ""

    async def __aenter__(self):
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": "/graphql",
            "raw_path": b"/graphql",
            "query_string": self.query.encode(),
            "root_path": "",
            "headers": self.headers,
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 3000),
        }
        self.task = asyncio.ensure_future(self.app(scope, self._receive, self.messages.put))
        self._sent = False
        start = await self.messages.get()
        self.status = start["status"]
        return self

    async def __aexit__(self, *exit_info):
        self.left.set()
        await asyncio.wait_for(self.task, 10)

    async def _receive(self):
        if not self._sent:
            self._sent = True
            return {"type": "http.request", "body": self.body, "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def event(self):
        """Give the next event: its name and its data."""
        while "\n\n" not in self.text:
            message = await asyncio.wait_for(self.messages.get(), 20)
            self.text += message.get("body", b"").decode()
            if not message.get("more_body") and "\n\n" not in self.text:
                return ("end", None)
        block, _, self.text = self.text.partition("\n\n")
        lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        return (lines.get("event", ""), orjson.loads(lines.get("data") or "null"))


def began(project):
    with project.services.database.write() as transaction:
        run = insert_run(
            transaction,
            branch="main",
            environment="local",
            base_commit="",
            process=own_identity(),
            started_at=project.clock.now(),
        )
    return run.id


def step_is(project, run, status):
    record = StepRecord(
        key=AssetKey.parse("staging.orders"), position=0, action="build", status=status
    )
    with project.services.database.write() as transaction:
        save_steps(transaction, run, [record])


def ended(project, run):
    with project.services.database.write() as transaction:
        finish_run(transaction, run, status="succeeded", at=project.clock.now())


def test_a_run_is_followed_until_it_ends(project):
    async def scene():
        run = began(project)
        async with Stream(application(project), RUN_EVENTS, {"run": run}) as stream:
            seen = [await stream.event()]
            step_is(project, run, "running")
            seen.append(await stream.event())
            step_is(project, run, "built")
            seen.append(await stream.event())
            ended(project, run)
            seen += [await stream.event(), await stream.event()]
        return seen

    seen = asyncio.run(scene())
    found = [data["data"]["runEvents"] for name, data in seen if name == "next"]

    assert [name for name, _data in seen] == ["next"] * 4 + ["complete"]
    assert [event["isOver"] for event in found] == [False, False, False, True]
    assert [event["steps"] for event in found] == [
        [],
        [{"asset": "staging.orders", "status": "RUNNING"}],
        [{"asset": "staging.orders", "status": "BUILT"}],
        [],
    ]
    assert found[3]["run"]["stepCounts"] == [{"status": "BUILT", "count": 1}]


def test_between_two_events_no_snapshot_of_the_database_is_held(project):
    database, held = project.services.database, []

    class Counted:
        @contextmanager
        def read(self):
            held.append(1)
            with database.read() as transaction:
                yield transaction
            held.pop()

    async def scene():
        run = began(project)
        app = application(project)
        project.services.database = Counted()
        async with Stream(app, RUN_EVENTS, {"run": run}) as stream:
            await stream.event()
            after = len(held)
            project.services.database = database
            ended(project, run)
            return after

    assert asyncio.run(scene()) == 0


def test_a_run_that_has_ended_is_told_once(project):
    async def scene():
        async with Stream(application(project), RUN_EVENTS, {"run": 1}) as stream:
            return [await stream.event(), await stream.event()]

    first, second = asyncio.run(scene())

    assert first[1]["data"]["runEvents"]["isOver"] is True
    assert len(first[1]["data"]["runEvents"]["steps"]) == 3
    assert second == ("complete", None)


def test_streams_may_be_asked_for_by_get(project):
    async def scene():
        async with Stream(application(project), RUN_EVENTS, {"run": 1}, method="GET") as stream:
            return stream.status, await stream.event()

    status, (name, data) = asyncio.run(scene())

    assert (status, name) == (200, "next")
    assert data["data"]["runEvents"]["isOver"] is True


def test_a_foreign_page_gets_no_stream(project):
    async def scene():
        async with Stream(
            application(project),
            RUN_EVENTS,
            {"run": 1},
            method="GET",
            headers=[(b"sec-fetch-site", b"cross-site")],
        ) as stream:
            return stream.status

    assert asyncio.run(scene()) == 403


def test_logs_are_followed(project):
    query = "subscription ($run: Int!) { logs(run: $run) { text asset } }"

    async def scene():
        run = began(project)
        writer = project.services.logs.writer(run, "staging.orders", 1)
        writer.append("stdout", "one")
        async with Stream(application(project), query, {"run": run}) as stream:
            first = await stream.event()
            writer.append("stdout", "two")
            second = await stream.event()
            writer.close()
            ended(project, run)
            return first, second, await stream.event()

    first, second, last = asyncio.run(scene())

    assert first[1]["data"]["logs"] == [{"text": "one", "asset": "staging.orders"}]
    assert second[1]["data"]["logs"] == [{"text": "two", "asset": "staging.orders"}]
    assert last[0] == "complete"


def test_what_cannot_be_followed_is_an_error(project):
    async def scene(query):
        async with Stream(application(project), query) as stream:
            return [await stream.event(), await stream.event()]

    missing, _end = asyncio.run(scene("subscription { runEvents(run: 99) { isOver } }"))
    alone, _end = asyncio.run(scene("subscription { projectEvents { number } }"))
    wrong, _end = asyncio.run(scene("subscription { nothing }"))

    assert missing[1]["errors"][0]["extensions"]["code"] == "A6001"
    assert alone[1]["errors"][0]["extensions"]["code"] == "A8121"
    assert wrong[1]["errors"][0]["extensions"]["code"] == "A8105"


def test_there_are_as_many_streams_as_are_allowed(project):
    async def scene():
        app = application(project, settings=ApiSettings(streams=1))
        run = began(project)
        async with Stream(app, RUN_EVENTS, {"run": run}) as first:
            await first.event()
            async with Stream(app, RUN_EVENTS, {"run": run}) as second:
                refused = second.status
        async with Stream(app, RUN_EVENTS, {"run": run}) as third:
            await third.event()
            return refused, third.status

    assert asyncio.run(scene()) == (503, 200)


def test_events_of_a_server_are_told(folder):
    query = 'subscription { projectEvents(topics: ["launch"], after: 0) { topic name launch } }'

    async def scene():
        with Server(folder) as server:
            request = LaunchRequest(origin="manual", select=("raw.orders",))
            launch = await asyncio.to_thread(server.launch, request)
            async with Stream(application(server), query) as stream:
                return launch.id, await stream.event()

    number, (name, data) = asyncio.run(scene())

    assert name == "next"
    assert data["data"]["projectEvents"] == {"topic": "launch", "name": "queued", "launch": number}
