# SPDX-License-Identifier: Apache-2.0
"""Evaluating one gate, so that whatever happens in it becomes a result."""

from __future__ import annotations

from collections.abc import Callable

from mainstem.errors import MainstemError
from mainstem.runs.boundary import Boundary
from mainstem.runs.step import CancelToken, Gate
from mainstem.types import AssetKey, CheckResult, Relation


def evaluate(
    gate: Gate, relation: Callable[[AssetKey], Relation], cancel: CancelToken
) -> CheckResult:
    """Judge; what cannot be judged holds publishing as a failure would."""
    with Boundary() as boundary:
        return gate.evaluate(relation, cancel)
    error = boundary.error
    if isinstance(error, MainstemError):
        return _errored(gate, str(error))
    return _errored(gate, f"{type(error).__name__}: {error}")


def _errored(gate: Gate, message: str) -> CheckResult:
    return CheckResult(
        check_id=gate.check_id,
        asset=gate.asset,
        verdict="errored",
        severity="error",
        message=message,
    )
