# SPDX-License-Identifier: Apache-2.0
"""Whether what went wrong is worth another attempt. Pure."""

from __future__ import annotations

from mainstem.errors import Cancelled, MainstemError, StepFailed
from mainstem.types import Retry

_STAYS_WRONG = frozenset({"A7113", "A7114", "A7115"})
"""A result of the wrong kind: no attempt gives another."""


def may_retry(retry: Retry, error: MainstemError) -> bool:
    """Tell whether an error is one that another attempt may mend."""
    if isinstance(error, Cancelled):
        return False
    is_transient = error.is_retryable or (
        isinstance(error, StepFailed) and error.code not in _STAYS_WRONG
    )
    return retry.covers(names_of(error), is_transient=is_transient)


def names_of(error: MainstemError) -> frozenset[str]:
    """Give all that `retry_on` may call an error: its code, its classes, the user's exception."""
    own = [kind.__name__ for kind in type(error).__mro__ if issubclass(kind, MainstemError)]
    return frozenset((error.code, *own, *error.raised))
