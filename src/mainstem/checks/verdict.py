# SPDX-License-Identifier: Apache-2.0
"""From what was found to a verdict: severity, `mostly`, `warn_if` and `error_if`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from mainstem.checks import wording
from mainstem.types import CheckResult, CheckSpec, Severity, Verdict, dataclass

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_THRESHOLD = re.compile(r"(\D+)(\d+)(%?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found."""

    failed: int
    """Rows that fail; for numbers and columns 1 if they are not as expected."""
    total: int | None = None
    said: str = ""
    """Behind the name of the check; empty: derived from the counts."""
    values: int | None = None
    """Distinct values among the failing rows, where that says something."""
    sample: tuple[Mapping[str, Any], ...] = ()
    is_proven: bool = False
    aside: int = 0
    """Rows that the check moved to quarantine; they are not in `total`."""


def judge(spec: CheckSpec, finding: Finding, *, elapsed_s: float) -> CheckResult:
    """Give the result of a check from what it found."""
    verdict = _verdict(spec, finding)
    said = finding.said or _said(spec, finding)
    return CheckResult(
        check_id=spec.id,
        asset=spec.asset,
        verdict=verdict,
        severity=spec.severity,
        message=f"{wording.describe(spec)}: {said}",
        row_count=finding.total,
        failed_count=finding.failed + finding.aside,
        sample=finding.sample,
        elapsed_s=elapsed_s,
    )


def errored(spec: CheckSpec, said: str, *, elapsed_s: float = 0.0) -> CheckResult:
    """Give the result of a check that could not be evaluated."""
    return CheckResult(
        check_id=spec.id,
        asset=spec.asset,
        verdict="errored",
        severity=spec.severity,
        message=f"{wording.describe(spec)}: {said}",
        elapsed_s=elapsed_s,
    )


def is_allowed(spec: CheckSpec, finding: Finding) -> bool:
    """Whether the failing rows are few enough for `mostly`."""
    if spec.mostly == 1:
        return finding.failed == 0  # rows moved aside are dealt with
    failed, total = finding.failed + finding.aside, (finding.total or 0) + finding.aside
    # Half a row of tolerance would be wrong, a rounding error of the share is not.
    return failed <= (1 - spec.mostly) * total + 1e-9


def _verdict(spec: CheckSpec, finding: Finding) -> Verdict:
    is_bad = not is_allowed(spec, finding)
    # As in dbt: for severity `error` the error threshold is asked first; both default to "any".
    is_error = _exceeds(spec, "error_if", finding, default=is_bad)
    is_warning = _exceeds(spec, "warn_if", finding, default=is_bad)
    severity: Severity = spec.severity
    if severity == "error" and is_error:
        return "failed"
    if is_warning:
        return "warned"
    return "proven" if finding.is_proven else "passed"


def _exceeds(spec: CheckSpec, key: str, finding: Finding, *, default: bool) -> bool:
    threshold = spec.arguments.get(key)
    if threshold is None:
        return default
    match = _THRESHOLD.fullmatch(threshold)
    assert match is not None, "parse_checks lets only comparisons through"
    found: float = finding.failed
    if match[3]:
        found = 100 * finding.failed / finding.total if finding.total else 0.0
    return _COMPARE[match[1]](found, int(match[2]))


def _said(spec: CheckSpec, finding: Finding) -> str:
    total = finding.total or 0
    if finding.aside:
        failed, total = finding.failed + finding.aside, total + finding.aside
        said = wording.failing(failed, total, values=None, mostly=spec.mostly)
        return f"{said}, {wording.count(finding.aside)} quarantined"
    if not finding.failed:
        return f"all {wording.rows(total)}" if total != 1 else "the 1 row"
    return wording.failing(finding.failed, total, values=finding.values, mostly=spec.mostly)
