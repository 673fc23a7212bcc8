# SPDX-License-Identifier: Apache-2.0
"""What listens to runs: the history of what happened, failures, alerts.

An observer takes events in, one at a time, and must neither raise nor wait. Made by `project` for
each run; a run knows nothing of them.
"""

from mainstem.observers.failure import (
    FAILURE_MIGRATIONS,
    Failure,
    add_failure,
    failures,
    fix_failures,
    forget_failures,
)
from mainstem.observers.fingerprint import Fingerprint, fingerprint_of, fingerprint_of_checks
from mainstem.observers.history import HistoryObserver
from mainstem.observers.outbox import (
    ALERT_MIGRATIONS,
    Alert,
    alerts,
    deliver_due,
    forget_alerts,
    put_alert,
)
from mainstem.observers.rule import AlertRule
from mainstem.observers.tables import TableFacts
from mainstem.observers.telling import Late, Teller

__all__ = [
    "ALERT_MIGRATIONS",
    "FAILURE_MIGRATIONS",
    "Alert",
    "AlertRule",
    "Failure",
    "Fingerprint",
    "HistoryObserver",
    "Late",
    "TableFacts",
    "Teller",
    "add_failure",
    "alerts",
    "deliver_due",
    "failures",
    "fingerprint_of",
    "fingerprint_of_checks",
    "fix_failures",
    "forget_alerts",
    "forget_failures",
    "put_alert",
]
