# SPDX-License-Identifier: Apache-2.0
"""OpenLineage events of a run: plain JSON as the public specification says, sent beside the run.

A run of ours is the parent, each step that works is a job named like its asset. Imported only when
`openlineage:` is set.
"""

from __future__ import annotations

import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import orjson

from mainstem.graph import Graph
from mainstem.observers.background import Background
from mainstem.observers.tables import TableFacts
from mainstem.runs import RunEvent, RunFinished, RunStarted, StepFinished, StepStarted
from mainstem.types import AssetKey, Clock

_PRODUCER = f"pkg:pypi/mainstem@{version('mainstem')}"
_SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/definitions/RunEvent"
_FACETS = "https://openlineage.io/spec/facets"
_TIMEOUT_S = 3.0
_CLOSING_S = 2.0
_ENDED = {"built": "COMPLETE", "read": "COMPLETE", "unchanged": "COMPLETE", "cancelled": "ABORT"}


class OpenLineage:
    """Sends the events of one run; hears them one at a time and never waits.

    Args:
        url: Of the receiver; `/api/v1/lineage` is added to one without a path.
        namespace: Of jobs and datasets.
        api_key: Sent as bearer token; empty for none.
        graph: For inputs and owners.
        facts: Looks a table up, in the sending thread: key and run.
        clock: For event times.
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str,
        api_key: str,
        graph: Graph,
        facts: Callable[[AssetKey, int], TableFacts],
        clock: Clock,
    ) -> None:
        self._url = url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/api/v1/lineage"
        self._namespace = namespace
        self._api_key = api_key
        self._graph = graph
        self._facts = facts
        self._clock = clock
        self._background = Background("openlineage")
        self._run: RunStarted | None = None
        self._begun: set[AssetKey] = set()
        self._is_over = False

    def __call__(self, event: RunEvent) -> None:
        """Take one event in."""
        now = self._clock.now()
        match event:
            case RunStarted():
                self._run = event
                self._submit(lambda: self._event("START", now))
            case StepStarted() if event.key not in self._begun:
                self._begun.add(event.key)
                self._submit(lambda: self._step_event("START", event.key, now))
            case StepFinished() if event.key in self._begun:
                self._submit(lambda: self._finished(event, now))
            case RunFinished() if self._run is not None:
                kinds = {"succeeded": "COMPLETE", "cancelled": "ABORT"}
                kind = kinds.get(event.status, "FAIL")
                self._submit(lambda: self._event(kind, now))
                self._is_over = True
            case _:
                pass

    def close(self) -> None:
        """Send what is left, for two seconds at most; of a run that could not go on, its end."""
        if self._run is not None and not self._is_over:
            now = self._clock.now()
            self._submit(lambda: self._event("FAIL", now))
        self._background.close(wait_s=_CLOSING_S)

    def _submit(self, make: Callable[[], dict[str, Any]]) -> None:
        self._background.submit(lambda: self._send(make()))

    def _send(self, event: dict[str, Any]) -> bool:
        headers = {"Content-Type": "application/json"}
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        if urlsplit(self._url).scheme not in {"http", "https"}:
            return False
        request = urllib.request.Request(  # noqa: S310  # the scheme was looked at
            self._url, data=orjson.dumps(event), headers=headers, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310  # same
                response.read(1 << 16)
        except (OSError, ValueError):
            return False
        return True

    def _event(
        self,
        kind: str,
        at: datetime,
        *,
        key: AssetKey | None = None,
        run_facets: Mapping[str, Any] | None = None,
        inputs: Sequence[Mapping[str, Any]] = (),
        outputs: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, Any]:
        return {
            "eventType": kind,
            "eventTime": at.isoformat(),
            "producer": _PRODUCER,
            "schemaURL": _SPEC,
            "run": {"runId": self._run_id(key), "facets": dict(run_facets or {})},
            "job": {
                "namespace": self._namespace,
                "name": "run" if key is None else str(key),
                "facets": {} if key is None else self._job_facets(key),
            },
            "inputs": list(inputs),
            "outputs": list(outputs),
        }

    def _step_event(
        self,
        kind: str,
        key: AssetKey,
        at: datetime,
        *,
        facets: Mapping[str, Any] | None = None,
        output: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        parent = _facet(
            "1-0-1/ParentRunFacet",
            run={"runId": self._run_id(None)},
            job={"namespace": self._namespace, "name": "run"},
        )
        asset = self._graph.assets.get(key)
        return self._event(
            kind,
            at,
            key=key,
            run_facets={"parent": parent, **(facets or {})},
            inputs=[self._dataset(one) for one in (asset.inputs if asset is not None else ())],
            outputs=[{**self._dataset(key), **(output or {})}],
        )

    def _finished(self, event: StepFinished, at: datetime) -> dict[str, Any]:
        if event.status not in _ENDED:
            message = event.error.summary if event.error is not None else event.reason
            trace = {"stackTrace": event.error.details} if event.error is not None else {}
            error = _facet(
                "1-0-0/ErrorMessageRunFacet",
                message=message,
                programmingLanguage="PYTHON",
                **trace,
            )
            return self._step_event("FAIL", event.key, at, facets={"errorMessage": error})
        kind = _ENDED[event.status]
        if kind != "COMPLETE":
            return self._step_event(kind, event.key, at)
        return self._step_event(kind, event.key, at, output=self._output(event))

    def _output(self, event: StepFinished) -> dict[str, Any]:
        assert self._run is not None, "steps end after their run began"
        found = self._facts(event.key, self._run.run_id)
        facets: dict[str, Any] = {}
        if found.schema is not None:
            facets["schema"] = _facet(
                "1-1-1/SchemaDatasetFacet",
                fields=[
                    {"name": field.name, "type": str(field.type)}
                    | ({"description": field.doc} if field.doc else {})
                    for field in found.schema
                ],
            )
        if found.lineage and any(found.lineage.values()):
            facets["columnLineage"] = _facet(
                "1-2-0/ColumnLineageDatasetFacet",
                fields={
                    column: {
                        "inputFields": [
                            {**self._dataset(key), "field": name} for key, name in above
                        ]
                    }
                    for column, above in found.lineage.items()
                    if above
                },
            )
        statistics = {"rowCount": event.rows, "size": event.size_bytes}
        known = {name: value for name, value in statistics.items() if value is not None}
        output: dict[str, Any] = {"facets": facets}
        if known:
            facet = _facet("1-0-2/OutputStatisticsOutputDatasetFacet", **known)
            output["outputFacets"] = {"outputStatistics": facet}
        return output

    def _job_facets(self, key: AssetKey) -> dict[str, Any]:
        facets = {
            "jobType": _facet(
                "2-0-3/JobTypeJobFacet",
                processingType="BATCH",
                integration="MAINSTEM",
                jobType="ASSET",
            )
        }
        asset = self._graph.assets.get(key)
        if asset is not None and asset.owner:
            owners = [{"name": asset.owner}]
            facets["ownership"] = _facet("1-0-1/OwnershipJobFacet", owners=owners)
        return facets

    def _dataset(self, key: AssetKey) -> dict[str, Any]:
        return {"namespace": self._namespace, "name": str(key)}

    def _run_id(self, key: AssetKey | None) -> str:
        assert self._run is not None, "a run begins before its steps"
        started = self._run.started_at.isoformat()
        name = f"{self._namespace}/{self._run.run_id}/{started}/{key.folded if key else ''}"
        return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def _facet(name: str, **fields: Any) -> dict[str, Any]:
    place, _slash, kind = name.partition("/")
    url = f"{_FACETS}/{place}/{kind}.json#/$defs/{kind}"
    return {"_producer": _PRODUCER, "_schemaURL": url, **fields}
