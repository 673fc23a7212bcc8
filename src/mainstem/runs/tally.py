# SPDX-License-Identifier: Apache-2.0
"""The record of an asset that many steps build, kept as they end one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from mainstem.state import StepRecord

_WORST_FIRST = (
    "failed", "held", "cancelled", "running", "staged", "built", "linked", "unchanged", "skipped"
)  # fmt: skip


@dataclass(slots=True)
class Tally:
    """Sums over the steps of one asset; a step that is told of again takes its former place."""

    records: dict[str, StepRecord] = field(default_factory=dict)
    """By partitions as text."""
    statuses: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    elapsed_s: float = 0.0
    size_bytes: int = 0
    worst: StepRecord | None = None

    def put(self, partition: str, record: StepRecord) -> StepRecord:
        """Take a step in, and give the record of the asset."""
        before = self.records.get(partition)
        for sign, one in ((-1, before), (1, record)):
            if one is not None:
                self.statuses[one.status] += sign
                self.rows += sign * (one.row_count or 0)
                self.elapsed_s += sign * one.elapsed_s
                self.size_bytes += sign * (one.size_bytes or 0)
        self.records[partition] = record
        status = next((name for name in _WORST_FIRST if self.statuses[name] > 0), record.status)
        if record.status == status:
            self.worst = record
        worst = self.worst if self.worst is not None and self.worst.status == status else record
        counts = [f"{self.statuses[name]} {name}" for name in _WORST_FIRST if self.statuses[name]]
        return replace(
            record,
            status=status,
            reason=worst.reason,
            error=worst.error,
            row_count=self.rows,
            elapsed_s=self.elapsed_s,
            size_bytes=self.size_bytes,
            started_at=next(iter(self.records.values())).started_at,
            notes=(f"partitions: {', '.join(counts)}",),
        )
