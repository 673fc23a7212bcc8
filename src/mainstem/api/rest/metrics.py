# SPDX-License-Identifier: Apache-2.0
"""`/metrics`: what Prometheus reads, in its text format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from mainstem import __version__
from mainstem.api.door import principal_of
from mainstem.api.host import Host
from mainstem.api.latency import BUCKETS, Histogram, Latencies
from mainstem.api.problem import Problem
from mainstem.api.work import Deadline, Workbench
from mainstem.project import PoolState, pool_states
from mainstem.state import (
    Leader,
    leader,
    lease_counts,
    oldest_queued_us,
    open_steps_by_status,
    queue_depth,
    runs_by_status,
    to_us,
)
from mainstem.types import dataclass

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One number of a metric."""

    labels: Labels
    value: float
    suffix: str = ""
    """Of the name, in a histogram: `_bucket`, `_sum`, `_count`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric with its numbers."""

    name: str
    kind: str
    """`gauge`, `counter` or `histogram`."""
    help: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The route."""

    host: Host
    bench: Workbench
    latencies: Latencies

    async def answer(self, request: Request) -> Response:
        """Answer with all metrics."""
        principal = principal_of(request.scope)
        if isinstance(principal, Problem):
            return principal.response()
        families = await self.bench.run(self._families)
        return PlainTextResponse(
            exposition(families), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    def _families(self, deadline: Deadline) -> list[Family]:
        del deadline
        project = self.host.project
        now = project.clock.now()
        with project.services.database.read() as transaction:
            runs = runs_by_status(transaction)
            steps = open_steps_by_status(transaction)
            queue = queue_depth(transaction)
            oldest_us = oldest_queued_us(transaction)
            held, expired = lease_counts(transaction, now_us=to_us(now))
            pools = pool_states(project, transaction)
            led = leader(transaction)
        waits_s = 0.0 if oldest_us is None else max(0.0, (to_us(now) - oldest_us) / 1e6)
        return [
            _one("mainstem_info", "Version and project.", 1, version=__version__),
            _each("mainstem_runs", "Runs by status.", "status", runs),
            _each("mainstem_steps", "Steps of runs that go on, by status.", "status", steps),
            _each("mainstem_launches", "Launches that wait or run.", "status", queue),
            _one("mainstem_launch_wait_seconds", "How long the oldest launch waits.", waits_s),
            *_of_pools(pools),
            *_of_leader(led, now),
            _each(
                "mainstem_leases",
                "Leases on assets, by whether they still hold.",
                "state",
                {"held": held, "expired": expired},
            ),
            _one("mainstem_assets", "Assets of the project.", len(project.graph.order)),
            _one("mainstem_problems", "Faults in the project's files.", len(project.problems)),
            _one(
                "mainstem_api_requests",
                "Requests that are worked on or wait, this one too.",
                self.bench.taken,
            ),
            _of_latencies(self.latencies.histograms()),
            *_database_size(project.services.database.url),
        ]


def exposition(families: Iterable[Family]) -> str:
    """Write metrics in Prometheus' text format."""
    lines: list[str] = []
    for family in families:
        lines.append(f"# HELP {family.name} {family.help}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        for sample in family.samples:
            inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in sample.labels)
            name = f"{family.name}{sample.suffix}"
            value = int(sample.value) if sample.value == int(sample.value) else sample.value
            lines.append(f"{name}{{{inside}}} {value}" if inside else f"{name} {value}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _one(name: str, explained: str, value: float, **labels: str) -> Family:
    sample = Sample(labels=tuple(labels.items()), value=value)
    return Family(name=name, kind="gauge", help=explained, samples=(sample,))


def _each(name: str, explained: str, label: str, values: Mapping[str, float]) -> Family:
    samples = tuple(
        Sample(labels=((label, key),), value=value) for key, value in sorted(values.items())
    )
    return Family(name=name, kind="gauge", help=explained, samples=samples)


def _of_pools(pools: Sequence[PoolState]) -> list[Family]:
    slots = {pool.name: float(pool.slots) for pool in pools if pool.slots is not None}
    taken = {pool.name: float(pool.taken) for pool in pools}
    return [
        _each("mainstem_pool_slots", "Slots of a pool, or bytes of memory.", "pool", slots),
        _each("mainstem_pool_slots_taken", "Slots that attempts hold.", "pool", taken),
    ]


def _of_leader(led: Leader | None, now: datetime) -> list[Family]:
    """Tell who leads; nothing of it where no server ever did."""
    if led is None:
        return []
    found = [
        _one(
            "mainstem_leader_fence", "How often the lead was taken: grows at fail-over.", led.fence
        )
    ]
    if led.process is not None:
        holder = f"{led.process.host}:{led.process.pid}"
        age_s = (now - led.since).total_seconds()
        left_s = (led.expires_at - now).total_seconds()
        found += [
            _one("mainstem_leader", "The server that leads.", 1, holder=holder),
            _one("mainstem_leader_age_seconds", "Since when it leads.", age_s),
            _one(
                "mainstem_leader_lease_seconds",
                "Until its lease ends, unless it is renewed; less than 0: it is silent.",
                left_s,
            ),
        ]
    return found


def _of_latencies(histograms: Iterable[Histogram]) -> Family:
    samples: list[Sample] = []
    for each in histograms:
        labels = (("route", each.route), ("outcome", each.outcome))
        bounds = [f"{bound:g}" for bound in BUCKETS] + ["+Inf"]
        for bound, total in zip(bounds, accumulate(each.counts), strict=True):
            samples.append(Sample(labels=(*labels, ("le", bound)), value=total, suffix="_bucket"))
        samples.append(Sample(labels=labels, value=each.sum_s, suffix="_sum"))
        samples.append(Sample(labels=labels, value=sum(each.counts), suffix="_count"))
    return Family(
        name="mainstem_http_request_duration_seconds",
        kind="histogram",
        help="Until an answer began, by route and outcome.",
        samples=tuple(samples),
    )


def _database_size(url: str) -> list[Family]:
    if not url.startswith("sqlite:///"):
        return []
    file = Path(url.removeprefix("sqlite:///"))
    found = [
        path.stat().st_size for path in (file, file.with_name(f"{file.name}-wal")) if path.exists()
    ]
    return [_one("mainstem_database_bytes", "Size of the database's files.", sum(found))]
