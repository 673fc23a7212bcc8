# SPDX-License-Identifier: Apache-2.0
"""What is kept of runs beside the database: logs and history in files, with secrets masked.

Knows neither tables nor runs. Written by `runs`, read by `project`. Lazy, as is all that `project`
names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.types import lazily

if TYPE_CHECKING:
    from mainstem.records.history import History
    from mainstem.records.log import AttemptLog
    from mainstem.records.query import events_query, logs_query
    from mainstem.records.redaction import Redactor
    from mainstem.records.retention import Pruned, RecordFiles, Retention
    from mainstem.records.tail import LogLine, LogPage, RunLogs, RunPage

__all__ = [
    "AttemptLog",
    "History",
    "LogLine",
    "LogPage",
    "Pruned",
    "RecordFiles",
    "Redactor",
    "Retention",
    "RunLogs",
    "RunPage",
    "events_query",
    "logs_query",
]

_MODULES = {
    "AttemptLog": "log",
    "History": "history",
    "LogLine": "tail",
    "LogPage": "tail",
    "Pruned": "retention",
    "RecordFiles": "retention",
    "Redactor": "redaction",
    "Retention": "retention",
    "RunLogs": "tail",
    "RunPage": "tail",
    "events_query": "query",
    "logs_query": "query",
}

__getattr__ = lazily(__name__, _MODULES)
