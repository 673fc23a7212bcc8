# SPDX-License-Identifier: Apache-2.0
"""`/metrics`: what Prometheus reads of pools, the queue, the leader, and how long callers wait."""

import re
from datetime import timedelta

import pytest

import mainstem
from mainstem import state
from mainstem.api import application
from mainstem.api.latency import BUCKETS, Latencies, route_of
from mainstem.runs import own_identity

LINE = re.compile(r'^[a-z_]+(\{([a-z]+="([^"\\]|\\.)*",?)+\})? -?[0-9.e+-]+$')


def read(api, **options):
    """Give the numbers by name with labels."""
    answer = api.get("/metrics", **options)
    assert answer.status_code == 200
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert [line for line in lines if not LINE.match(line)] == []
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@pytest.fixture
def pooled(folder, calling, configure):
    configure("name: shop\npools: {db: 2, api: {rate: 60/m}}\n")
    with mainstem.open(folder) as project:
        yield calling(application(project)), project


def test_every_name_has_one_type_and_one_help(api):
    text = api.get("/metrics").text
    helps = re.findall(r"^# HELP (\S+)", text, re.MULTILINE)
    types = re.findall(r"^# TYPE (\S+) (\w+)$", text, re.MULTILINE)

    assert [name for name, _kind in types] == helps
    assert len(set(helps)) == len(helps)
    assert {kind for _name, kind in types} == {"gauge", "histogram"}


def test_pools_tell_what_they_allow_and_what_is_taken(pooled):
    api, project = pooled
    now = project.clock.now()
    with project.services.database.write() as transaction:
        holder = state.Holder(run_id=7, asset="raw.a", attempt=1, owner="x")
        asks = [state.Ask(pool="db", limit=2)]
        state.take_slots(transaction, asks, holder, now=now, expires_at=now + timedelta(minutes=1))
        state.set_slots(transaction, "db", 5, by="ann", now=now)

    found = read(api)

    assert found['mainstem_pool_slots{pool="db"}'] == 5
    assert found['mainstem_pool_slots_taken{pool="db"}'] == 1
    assert found['mainstem_pool_slots_taken{pool="api"}'] == 0
    assert 'mainstem_pool_slots{pool="api"}' not in found


def test_the_queue_tells_its_length_and_how_long_the_oldest_waits(api, project):
    assert read(api)["mainstem_launch_wait_seconds"] == 0
    asked = project.clock.now() - timedelta(minutes=5)
    with project.services.database.write() as transaction:
        state.enqueue(transaction, state.LaunchRequest(origin="manual"), now=asked)

    found = read(api)

    assert found['mainstem_launches{status="queued"}'] == 1
    assert found['mainstem_launches{status="running"}'] == 0
    assert 300 <= found["mainstem_launch_wait_seconds"] < 360


def test_the_leader_is_named_with_its_age_and_its_lease(api, project):
    assert not [name for name in read(api) if name.startswith("mainstem_leader")]
    now, process = project.clock.now(), own_identity()
    with project.services.database.write() as transaction:
        state.take_lead(
            transaction,
            process,
            after=None,
            address="",
            now=now - timedelta(seconds=60),
            expires_at=now + timedelta(seconds=20),
        )

    found = read(api)
    assert found[f'mainstem_leader{{holder="{process.host}:{process.pid}"}}'] == 1
    assert 60 <= found["mainstem_leader_age_seconds"] < 90
    assert -10 < found["mainstem_leader_lease_seconds"] <= 20
    assert found["mainstem_leader_fence"] == 1

    with project.services.database.write() as transaction:
        state.give_up_lead(transaction, process, 1)
    assert [name for name in read(api) if name.startswith("mainstem_leader")] == [
        "mainstem_leader_fence"
    ]


def test_answers_are_counted_by_route_and_outcome(api):
    name = "mainstem_http_request_duration_seconds"
    api.ask("{ version { mainstem } }")
    api.get("/api/data/../../etc/passwd")
    api.get("/nothing")
    api.get("/metrics", headers={"Host": "evil.example"})

    found = read(api)

    counts = {
        key.removeprefix(f"{name}_count"): value
        for key, value in found.items()
        if key.startswith(f"{name}_count")
    }
    assert counts == {
        '{route="/graphql",outcome="2xx"}': 1,
        '{route="other",outcome="4xx"}': 2,
        '{route="/metrics",outcome="4xx"}': 1,
    }
    of_graphql = [
        value
        for key, value in found.items()
        if key.startswith(f'{name}_bucket{{route="/graphql",outcome="2xx"')
    ]
    assert len(of_graphql) == len(BUCKETS) + 1
    assert of_graphql == sorted(of_graphql)
    assert of_graphql[-1] == 1
    assert found[f'{name}_sum{{route="/graphql",outcome="2xx"}}'] > 0


def test_what_takes_as_long_as_a_bound_is_in_its_bucket():
    latencies = Latencies()
    for elapsed in (0.0, 0.005, 0.0051, 30.0, 31.0):
        latencies.note("/graphql", 200, elapsed)

    (found,) = latencies.histograms()

    assert (found.counts[0], found.counts[1], found.counts[-2], found.counts[-1]) == (2, 1, 1, 1)
    assert sum(found.counts) == 5


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/graphql", "/graphql"),
        ("/graphqlx", "other"),
        ("/api/data/raw.orders", "/api/data"),
        ("/hooks/orders", "/hooks"),
        ("/health/live", "/health"),
        ("/" + "x" * 10_000, "other"),
        ("", "other"),
    ],
)
def test_routes_are_few_whatever_is_asked(path, route):
    assert route_of(path) == route
