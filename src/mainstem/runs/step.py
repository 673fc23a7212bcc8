# SPDX-License-Identifier: Apache-2.0
"""The ports between a run and the kinds of work it executes: a `Step` builds, a `Gate` judges.

The run knows no kind. `ingest`, `models` and `checks` implement these Protocols; the driver in this
package supplies the context.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from mainstem.types import (
    AssetKey,
    Change,
    CheckResult,
    LayoutColumn,
    Relation,
    Schema,
    Usage,
    WriteTarget,
    dataclass,
)

if TYPE_CHECKING:
    from mainstem.runs.items import ItemJournal
    from mainstem.runs.slicing import PartitionSlice


class CancelToken(Protocol):
    """Tells a step to stop, and lets it say how."""

    @property
    def is_cancelled(self) -> bool:
        """Whether the step should stop now."""
        ...

    def on_cancel(self, stop: Callable[[], None]) -> Callable[[], None]:
        """Register what stops the work (called from another thread); returns the deregistration."""
        ...


class StepContext(Protocol):
    """What a step may see and do; one per attempt."""

    run_id: int
    attempt: int
    logical_time: datetime
    """`now()` of the run: equal for all steps and re-runs."""
    environment: str
    branch: str
    """The branch the run publishes to."""
    full_refresh: bool
    cancel: CancelToken
    partition: PartitionSlice | None
    """What to build of a partitioned asset; nothing: all of the asset."""

    def relation(self, key: AssetKey) -> Relation:
        """Give an input as pinned at the run's start, overlaid by this run's own outputs.

        Raises:
            AssetNotFound: It was never built.
        """
        ...

    def current(self, key: AssetKey) -> Relation | None:
        """Give the step's own output as it is now on the branch, for increments."""
        ...

    def cursor(self, key: AssetKey) -> Mapping[str, Any] | None:
        """Give the committed replication position of an ingested asset."""
        ...

    def target(
        self,
        key: AssetKey,
        schema: Schema,
        *,
        partition_by: tuple[LayoutColumn, ...] = (),
        replaces: bool = True,
    ) -> WriteTarget:
        """Allocate ids and a place for data files.

        Args:
            key: One of the step's outputs.
            schema: Columns to write, ids 0; matched by name to the table's columns.
            partition_by: Layout of the files.
            replaces: All rows are replaced: columns not in `schema` are dropped, types may change.
                Otherwise the schema evolves: missing columns stay, types are only promoted.

        Raises:
            SchemaDrifted: A type change that is no legal promotion (only with `replaces=False`).
        """
        ...

    def items(self, code: str) -> ItemJournal:
        """Give what keeps results of the items of one loop, for other attempts of this run."""
        ...

    def progress(self, *, rows: int | None = None, note: str = "") -> None:
        """Show how far the step is; cheap, may be called often, from any thread."""
        ...

    def log(self, text: str, *, stream: Literal["stdout", "stderr", "log"] = "log") -> None:
        """Keep a line in the run's log."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """What a successful attempt produced: staged by the run in one commit on its branch."""

    changes: tuple[Change, ...] = ()
    """Without provenance of derived assets filled in: see `Step.execute`."""
    rows: Mapping[AssetKey, int] = field(default_factory=dict)
    """Rows written per asset; for appends the rows added."""
    unchanged: tuple[AssetKey, ...] = ()
    """Outputs that turned out to be what the branch has: nothing is written for them."""
    notes: tuple[str, ...] = ()
    """Shown behind the step: `2 files`, `3 rows quarantined in raw.orders__quarantine`."""
    warnings: tuple[str, ...] = ()
    usage: Usage | None = None
    """If the step knows better than the process it was called in: it worked in another one."""


class Step(Protocol):
    """Builds one asset, or the assets of one `multi_asset`; picklable by value is not needed."""

    outputs: tuple[AssetKey, ...]
    inputs: tuple[AssetKey, ...]

    def execute(self, context: StepContext) -> StepOutcome:
        """Do the work in a thread of the supervisor; write files, commit nothing.

        The run fills in `fingerprint`, `inputs`, `run_id`, and for derived assets `data_version`
        of each change's `Provenance`; a step sets `origin`, and for ingested data `data_version`.

        Raises:
            MainstemError: What went wrong; whether another attempt follows is the asset's
                `execution` to say, and the error's class.
        """
        ...


class Pending(Protocol):
    """An attempt that another process carries out, and no thread of ours waits for."""

    def fileno(self) -> int:
        """Give the descriptor that is readable once there is something to hear."""
        ...

    def hear(self) -> Literal["waits", "answered", "talks"]:
        """Take in what has come, without waiting.

        Returns:
            Whether there is nothing yet, or the work is over, or a thread has to see it through.
        """
        ...

    def finish(self) -> StepOutcome:
        """Give what came of it, or raise; waits unless it has answered. Called once, whatever."""
        ...


@runtime_checkable
class LightStep(Protocol):
    """A step, some attempts of which need no thread."""

    def begin(self, context: StepContext) -> Pending | None:
        """Begin an attempt if that can be done at once; otherwise `execute` is called."""
        ...


class Gate(Protocol):
    """Judges what a step built, on the run's branch, before anything is published."""

    check_id: str
    asset: AssetKey
    reads: tuple[AssetKey, ...]
    """All tables it looks at: publishing is closed under them (SEMANTICS, Runs)."""
    quarantines: bool

    def evaluate(
        self, relation: Callable[[AssetKey], Relation], cancel: CancelToken
    ) -> CheckResult:
        """Judge; a check that cannot be evaluated is a result with the verdict `errored`."""
        ...
