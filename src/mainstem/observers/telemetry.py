# SPDX-License-Identifier: Apache-2.0
"""Traces and metrics of runs through OpenTelemetry, over OTLP/HTTP. The only importer of it.

One span for a run, one below it for each step that works; counters of steps, rows, bytes, seconds.
Imported only when `telemetry:` is set.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, Status, StatusCode

from mainstem.runs import RunEvent, RunFinished, RunStarted, StepFinished, StepRetried, StepStarted
from mainstem.types import AssetKey, Clock

_CLOSING_S = 2.0
_TIMEOUT_S = 2.0
_BAD = frozenset({"failed", "held"})


class Telemetry:
    """Traces one run; hears its events one at a time and never waits for the receiver.

    Args:
        url: Of the OTLP receiver, without `/v1/traces`.
        headers: Sent along.
        project: Name of the service.
        clock: For the times of spans.
    """

    def __init__(self, url: str, *, headers: Mapping[str, str], project: str, clock: Clock) -> None:
        # A receiver that is down is told of by nobody but itself.
        logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
        base = url.rstrip("/")
        resource = Resource.create({"service.name": project, "service.namespace": "mainstem"})
        self._clock = clock
        self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._traces.add_span_processor(
            BatchSpanProcessor(
                OTLPSpanExporter(f"{base}/v1/traces", headers=dict(headers), timeout=_TIMEOUT_S)
            )
        )
        exporter = OTLPMetricExporter(
            f"{base}/v1/metrics",
            headers=dict(headers),
            timeout=_TIMEOUT_S,
            # Each run counts for itself, maybe beside others: sums are the receiver's affair.
            preferred_temporality={
                Counter: AggregationTemporality.DELTA,
                Histogram: AggregationTemporality.DELTA,
            },
        )
        self._metrics = MeterProvider(
            metric_readers=[PeriodicExportingMetricReader(exporter)],
            resource=resource,
            shutdown_on_exit=False,
        )
        self._tracer = self._traces.get_tracer("mainstem")
        meter = self._metrics.get_meter("mainstem")
        self._steps = meter.create_counter("mainstem.steps", description="Steps that ended")
        self._rows = meter.create_counter("mainstem.rows", description="Rows written")
        self._bytes = meter.create_counter("mainstem.bytes", unit="By", description="Bytes written")
        self._seconds = meter.create_histogram("mainstem.step.duration", unit="s")
        self._runs = meter.create_histogram("mainstem.run.duration", unit="s")
        self._run: Span | None = None
        self._spans: dict[AssetKey, Span] = {}

    def __call__(self, event: RunEvent) -> None:
        """Take one event in."""
        match event:
            case RunStarted():
                self._run = self._span("run", event.started_at, None)
                self._run.set_attributes(
                    {
                        "mainstem.run_id": event.run_id,
                        "mainstem.environment": event.environment,
                        "mainstem.branch": event.branch,
                    }
                )
            case StepStarted():
                if event.key not in self._spans:
                    self._spans[event.key] = self._span(
                        str(event.key), self._clock.now(), self._run
                    )
            case StepRetried():
                span = self._spans.get(event.key)
                if span is not None:
                    span.add_event(
                        "retried",
                        {"attempt": event.attempt, "error": event.error.summary},
                        timestamp=_ns(self._clock.now()),
                    )
            case StepFinished():
                self._step_finished(event)
            case RunFinished() if self._run is not None:
                self._run_finished(event, self._run)
            case _:
                pass

    def close(self) -> None:
        """Send what is left, for two seconds at most; what takes longer dies with the process."""
        if self._run is not None and self._run.is_recording():
            self._run.set_status(Status(StatusCode.ERROR, "it could not go on"))
            self._run.end(_ns(self._clock.now()))
        threads = [
            threading.Thread(target=_quietly(shut), name="telemetry", daemon=True)
            for shut in (self._traces.shutdown, self._metrics.shutdown)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(_CLOSING_S)

    def _step_finished(self, event: StepFinished) -> None:
        labels = {"asset": str(event.key), "status": event.status}
        self._steps.add(1, labels)
        if event.rows is not None:
            self._rows.add(event.rows, {"asset": str(event.key)})
        if event.size_bytes is not None:
            self._bytes.add(event.size_bytes, {"asset": str(event.key)})
        span = self._spans.pop(event.key, None)
        if span is None:
            return
        self._seconds.record(event.elapsed_s, labels)
        span.set_attribute("mainstem.status", event.status)
        for name, value in (("rows", event.rows), ("bytes", event.size_bytes)):
            if value is not None:
                span.set_attribute(f"mainstem.{name}", value)
        if event.status in _BAD:
            reason = event.error.summary if event.error is not None else event.reason
            span.set_status(Status(StatusCode.ERROR, reason))
        span.end(_ns(self._clock.now()))

    def _run_finished(self, event: RunFinished, run: Span) -> None:
        now = _ns(self._clock.now())
        for span in self._spans.values():
            span.end(now)
        run.set_attribute("mainstem.status", event.status)
        if event.status in _BAD:
            run.set_status(Status(StatusCode.ERROR, event.status))
        run.end(now)
        self._runs.record(event.elapsed_s, {"status": event.status})

    def _span(self, name: str, at: datetime, parent: Span | None) -> Span:
        within = context.Context() if parent is None else trace.set_span_in_context(parent)
        return self._tracer.start_span(name, context=within, start_time=_ns(at))


def _ns(when: datetime) -> int:
    return int(when.timestamp() * 1_000_000) * 1000


def _quietly(shut: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        shut()

    return run
