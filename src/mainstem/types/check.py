# SPDX-License-Identifier: Apache-2.0
"""Checks as values: what is asserted, what came of it. Evaluation is in `mainstem.checks`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from mainstem.types.key import AssetKey
from mainstem.types.value import dataclass

Severity = Literal["error", "warn", "info"]
Verdict = Literal["passed", "warned", "failed", "errored", "proven"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec:
    """One check of one asset, as written, its short forms resolved (GRAMMAR 5)."""

    asset: AssetKey
    name: str
    """Canonical: `not_null`, `unique`, `row_count`, `sql`, ..."""
    columns: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Of the check itself, JSON-able: `{values: [...]}`, `{min: 0}`, `{to: raw.airports.faa}`."""
    where: str = ""
    mostly: float = 1.0
    severity: Severity = "error"
    quarantine: bool = False
    sample: int = 20
    """Failing rows to keep with the result."""
    label: str = ""
    """The owner's `name:` for it; empty: derived."""
    tags: tuple[str, ...] = ()
    description: str = ""
    file: str = ""
    line: int = 0

    @property
    def id(self) -> str:
        """`staging.flights/unique(origin,time_hour)`, or with the given name."""
        return f"{self.asset}/{self.title}"

    @property
    def title(self) -> str:
        """The part after the slash."""
        if self.label:
            return self.label
        return f"{self.name}({','.join(self.columns)})" if self.columns else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one evaluation of a check found."""

    check_id: str
    asset: AssetKey
    verdict: Verdict
    severity: Severity
    message: str = ""
    """One line: counts, expectation, and what was seen."""
    row_count: int | None = None
    """Rows looked at."""
    failed_count: int | None = None
    sample: tuple[Mapping[str, Any], ...] = ()
    """Failing rows, or grouped values with a `rows` count; at most `CheckSpec.sample`."""
    elapsed_s: float = 0.0

    @property
    def holds_publishing(self) -> bool:
        """Whether this result keeps the asset, and what needs it, from being published."""
        return self.verdict in {"failed", "errored"} and self.severity == "error"
