# SPDX-License-Identifier: Apache-2.0
"""`/metrics`: what Prometheus reads, in its text format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from mainstem.api.door import principal_of
from mainstem.api.host import Host
from mainstem.api.problem import Problem
from mainstem.api.work import Deadline, Workbench
from mainstem.state import (
    lease_counts,
    open_steps_by_status,
    queue_depth,
    runs_by_status,
    to_us,
)
from mainstem.types import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric with its values by label."""

    name: str
    kind: str
    """`gauge` or `counter`."""
    help: str
    values: Mapping[tuple[tuple[str, str], ...], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The route."""

    host: Host
    bench: Workbench

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
        with project.services.database.read() as transaction:
            runs = runs_by_status(transaction)
            steps = open_steps_by_status(transaction)
            queue = queue_depth(transaction)
            held, expired = lease_counts(transaction, now_us=to_us(project.clock.now()))
        return [
            _one("mainstem_info", "Version and project.", 1, version=version("mainstem")),
            _each("mainstem_runs", "Runs by status.", "status", runs),
            _each("mainstem_steps", "Steps of runs that go on, by status.", "status", steps),
            _each("mainstem_launches", "Launches that wait or run.", "status", queue),
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
            *_database_size(project.services.database.url),
        ]


def exposition(families: Iterable[Family]) -> str:
    """Write metrics in Prometheus' text format."""
    lines: list[str] = []
    for family in families:
        lines.append(f"# HELP {family.name} {family.help}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        for labels, value in family.values.items():
            inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
            labelled = f"{family.name}{{{inside}}}" if inside else family.name
            lines.append(f"{labelled} {int(value) if value == int(value) else value}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _one(name: str, explained: str, value: float, **labels: str) -> Family:
    return Family(name=name, kind="gauge", help=explained, values={tuple(labels.items()): value})


def _each(name: str, explained: str, label: str, values: Mapping[str, int]) -> Family:
    labelled: dict[tuple[tuple[str, str], ...], float] = {
        ((label, key),): count for key, count in sorted(values.items())
    }
    return Family(name=name, kind="gauge", help=explained, values=labelled)


def _database_size(url: str) -> list[Family]:
    if not url.startswith("sqlite:///"):
        return []
    file = Path(url.removeprefix("sqlite:///"))
    found = [
        path.stat().st_size for path in (file, file.with_name(f"{file.name}-wal")) if path.exists()
    ]
    return [_one("mainstem_database_bytes", "Size of the database's files.", sum(found))]
