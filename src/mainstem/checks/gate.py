# SPDX-License-Identifier: Apache-2.0
"""Checks as gates of a run (`mainstem.runs.Gate`), one at a time or all of an asset together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from mainstem.checks.aside import aside_of, count_aside
from mainstem.checks.known import KINDS
from mainstem.checks.measure import measure, measure_together, shares_a_scan
from mainstem.checks.proof import prove
from mainstem.checks.shape import judge_schema, judge_type
from mainstem.checks.target import Resolve, Target, place_of, target_of
from mainstem.checks.verdict import Finding, errored, judge
from mainstem.engines import quote_key, register_all
from mainstem.errors import Cancelled, InternalError, MainstemError
from mainstem.types import (
    AssetKey,
    CheckResult,
    CheckSpec,
    Clock,
    Engine,
    Relation,
    Schema,
    Session,
    SystemClock,
    TableRef,
    ViewRef,
    did_you_mean,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mainstem.runs import CancelToken

Relations = Callable[[AssetKey], Relation]


class CheckGate:
    """One check, ready to be evaluated; implements `mainstem.runs.Gate`."""

    def __init__(self, target: Target, engine: Engine, clock: Clock, batch: _Batch | None) -> None:
        self.target = target
        self.check_id = target.spec.id
        self.asset = target.spec.asset
        self.reads = target.reads
        self.quarantines = target.spec.quarantine
        self.engine = engine
        self.clock = clock
        self._batch = batch

    @property
    def spec(self) -> CheckSpec:
        """The check as written."""
        return self.target.spec

    def evaluate(self, relation: Relations, cancel: CancelToken) -> CheckResult:
        """Judge; what cannot be evaluated is a result with the verdict `errored`.

        Gates made together share one look at their asset: the first that is evaluated answers for
        those of its kind, as long as it is the same version that they are asked about.

        Raises:
            Cancelled: The run was stopped.
        """
        if self._batch is not None:
            return self._batch.result(self, relation, cancel)
        return evaluate_all([self], relation, cancel)[0]


class _Batch:
    """Gates of one asset that look at nothing else, and their results for one version of it."""

    def __init__(self) -> None:
        self.gates: list[CheckGate] = []
        self._lock = threading.Lock()
        self._version: object = None
        self._results: dict[str, CheckResult] = {}

    def result(self, gate: CheckGate, relation: Relations, cancel: CancelToken) -> CheckResult:
        with self._lock:
            try:
                version = self._version_of(relation)
            except MainstemError:
                version = None  # evaluation says what is wrong
            if version is None:
                return evaluate_all([gate], relation, cancel)[0]
            if version != self._version or gate.check_id not in self._results:
                results = evaluate_all(self.gates, relation, cancel)
                self._results = {result.check_id: result for result in results}
                self._version = version
            return self._results[gate.check_id]

    def _version_of(self, relation: Relations) -> object:
        version = _version(relation(self.gates[0].asset))
        asides = [table for gate in self.gates if (table := aside_of(gate.spec, relation))]
        return (version, _version(asides[0])) if version and asides else version


def _version(relation: Relation) -> object:
    """Give what two relations with equal rows have in common; `None` if it cannot be told."""
    if isinstance(relation, TableRef):
        return tuple(file.path for file in relation.files), relation.schema
    return (relation.data_version, relation.sql) if relation.data_version else None


def gate_of(
    spec: CheckSpec, *, engine: Engine, resolve_name: Resolve, clock: Clock | None = None
) -> CheckGate:
    """Make the gate of one check.

    Args:
        spec: From `parse_checks`.
        engine: Computes what statistics cannot prove; no session is opened before that.
        resolve_name: Gives the asset that a name means, as `Graph.resolve` does.
        clock: Measures how long evaluation takes.

    Raises:
        AssetNotFound: The check names an asset that does not exist.
        SqlInvalid: The query of a `sql` check does not parse.
    """
    return CheckGate(target_of(spec, resolve_name), engine, clock or SystemClock(), None)


def gates_of(
    specs: Iterable[CheckSpec],
    *,
    engine: Engine,
    resolve_name: Resolve,
    clock: Clock | None = None,
) -> list[CheckGate]:
    """Make the gates of one asset, so that they share one session and one scan."""
    batch = _Batch()
    ticking = clock or SystemClock()
    gates = []
    for spec in specs:
        target = target_of(spec, resolve_name)
        is_local = target.reads == (spec.asset,)
        gate = CheckGate(target, engine, ticking, batch if is_local else None)
        gates.append(gate)
        if is_local:
            batch.gates.append(gate)
    return gates


def evaluate_all(
    gates: Sequence[CheckGate], relation: Relations, cancel: CancelToken
) -> list[CheckResult]:
    """Evaluate gates, of one asset or of several, in one session; results in the same order.

    Raises:
        Cancelled: The run was stopped.
    """
    results: dict[int, CheckResult] = {}
    waiting: list[tuple[int, CheckGate, Schema]] = []
    for index, gate in enumerate(gates):
        found = _without_reading(gate, relation)
        if isinstance(found, CheckResult):
            results[index] = found
        else:
            waiting.append((index, gate, found))
    if waiting:
        engine = waiting[0][1].engine
        with engine.session() as session, _stopping(session, cancel):
            for asset in dict.fromkeys(gate.asset for _, gate, _ in waiting):
                mine = [item for item in waiting if item[1].asset == asset]
                results.update(_with_reading(session, mine, relation))
    return [results[index] for index in range(len(gates))]


@contextmanager
def _stopping(session: Session, cancel: CancelToken) -> Iterator[None]:
    """Let the token stop what the session runs."""
    forget = cancel.on_cancel(session.interrupt)
    try:
        if cancel.is_cancelled:
            raise Cancelled("A4030", "The check was cancelled.")
        yield
    finally:
        forget()


def _without_reading(gate: CheckGate, relation: Relations) -> CheckResult | Schema:
    """Judge by schema and statistics, or give the schema that reading will need."""
    spec = gate.spec
    started = gate.clock.monotonic_s()
    try:
        found = relation(spec.asset)
        if isinstance(found, ViewRef):
            return found.schema  # that of when it was defined: reading tells what it has now
        result = _by_schema(spec, found.schema)
        if result is not None:
            return result
        finding = _proven(gate.target, relation) if aside_of(spec, relation) is None else None
    except InternalError:
        raise
    except MainstemError as error:
        return _failed(spec, error)
    if finding is None:
        return found.schema
    return judge(spec, finding, elapsed_s=gate.clock.monotonic_s() - started)


def _by_schema(spec: CheckSpec, schema: Schema) -> CheckResult | None:
    missing = next((name for name in spec.columns if schema.field(name) is None), None)
    if missing is not None:
        near = did_you_mean(missing, schema.names)
        return errored(
            spec, f"{spec.asset} has no column `{missing}`." + (f" {near}" if near else "")
        )
    finding = _shape(spec, schema)
    return None if finding is None else judge(spec, finding, elapsed_s=0.0)


def _shape(spec: CheckSpec, schema: Schema) -> Finding | None:
    if KINDS[spec.name].asks != "shape":
        return None
    return judge_type(spec, schema) if spec.name == "type" else judge_schema(spec, schema)


def _proven(target: Target, relation: Relations) -> Finding | None:
    proof = prove(target, relation)
    if proof is None:
        return None
    return Finding(
        failed=proof.failed, total=proof.total, said=proof.said, is_proven=proof.is_passing
    )


def _with_reading(
    session: Session, waiting: Sequence[tuple[int, CheckGate, Schema]], relation: Relations
) -> dict[int, CheckResult]:
    """Evaluate gates of one asset in a session."""
    results, waiting = _of_view(session, waiting, relation)
    together = [item for item in waiting if shares_a_scan(item[1].target)]
    if len(together) > 1:
        results |= _fused(session, together, relation)
    for index, gate, schema in waiting:
        if index not in results:
            results[index] = _alone(session, gate, schema, relation)
    return results


def _of_view(
    session: Session, waiting: Sequence[tuple[int, CheckGate, Schema]], relation: Relations
) -> tuple[dict[int, CheckResult], Sequence[tuple[int, CheckGate, Schema]]]:
    """Judge a view's columns as what it reads gives them now; the rest waits with those."""
    gate = waiting[0][1]
    try:
        if not isinstance(relation(gate.asset), ViewRef):
            return {}, waiting
        register_all(session, [gate.asset], relation)
        schema = session.describe(f"from {quote_key(gate.asset)}")
    except (Cancelled, InternalError):
        raise
    except MainstemError as error:
        return {index: _failed(gate.spec, error) for index, gate, _ in waiting}, ()
    judged = {index: _by_schema(gate.spec, schema) for index, gate, _ in waiting}
    results = {index: result for index, result in judged.items() if result is not None}
    return results, [(index, of, schema) for index, of, _ in waiting if index not in results]


def _fused(
    session: Session, items: Sequence[tuple[int, CheckGate, Schema]], relation: Relations
) -> dict[int, CheckResult]:
    gate, schema = items[0][1], items[0][2]
    started = gate.clock.monotonic_s()
    try:
        register_all(session, [gate.asset], relation)
        findings = measure_together(session, [item[1].target for item in items], schema)
        findings = [
            _with_aside(session, item[1].spec, finding, relation)
            for item, finding in zip(items, findings, strict=True)
        ]
    except (Cancelled, InternalError):
        raise
    except MainstemError:
        return {}  # one by one, to tell whose fault it is
    each = (gate.clock.monotonic_s() - started) / len(items)
    return {
        index: judge(of.spec, finding, elapsed_s=each)
        for (index, of, _), finding in zip(items, findings, strict=True)
    }


def _alone(session: Session, gate: CheckGate, schema: Schema, relation: Relations) -> CheckResult:
    started = gate.clock.monotonic_s()
    try:
        register_all(session, gate.reads, relation)
        if shares_a_scan(gate.target):
            finding = measure_together(session, [gate.target], schema)[0]
        else:
            found = relation(gate.asset)
            row_count = found.row_count if isinstance(found, TableRef) else 0
            finding = measure(session, gate.target, row_count)
        finding = _with_aside(session, gate.spec, finding, relation)
    except (Cancelled, InternalError):
        raise
    except MainstemError as error:
        return _failed(gate.spec, error, elapsed_s=gate.clock.monotonic_s() - started)
    return judge(gate.spec, finding, elapsed_s=gate.clock.monotonic_s() - started)


def _with_aside(
    session: Session, spec: CheckSpec, finding: Finding, relation: Relations
) -> Finding:
    table = aside_of(spec, relation)
    if table is None:
        return finding
    return replace(finding, aside=count_aside(session, spec, table))


def _failed(spec: CheckSpec, error: MainstemError, *, elapsed_s: float = 0.0) -> CheckResult:
    said = place_of(spec, error) + (f" {error.hint}" if error.hint else "")
    return errored(spec, said, elapsed_s=elapsed_s)
