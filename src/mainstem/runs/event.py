# SPDX-License-Identifier: Apache-2.0
"""What a run tells while it goes on, and in the end. The CLI, logs and the API render these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Literal

from mainstem.errors import MainstemError
from mainstem.types import AssetKey, CheckResult, Usage, dataclass

StepStatus = Literal[
    "built", "read", "linked", "unchanged", "held", "failed", "skipped", "cancelled"
]
RunStatus = Literal["succeeded", "failed", "held", "cancelled", "nothing_to_do"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """The plan is stored and the run has its leases."""

    run_id: int
    environment: str
    branch: str
    step_count: int
    check_count: int
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAsked:
    """Somebody paused, resumed or cancelled the run."""

    request: Literal["pause", "resume", "cancel"]
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """An attempt begins."""

    key: AssetKey
    attempt: int
    partition: str = ""
    """Of a partitioned asset, as text: what this step builds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgressed:
    """An attempt says how far it is."""

    key: AssetKey
    rows: int | None = None
    note: str = ""
    partition: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLogged:
    """A line that a step printed or logged."""

    key: AssetKey
    stream: Literal["stdout", "stderr", "log"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRetried:
    """An attempt failed and another follows."""

    key: AssetKey
    attempt: int
    error: MainstemError
    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished:
    """An asset is done, one way or another; its checks have been evaluated."""

    key: AssetKey
    status: StepStatus
    partition: str = ""
    """Of a partitioned asset, as text: what this step built; the asset has others."""
    rows: int | None = None
    rows_before: int | None = None
    is_increment: bool = False
    """`rows` were added to those before."""
    elapsed_s: float = 0.0
    size_bytes: int | None = None
    """Bytes of data files that were written."""
    usage: Usage | None = None
    """Of the machine; of several assets built by one step the first has it."""
    checks: tuple[CheckResult, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    reason: str = ""
    """For held, failed, skipped: half a sentence."""
    error: MainstemError | None = None

    @property
    def name(self) -> str:
        """The asset, and which partitions of it."""
        return f"{self.key} {self.partition}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """The summary; the last event."""

    run_id: int
    status: RunStatus
    branch: str
    published: tuple[AssetKey, ...] = ()
    commit_id: str = ""
    """On the target branch; empty if nothing was published."""
    run_branch: str = ""
    """Holds what was not published: `run/13`; empty if there is nothing to see."""
    kept_days: int = 0
    elapsed_s: float = 0.0
    steps: tuple[StepFinished, ...] = ()
    stale: tuple[AssetKey, ...] = ()
    """Tables of the target that were made from older versions than it has now: their new ones were
    not built, not published, or not selected."""
    held_readers_keep: Mapping[AssetKey, str] = field(default_factory=dict)
    """For each held asset what readers still see: `the version of run 12 (yesterday 03:02)`."""

    @property
    def exit_code(self) -> int:
        """What the command returns (GRAMMAR 6)."""
        return {"succeeded": 0, "nothing_to_do": 0, "held": 2, "failed": 2, "cancelled": 130}[
            self.status
        ]


RunEvent = (
    RunStarted
    | RunAsked
    | StepStarted
    | StepProgressed
    | StepLogged
    | StepRetried
    | StepFinished
    | RunFinished
)
