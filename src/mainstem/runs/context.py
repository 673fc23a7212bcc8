# SPDX-License-Identifier: Apache-2.0
"""What a step sees: inputs pinned, a place for its files, a way to say how far it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Literal

from mainstem.database import Transaction
from mainstem.graph import RowRule
from mainstem.lake import Lake
from mainstem.runs.cancelling import Cancellation
from mainstem.runs.event import RunEvent, StepLogged, StepProgressed
from mainstem.runs.items import ItemFolder, ItemJournal
from mainstem.runs.rows import restricted
from mainstem.runs.slicing import PartitionSlice
from mainstem.runs.step import CancelToken
from mainstem.types import AssetKey, Clock, LayoutColumn, Relation, Schema, WriteTarget


class RunBranch:
    """The branch of a run, made when the first thing is written to it; a run may write nothing."""

    def __init__(
        self, lake: Lake, *, run_id: int, base_commit: str, kept: timedelta, clock: Clock
    ) -> None:
        self.name = f"run/{run_id}"
        self.lake = lake
        self.tip = base_commit
        """Commit that reads see: the base, overlaid by what the run has staged."""
        self.exists = False
        self._kept = kept
        self._clock = clock
        self._lock = threading.Lock()

    def ensure(self, open_write: Callable[[], AbstractContextManager[Transaction]]) -> None:
        """Make the branch unless it is there; from any thread."""
        with self._lock:
            if not self.exists:
                with open_write() as transaction:
                    self._create(transaction)
                self.exists = True

    def _create(self, transaction: Transaction) -> None:
        self.lake.create_branch(
            self.name,
            at=self.tip,
            expires_at=self._clock.now() + self._kept,
            transaction=transaction,
        )

    def relation(self, key: AssetKey) -> Relation:
        """Give a table or view as the run sees it now."""
        return self.lake.relation(key, self.tip)


class InputView:
    """Inputs as one step sees them: some of them with the rows of partitions only."""

    def __init__(
        self, find: Callable[[AssetKey], Relation], reads: Mapping[AssetKey, RowRule]
    ) -> None:
        self._find = find
        self._reads = reads
        self._whole: dict[AssetKey, Relation] = {}
        """What stands behind views that restrict."""

    def relation(self, key: AssetKey) -> Relation:
        """Give a relation; views over it that restrict name the whole, which is found too."""
        if key in self._whole:
            return self._whole[key]
        found, rule = self._find(key), self._reads.get(key)
        if rule is None:
            return found
        narrow, whole = restricted(found, rule)
        if whole is not None:
            self._whole[whole.key] = whole
        return narrow


class AttemptContext:
    """Meets `StepContext`; one for each attempt."""

    def __init__(
        self,
        branch: RunBranch,
        *,
        run_id: int,
        key: AssetKey,
        attempt: int,
        logical_time: datetime,
        full_refresh: bool,
        names: tuple[str, str],
        services: tuple[
            Callable[[], AbstractContextManager[Transaction]],
            Callable[[RunEvent], None],
            ItemFolder,
        ],
    ) -> None:
        self.partition: PartitionSlice | None = None
        self.run_id = run_id
        self.attempt = attempt
        self.logical_time = logical_time
        self.environment, self.branch = names
        self.full_refresh = full_refresh
        self.cancellation = Cancellation()
        self.cancel: CancelToken = self.cancellation
        self._key = key
        self._run_branch = branch
        self._pinned = branch.tip
        self._open_write, self._emit, self._items = services
        self._inputs = InputView(lambda name: branch.lake.relation(name, self._pinned), {})

    def restrict(self, slice_: PartitionSlice) -> None:
        """Let the step build some partitions only, and see what they read of its inputs."""
        self.partition = slice_
        self._inputs = InputView(
            lambda name: self._run_branch.lake.relation(name, self._pinned), slice_.reads
        )

    def relation(self, key: AssetKey) -> Relation:
        """Give an input as pinned when the attempt began.

        Raises:
            AssetNotFound: It was never built.
        """
        return self._inputs.relation(key)

    def current(self, key: AssetKey) -> Relation | None:
        """Give the step's own output as it is now on the branch."""
        if self._run_branch.lake.entry(key, self._pinned) is None:
            return None
        return self._run_branch.lake.relation(key, self._pinned)

    def cursor(self, key: AssetKey) -> Mapping[str, Any] | None:
        """Give the committed replication position of an ingested asset."""
        return self._run_branch.lake.cursor(key, self._pinned)

    def target(
        self,
        key: AssetKey,
        schema: Schema,
        *,
        partition_by: tuple[LayoutColumn, ...] = (),
        replaces: bool = True,
    ) -> WriteTarget:
        """Allocate ids and a place for data files on the run's branch."""
        self._run_branch.ensure(self._open_write)
        return self._run_branch.lake.target(
            self._run_branch.name,
            key,
            schema,
            attempt=f"r{self.run_id}-a{self.attempt}",
            partition_by=partition_by,
            replaces=replaces,
        )

    def items(self, code: str) -> ItemJournal:
        """Give what keeps results of the items of one loop, for other attempts of this run."""
        of = "" if self.partition is None else f"[{self.partition.text}]"
        return self._items.journal(f"{self._key.folded}{of}", code)

    def progress(self, *, rows: int | None = None, note: str = "") -> None:
        """Show how far the step is."""
        partition = self.partition.text if self.partition is not None else ""
        self._emit(StepProgressed(key=self._key, rows=rows, note=note, partition=partition))

    def log(self, text: str, *, stream: Literal["stdout", "stderr", "log"] = "log") -> None:
        """Keep a line in the run's log."""
        self._emit(StepLogged(key=self._key, stream=stream, text=text))
