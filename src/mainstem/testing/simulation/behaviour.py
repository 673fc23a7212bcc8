# SPDX-License-Identifier: Apache-2.0
"""What simulated steps and checks do: as they are told, the same way each time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mainstem.errors import StepFailed
from mainstem.graph import Asset, PlannedAsset
from mainstem.runs import CancelToken, Gate, StepContext, StepOutcome
from mainstem.testing.simulation.turns import Turns
from mainstem.types import (
    AssetKey,
    Change,
    CheckResult,
    CursorWrite,
    Field,
    Primitive,
    Provenance,
    Relation,
    Schema,
    TableWrite,
    ViewWrite,
)

_SCHEMA = Schema(fields=(Field(name="id", type=Primitive("long")),))


@dataclass(slots=True)
class Behaviour:
    """How the steps of one asset go."""

    seconds: float = 1.0
    """How long an attempt takes."""
    rows: int = 100
    """What it says that it wrote."""
    failures: int = 0
    """How many further attempts raise."""
    error: str = "told to fail"
    failing: dict[str, int] = field(default_factory=dict)
    """How many further attempts at a partition raise, by its key."""
    before: list[Callable[[], None]] = field(default_factory=list)
    """Called once each, when the next attempt begins, and"""
    after: list[Callable[[], None]] = field(default_factory=list)
    """when the next attempt has done its work and its outcome is not yet recorded."""


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One attempt at an asset, or at some of its partitions, as it went."""

    asset: str
    run_id: int
    began: datetime
    began_s: float
    """In seconds since the world began, which go on whatever the clock is set to."""
    ended: datetime | None = None
    """Also if its server was killed."""
    ended_s: float | None = None
    partitions: tuple[str, ...] = ()


class SimulatedStep:
    """Meets `Step`: writes a version of each output that has no rows."""

    def __init__(
        self,
        assets: tuple[Asset, ...],
        planned: PlannedAsset,
        behaviour: Behaviour,
        turns: Turns,
        source_version: int,
        attempts: list[Attempt],
    ) -> None:
        self._assets = assets
        self._planned = planned
        self._behaviour = behaviour
        self._turns = turns
        self._attempts = attempts
        self._source_version = source_version
        self.outputs = tuple(asset.key for asset in assets)
        self.inputs = assets[0].inputs

    def execute(self, context: StepContext) -> StepOutcome:
        """Take the time that it is told to, then fail or write."""
        slice_, clock = context.partition, self._turns.clock
        attempt = Attempt(
            asset=str(self.outputs[0]),
            run_id=context.run_id,
            began=clock.now(),
            began_s=clock.monotonic_s(),
            partitions=() if slice_ is None else tuple(slice_.keys),
        )
        self._attempts.append(attempt)
        try:
            return self._go_on(context)
        finally:
            attempt.ended, attempt.ended_s = clock.now(), clock.monotonic_s()

    def _go_on(self, context: StepContext) -> StepOutcome:
        behaviour = self._behaviour
        _call(behaviour.before)
        self._take_time(behaviour.seconds, context.cancel)
        if behaviour.failures:
            behaviour.failures -= 1
            raise StepFailed("A7110", f"{self.outputs[0]}: {behaviour.error}")
        self._fail_partitions(context)
        outcome = self._outcome(context)
        _call(behaviour.after)
        return outcome

    def _take_time(self, seconds: float, cancel: CancelToken) -> None:
        forget = cancel.on_cancel(self._turns.waker())
        try:
            if not cancel.is_cancelled:
                self._turns.sleep(seconds)
        finally:
            forget()
        if cancel.is_cancelled:
            raise StepFailed("A7110", f"{self.outputs[0]} was told to stop")

    def _fail_partitions(self, context: StepContext) -> None:
        slice_, failing = context.partition, self._behaviour.failing
        for key in slice_.keys if slice_ is not None and failing else ():
            if failing.get(key):
                failing[key] -= 1
                said = f"{self.outputs[0]} {key}: {self._behaviour.error}"
                raise StepFailed("A7110", said)

    def _outcome(self, context: StepContext) -> StepOutcome:
        changes: list[Change] = []
        for asset in self._assets:
            changes += self._changes(asset, context)
        rows = {change.key: self._behaviour.rows for change in changes}
        return StepOutcome(changes=tuple(changes), rows=rows)

    def _changes(self, asset: Asset, context: StepContext) -> list[Change]:
        derived = Provenance(origin="derived", data_version="")
        match asset.materialized:
            case "none":
                return []
            case "view":
                return [
                    ViewWrite(
                        key=asset.key,
                        sql="select 1 as id",
                        schema=_SCHEMA,
                        inputs=asset.inputs,
                        provenance=derived,
                    )
                ]
            case _ if asset.kind == "file":
                version = self._source_version
                read = Provenance(
                    origin="ingested",
                    data_version=f"{asset.key.folded}@{version}",
                    cursor_interval=str(version),
                )
                cursor = CursorWrite(key=asset.key, value={"version": version})
                return [self._write(asset, context, "overwrite", read), cursor]
            case _ if context.partition is not None:
                # Of its rows there are none: what tells partitions apart is the table's record.
                operation = "overwrite" if context.partition.starts_over else "append"
                return [self._write(asset, context, operation, derived)]
            case _:
                grows = asset.materialized == "incremental" and not self._planned.is_full_rebuild
                return [self._write(asset, context, "append" if grows else "overwrite", derived)]

    def _write(
        self, asset: Asset, context: StepContext, operation: str, provenance: Provenance
    ) -> TableWrite:
        target = context.target(asset.key, _schema_of(asset), replaces=operation == "overwrite")
        return TableWrite(
            key=asset.key,
            operation="append" if operation == "append" else "overwrite",
            provenance=provenance,
            schema=target.schema,
            spec=target.spec,
            table_id=target.table_id,
        )


def _schema_of(asset: Asset) -> Schema:
    """Give the columns of a table; those of its partitions hold their keys as text."""
    columns = asset.partitions.columns if asset.partitions is not None else ()
    keys = (Field(name=name, type=Primitive("string")) for name in columns)
    return Schema(fields=(*_SCHEMA.fields, *keys))


class SimulatedGate:
    """Meets `Gate`: a check of the project that passes unless it is told to fail."""

    def __init__(self, gate: Gate, severity: str, failing: Mapping[str, str]) -> None:
        self._severity = severity
        self._failing = failing
        self.check_id = gate.check_id
        self.asset = gate.asset
        self.reads = gate.reads
        self.quarantines = False

    def evaluate(
        self, relation: Callable[[AssetKey], Relation], cancel: CancelToken
    ) -> CheckResult:
        """Judge as told."""
        del relation, cancel
        message = self._failing.get(self.check_id)
        is_error = self._severity == "error"
        return CheckResult(
            check_id=self.check_id,
            asset=self.asset,
            verdict="passed" if message is None else "failed" if is_error else "warned",
            severity="error" if is_error else "warn",
            message=message or "",
        )


@dataclass(frozen=True, slots=True)
class Look:
    """Meets `SourceObservation`."""

    is_fresh: bool
    summary: str


def _call(hooks: list[Callable[[], None]]) -> None:
    while hooks:
        hooks.pop(0)()
