# SPDX-License-Identifier: Apache-2.0
"""The real server over a real socket: launch by mutation, follow, read, cancel, undo."""

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

PROGRAM = Path(sys.executable).parent / "mainstem"
FILES = {
    "mainstem.yml": "name: shop\n",
    "ingest/shop.yml": "type: files\npath: data/\ninto: raw\ntables:\n  orders: orders.csv\n",
    "data/orders.csv": "id,amount\n1,10\n2,20\n3,30\n",
    "models/marts/large.sql": (
        "/* ---\nmaterialized: table\nchecks: [{not_null: id}]\n--- */\n"
        "select id, amount from raw.orders where amount >= 20\n"
    ),
    "models/slow.py": (
        "import time\n\nimport pyarrow as pa\n\nfrom mainstem import asset\n\n\n"
        "@asset\ndef slow() -> pa.Table:\n    print('sleeping', flush=True)\n"
        "    time.sleep(60)\n    return pa.table({'a': [1]})\n"
    ),
}
FOLLOW = (
    "subscription ($run: Int!) { runEvents(run: $run) { isOver run { status } "
    "steps { asset status } } }"
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    for name, text in FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    began = time.monotonic()
    process = subprocess.Popen(
        [PROGRAM, "serve", "--port", "0"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    try:
        address = ""
        while not address:
            line = process.stderr.readline()
            assert line, "the server ended"
            found = re.search(r"http://\S+", line)
            address = found[0] if found else ""
        with httpx.Client(base_url=address, timeout=60) as client:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    assert client.get("/health").json()["live"] is True
                    break
                threading.Event().wait(0.02)
            client.headers["x-booted"] = str(time.monotonic() - began)
            yield client
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()
        process.stderr.close()


def ask(client, query, **variables):
    answer = client.post("/graphql", json={"query": query, "variables": variables}).json()
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


def launched(client, *select):
    number = ask(
        client,
        "mutation ($s: [String!]!) { launch(request: {select: $s}) { number } }",
        s=select,
    )["launch"]["number"]
    while True:
        found = ask(client, "query ($n: Int!) { launch(number: $n) { status run } }", n=number)
        if found["launch"]["run"] is not None:
            return number, found["launch"]["run"]
        threading.Event().wait(0.02)


def events(client, query, **variables):
    body = {"query": query, "variables": variables}
    with client.stream(
        "POST", "/graphql", json=body, headers={"Accept": "text/event-stream"}
    ) as answer:
        name = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: ") and name == "next":
                document = orjson.loads(line.removeprefix("data: "))
                assert "errors" not in document, document
                yield document["data"]
            elif name == "complete":
                return


def test_a_run_is_launched_followed_read_and_undone(server):
    _launch, run = launched(server, "+marts.large")
    seen = list(events(server, FOLLOW, run=run))
    statuses = {
        step["asset"]: step["status"] for event in seen for step in event["runEvents"]["steps"]
    }
    last = seen[-1]["runEvents"]

    assert (last["isOver"], last["run"]["status"]) == (True, "SUCCEEDED")
    assert statuses == {"raw.orders": "READ", "marts.large": "BUILT"}

    url = "/api/data/marts.large"
    rows = server.get(url)
    assert rows.json() == [{"id": 2, "amount": 20}, {"id": 3, "amount": 30}]
    assert server.get(f"{url}?format=csv").text.splitlines() == ['"id","amount"', "2,20", "3,30"]
    with pa.ipc.open_stream(server.get(f"{url}?format=arrow").content) as reader:
        assert reader.read_all().num_rows == 2
    parquet = server.get(f"{url}?format=parquet").content
    assert pq.read_table(pa.BufferReader(parquet)).column("id").to_pylist() == [2, 3]
    etag = {"If-None-Match": rows.headers["etag"]}
    assert server.get(url, headers=etag).status_code == 304

    commit = ask(server, "query ($n: Int!) { run(number: $n) { commit } }", n=run)["run"]["commit"]
    ask(server, "mutation ($c: String!) { revert(commit: $c) { id } }", c=commit)
    gone = server.get(url, headers=etag)
    assert gone.status_code == 404
    trail = ask(server, "{ audit { nodes { action result } } }")["audit"]["nodes"]
    assert trail[0] == {"action": "revert", "result": "ok"}


def test_a_run_is_cancelled(server):
    launch, run = launched(server, "slow")
    lines = events(server, "subscription ($r: Int!) { logs(run: $r) { text } }", r=run)
    assert "sleeping" in next(lines)["logs"][0]["text"]

    asked = ask(server, "mutation ($n: Int!) { cancel(launch: $n) { status } }", n=launch)
    seen = list(events(server, FOLLOW, run=run))

    assert asked["cancel"]["status"] in {"RUNNING", "CANCELLED"}
    assert seen[-1]["runEvents"]["run"]["status"] == "CANCELLED"


def test_a_reload_is_told_to_who_watches(server):
    assert ask(server, "mutation { reload { isInForce problems { code } } }") == {
        "reload": {"isInForce": True, "problems": []}
    }
    told = events(server, 'subscription { projectEvents(topics: ["project"], after: 0) { name } }')

    assert next(told) == {"projectEvents": {"name": "reloaded"}}


def test_pages_elsewhere_cannot_reach_it(server):
    rebound = server.get("/api/data/marts.large", headers={"Host": "evil.example"})
    foreign = server.post(
        "/graphql", json={"query": "{ version { mainstem } }"}, headers={"Origin": "http://evil"}
    )

    assert rebound.status_code == 421
    assert foreign.status_code == 403
