# SPDX-License-Identifier: Apache-2.0
"""OpenLineage and OpenTelemetry: what a receiver gets, and that a run never waits for one."""

import socket
import subprocess
import sys
import threading
import time
import uuid

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import mainstem
from mainstem.errors import ConfigInvalid
from mainstem.observers.background import Background

TOTAL = """\
/* ---
materialized: table
owner: ann@shop.example
--- */
select n, n * 2 as doubled from seeds.numbers
"""
BROKEN = "/* ---\nmaterialized: table\n--- */\nselect error('b0rken') as a from seeds.numbers\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds/numbers.csv").write_text("n\n1\n2\n")
    (tmp_path / "models/total.sql").write_text(TOTAL)
    (tmp_path / "models/broken.sql").write_text(BROKEN)
    return tmp_path


def _run(folder, settings):
    (folder / "mainstem.yml").write_text(f"name: shop\n{settings}\n")
    with mainstem.open(folder) as project:
        return project.run()


def test_openlineage_gets_the_run_its_steps_and_what_they_wrote(folder, receiver):
    url = f"http://127.0.0.1:{receiver.port}"
    finished = _run(folder, f"openlineage: {{url: '{url}', namespace: acme, api_key: k3y-1234}}")

    by_name = {}
    for event in receiver.received:
        by_name.setdefault(event["job"]["name"], []).append(event)
    kinds = {name: [event["eventType"] for event in events] for name, events in by_name.items()}
    assert finished.status == "failed"
    assert kinds == {
        "run": ["START", "FAIL"],
        "seeds.numbers": ["START", "COMPLETE"],
        "main.total": ["START", "COMPLETE"],
        "main.broken": ["START", "FAIL"],
    }
    assert set(receiver.paths) == {"/api/v1/lineage"}
    assert receiver.headers[0]["Authorization"] == "Bearer k3y-1234"

    done = by_name["main.total"][1]
    (output,) = done["outputs"]
    assert done["inputs"] == [{"namespace": "acme", "name": "seeds.numbers"}]
    assert [field["name"] for field in output["facets"]["schema"]["fields"]] == ["n", "doubled"]
    lineage = output["facets"]["columnLineage"]["fields"]["doubled"]["inputFields"]
    assert lineage == [{"namespace": "acme", "name": "seeds.numbers", "field": "n"}]
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 2
    assert output["outputFacets"]["outputStatistics"]["size"] > 0
    assert done["job"]["facets"]["ownership"]["owners"] == [{"name": "ann@shop.example"}]
    failed = by_name["main.broken"][1]
    assert "b0rken" in failed["run"]["facets"]["errorMessage"]["message"]


def test_every_openlineage_event_has_what_the_specification_asks_for(folder, receiver):
    _run(folder, f"openlineage: {{url: 'http://127.0.0.1:{receiver.port}/custom'}}")

    parents = {
        event["run"]["runId"] for event in receiver.received if event["job"]["name"] == "run"
    }
    assert set(receiver.paths) == {"/custom"}
    assert len(parents) == 1
    for event in receiver.received:
        uuid.UUID(event["run"]["runId"])
        assert event["schemaURL"].startswith("https://openlineage.io/spec/")
        assert event["producer"]
        assert event["eventTime"].endswith("+00:00")
        facets = [*event["run"]["facets"].values(), *event["job"]["facets"].values()]
        for dataset in event["outputs"]:
            facets += dataset.get("facets", {}).values()
        assert all(facet["_producer"] and facet["_schemaURL"] for facet in facets)
        if event["job"]["name"] != "run":
            assert event["run"]["facets"]["parent"]["run"]["runId"] in parents


def test_telemetry_gets_a_trace_of_the_run_and_its_figures(folder, receiver):
    url = f"http://127.0.0.1:{receiver.port}"
    _run(folder, f"telemetry: {{otlp: '{url}', headers: {{x-tenant: acme}}}}")

    spans, names, deltas = [], set(), set()
    for path, raw in zip(receiver.paths, receiver.raw, strict=True):
        if path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(raw).resource_spans:
                spans += [span for scope in resource.scope_spans for span in scope.spans]
        elif path == "/v1/metrics":
            for resource in ExportMetricsServiceRequest.FromString(raw).resource_metrics:
                found = [one for scope in resource.scope_metrics for one in scope.metrics]
                names |= {one.name for one in found}
                deltas |= {one.sum.aggregation_temporality for one in found if one.HasField("sum")}
    by_name = {span.name: span for span in spans}
    assert set(by_name) == {"run", "seeds.numbers", "main.total", "main.broken"}
    assert all(
        span.parent_span_id == by_name["run"].span_id for span in spans if span.name != "run"
    )
    assert len({span.trace_id for span in spans}) == 1
    assert by_name["main.broken"].status.code == 2
    assert by_name["main.total"].end_time_unix_nano > by_name["main.total"].start_time_unix_nano
    assert deltas == {1}
    assert {"mainstem.steps", "mainstem.rows", "mainstem.bytes", "mainstem.run.duration"} <= names
    assert receiver.headers[0]["X-Tenant" if "X-Tenant" in receiver.headers[0] else "x-tenant"]


@pytest.mark.parametrize("kind", ["refuses", "hangs", "errs"])
def test_a_receiver_in_trouble_neither_fails_nor_holds_up_a_run(folder, receiver, kind):
    listener = socket.create_server(("127.0.0.1", 0))
    port = {"refuses": 1, "hangs": listener.getsockname()[1], "errs": receiver.port}[kind]
    receiver.answers = [500] * 100
    began = time.monotonic()

    finished = _run(
        folder,
        f"openlineage: {{url: 'http://127.0.0.1:{port}'}}\n"
        f"telemetry: {{otlp: 'http://127.0.0.1:{port}'}}",
    )

    listener.close()
    assert {str(step.key): step.status for step in finished.steps}["main.total"] == "built"
    assert time.monotonic() - began < 30


def test_without_its_libraries_telemetry_is_an_error_before_anything_runs(folder, monkeypatch):
    monkeypatch.delitem(sys.modules, "mainstem.observers.telemetry", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)

    with pytest.raises(ConfigInvalid) as caught:
        _run(folder, "telemetry: {otlp: 'http://127.0.0.1:1'}")

    assert caught.value.code == "A1096"
    with mainstem.open(folder) as project:
        assert project.runs() == []


def test_nothing_of_it_is_imported_unless_it_is_asked_for(folder):
    (folder / "mainstem.yml").write_text("name: shop\n")
    code = (
        "import sys, mainstem\n"
        "with mainstem.open('.') as project: project.run(['seeds.numbers'])\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'smtplib', "
        "'mainstem.observers.openlineage', 'urllib.request'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_a_receiver_that_fails_three_times_is_left_alone():
    background, tried = Background("test"), []

    def fail():
        tried.append(1)
        return False

    for _ in range(10):
        background.submit(fail)
    background.close(wait_s=5)

    assert len(tried) == 3
    assert background.dropped == 7


def test_closing_waits_no_longer_than_it_was_told():
    background, gate, done = Background("test"), threading.Event(), []

    background.submit(lambda: gate.wait(30))
    background.submit(lambda: bool(done.append(1)))
    background.close(wait_s=0.05)
    gate.set()
    background.submit(lambda: bool(done.append(2)))

    assert done == []
