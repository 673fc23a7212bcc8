# SPDX-License-Identifier: Apache-2.0
"""What a plan is: for each asset what a run would do and why. Made by `mainstem.graph.planner`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from mainstem.types import AssetKey, dataclass

Action = Literal["read", "build", "link", "fresh", "keep", "skip"]
"""read: take in source data; build: compute; link: take over an equal version from another branch;
fresh: nothing to do; keep: inputs change, but nothing this asset reads; skip: cannot or may not run
(a tombstone, or an upstream that is not selected and was never built)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAsset:
    """One line of a plan."""

    key: AssetKey
    action: Action
    reason: str
    """Half a sentence: `its input raw.flights gets new rows`, `column seats added in f.sql:12`."""
    fingerprint: str = ""
    """Expected; empty while an input's version is only known once it has been read."""
    link_from: str = ""
    """For `link`: the branch or run that built it."""
    link_commit: str = ""
    """For a `link` of a source: where it is taken from; others are looked up at the time."""
    is_full_rebuild: bool = True
    """For incremental assets: all rows, not only new ones."""
    estimated_rows: int | None = None
    estimated_seconds: float | None = None
    partitions: str = ""
    """Of a partitioned asset: those to be built, at most; which are is decided once all that they
    read is known."""
    details: tuple[str, ...] = ()
    """Further lines, such as files to read or old rows that keep the old logic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnChange:
    """A column that a run would add, drop or change, and who downstream reads it."""

    key: AssetKey
    column: str
    change: Literal["added", "dropped", "type changed", "logic changed"]
    breaks: tuple[str, ...] = ()
    """`marts.delays.mean_delay` for each column downstream that reads a dropped or retyped one."""
    may_break: tuple[str, ...] = ()
    """Python assets downstream: nobody knows which columns they read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would do, asset by asset in an order that respects inputs."""

    project: str
    environment: str
    branch: str
    base_commit: str
    assets: tuple[PlannedAsset, ...]
    columns: tuple[ColumnChange, ...] = ()
    git: str = ""
    """Commit and dirtiness: `4d0e1b2 + 1 edited file`."""
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def work(self) -> tuple[PlannedAsset, ...]:
        """The assets that a run would read, build or link."""
        return tuple(item for item in self.assets if item.action in {"read", "build", "link"})
